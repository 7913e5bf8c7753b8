"""What a waiting job costs in memory, indexes included.

Measured in a process of its own (``python -m tools.bench.memory JOBS``), as the growth of its
resident memory while it folds that many jobs.
"""

import gc
import os
import resource
import sys
from pathlib import Path
from typing import Final

import click
from msgspec import Raw, json

from projections.events import JobCreated, QueueCreated, Record, decode, encode
from projections.fold import fold
from projections.state import State
from spoolog.folding import without_gc
from tools.bench.report import Figure
from tools.bench.workload import QUEUE, counted_clock, counted_ids
from tools.children import running

TARGET_KB_PER_JOB: Final = 1.2
PAYLOAD_BYTES: Final = 200
_PATIENCE_SECS: Final = 600
_STATM: Final = Path("/proc/self/statm")


def measure(jobs: int) -> Figure:
    """Have a child fold the jobs and compare its memory before and after."""
    with running("tools.bench.memory", [str(jobs)]) as child:
        grown = json.decode(child.output(b"", _PATIENCE_SECS), type=int)
    return Figure(
        name="memory of a pending job",
        value=round(grown / jobs / 1024, 3),
        unit="KB/job",
        target=TARGET_KB_PER_JOB,
        better="less",
        command=f"spoolog bench memory --jobs {jobs}",
        details={"jobs": jobs, "payload bytes": PAYLOAD_BYTES, "resident bytes grown": grown},
    )


def grow(jobs: int) -> int:
    """Fold so many waiting jobs and give by how many bytes this process grew."""
    state = State()
    clock, new_id = counted_clock(), counted_ids()
    payload = Raw(b'{"text":"%s"}' % (b"x" * (PAYLOAD_BYTES - len(b'{"text":""}'))))
    first = QueueCreated(queue=QUEUE, id=new_id())
    fold(state, Record(1, clock(), "system", "", (first,)))
    gc.collect()
    before = resident_bytes()
    with without_gc():
        for position in range(2, jobs + 2):
            made = JobCreated(
                job=new_id(), queue=QUEUE, payload=payload, max_retries=3, timeout_secs=300
            )
            # Through the bytes, as in a replay: what decoding leaves behind counts as well.
            body = encode(Record(position, clock(), "system", "", (made,)))
            fold(state, decode(position, body))
    grown = resident_bytes() - before
    assert state.position == jobs + 1
    return grown


def resident_bytes() -> int:
    """Give this process's resident memory; its peak where the system tells no more."""
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    click.echo(grow(int(sys.argv[1])))
