"""What a snapshot saves: a start from one, compared with a start that reads the whole log."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from eventlog import Reader, SnapshotStore
from projections.bounds import SECOND_US
from projections.digest import digest
from server.clock import WallClock, monotonic_us
from server.snapshotting import make
from spoolog import restore
from spoolog.folding import fold_log, without_gc
from tools.bench.report import Figure
from tools.bench.workload import write_log
from tools.output import Problem, progress

TARGET_RATIO: Final = 0.6
_RUNS: Final = 3


def measure(events: int) -> Figure:
    """Write a log whose every job is still there, and start both ways in turn; medians count.

    That is the least a snapshot saves: of jobs that are gone it reads nothing at all.
    """
    with tempfile.TemporaryDirectory(prefix="spoolog-bench-") as folder:
        data_dir = Path(folder)
        with progress("writing a log", events) as advance:
            records = asyncio.run(write_log(data_dir, events, advance))
        made = make(data_dir, now_us=WallClock()(), writer="bench")
        assert made is not None
        reader = Reader(data_dir)
        loads, replays, jobs = [], [], 0
        for _ in range(_RUNS):
            took_us, jobs, found = _load(reader)
            loads.append(took_us)
            folded = fold_log(reader)
            replays.append(folded.elapsed_us)
            if not found == digest(folded.state) == made.digest:
                raise Problem("the snapshot and the log add up to different states")
    load_us, replay_us = sorted(loads)[_RUNS // 2], sorted(replays)[_RUNS // 2]
    return Figure(
        name="restart",
        value=round(load_us / replay_us, 2),
        unit="ratio",
        target=TARGET_RATIO,
        better="less",
        command=f"spoolog bench restart --events {events}",
        details={
            "records": records,
            "jobs": jobs,
            "snapshot bytes": made.bytes,
            "seconds from the snapshot": round(load_us / SECOND_US, 3),
            "seconds from the log": round(replay_us / SECOND_US, 3),
            "microseconds a job": round(load_us / jobs, 2),
            "seconds to make the snapshot": round(made.elapsed_us / SECOND_US, 3),
        },
    )


def _load(reader: Reader) -> tuple[int, int, str]:
    """Load the newest snapshot: how long it took, its jobs, and what it adds up to."""
    store = SnapshotStore(reader.data_dir, reader.identity.cluster)
    with without_gc():
        began_us = monotonic_us()
        found = restore.newest(store, reader.state_after, last=store.positions()[0])
        took_us = monotonic_us() - began_us
    return took_us, len(found.state.tables.jobs), digest(found.state)
