"""Reading a long log: how fast it is verified, filtered and folded, and in how much memory.

The verbs are run as people run them, each in a process of its own, whose time and peak of memory
count whole, with the start of Python. A peak is never told as less than this process had when it
started the other, since Linux keeps that.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct, json

import spoolog
from eventlog import SnapshotStore
from projections.bounds import SECOND_US
from projections.events import JobClaimed
from server.clock import monotonic_us
from tools.bench.crc import Summed
from tools.bench.gen import FACTS, Written
from tools.bench.report import Figure
from tools.output import Advance, Problem, progress

TARGET_VERIFY_RATIO: Final = 2.0
TARGET_FILTERED_PER_SECOND: Final = 500_000
TARGET_STATE_SECS: Final = 5.0
TARGET_PEAK_MIB: Final = 200.0
_BEHIND_SNAPSHOT: Final = 10_000
_MIB: Final = 1024 * 1024
_KIB: Final = 1024


class Run(Struct, frozen=True):
    """One finished process: how long it took, and for how long it had a processor."""

    output: bytes
    seconds: float
    busy_seconds: float
    peak_bytes: int

    @property
    def peak_mib(self) -> float:
        """Its peak of resident memory."""
        return round(self.peak_bytes / _MIB, 1)


def run(*args: str) -> Run:
    """Run a module of ours and measure it.

    Raises:
        Problem: it failed.

    """
    with tempfile.TemporaryFile() as out:
        began_us = monotonic_us()
        process = subprocess.Popen([sys.executable, "-m", *args], stdout=out)  # noqa: S603 - our own modules
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = (monotonic_us() - began_us) / SECOND_US
        out.seek(0)
        if process.returncode:
            raise Problem(f"{' '.join(args)} ended with {process.returncode}")
        unit = 1 if sys.platform == "darwin" else _KIB
        busy = usage.ru_utime + usage.ru_stime
        return Run(out.read(), seconds, busy, usage.ru_maxrss * unit)


def measure(data_dir: Path) -> list[Figure]:
    """Measure reading this data directory, which nobody may be writing to."""
    history = spoolog.open(data_dir)
    filters = _filters(history)
    steps = len(filters) + 3
    with progress("reading", steps) as advance:
        counted = _counting(advance, steps)
        base = counted("tools.bench.crc", str(data_dir))
        verified = counted("tools.cli", "log", "verify", "--json", "--data-dir", str(data_dir))
        cats = {
            name: counted("tools.cli", "log", "cat", "--json", "--data-dir", str(data_dir), *args)
            for name, args in filters.items()
        }
        at = _behind_a_snapshot(history)
        folded = counted(
            "tools.cli", "state", "queues", "--at", str(at), "--json", "--data-dir", str(data_dir)
        )
    command = f"spoolog bench read --data-dir {data_dir}"
    summed = json.decode(base.output, type=Summed)
    return [
        _verify_figure(command, summed, base, verified),
        _cat_figure(command, _events(history), cats),
        _state_figure(command, at, folded),
        _memory_figure(command, {"verify": verified} | cats, folded),
    ]


def _counting(advance: Advance, steps: int) -> Callable[..., Run]:
    done = 0

    def counted(*args: str) -> Run:
        nonlocal done
        found = run(*args)
        done += 1
        advance(done, steps)
        return found

    return counted


def _filters(history: spoolog.History) -> dict[str, list[str]]:
    """Choose filters that the bytes of a record decide, for what is in the middle of the log."""
    middle = (history.first + history.last) // 2
    for shown in history.records(types=["job.claimed"], start=middle):
        event, record = shown.events[0], shown.record
        assert isinstance(event, JobClaimed)
        return {
            "--job": ["--job", event.job],
            "--request": ["--request", record.req],
            "--type (none such)": ["--type", "job.unknown"],
            "--by (none such)": ["--by", "nobody"],
            "--worker and --type": ["--worker", event.worker, "--type", "worker.registered"],
        }
    raise Problem("no job was ever claimed in this log; `spoolog bench gen` makes one to measure")


def _behind_a_snapshot(history: spoolog.History) -> int:
    positions = SnapshotStore(history.data_dir, history.cluster).positions()
    return min((positions[0] if positions else 0) + _BEHIND_SNAPSHOT, history.last)


def _events(history: spoolog.History) -> int:
    """Give how many events there are: as written down, else one for each record, which is fewer."""
    written = history.data_dir / FACTS
    if written.exists():
        return json.decode(written.read_bytes(), type=Written).events
    return history.last - history.first + 1


def _verify_figure(command: str, summed: Summed, base: Run, verified: Run) -> Figure:
    return Figure(
        name="log verify / reading and CRC-32 of the same bytes in one Python process",
        value=round(verified.seconds / base.seconds, 2),
        unit="ratio",
        target=TARGET_VERIFY_RATIO,
        better="less",
        command=command,
        details={
            "log bytes": summed.bytes,
            "lines": summed.lines,
            "read and CRC-32 MB/s": round(summed.bytes / base.seconds / 1e6, 1),
            "verify MB/s": round(summed.bytes / verified.seconds / 1e6, 1),
            "read and CRC-32 seconds": round(base.seconds, 2),
            "of processors": round(base.busy_seconds, 2),
            "verify seconds": round(verified.seconds, 2),
            "of processors, all together": round(verified.busy_seconds, 2),
        },
    )


def _cat_figure(command: str, events: int, cats: dict[str, Run]) -> Figure:
    rates = {name: round(events / done.seconds) for name, done in cats.items()}
    details: dict[str, object] = {"events": events}
    for name, done in cats.items():
        details[f"events/s with {name}"] = rates[name]
        details[f"seconds with {name}"] = round(done.seconds, 2)
        details[f"of a processor with {name}"] = round(done.busy_seconds, 2)
    return Figure(
        name="events passed over by the slowest of `log cat` with a filter",
        value=min(rates.values()),
        unit="events/s",
        target=TARGET_FILTERED_PER_SECOND,
        better="more",
        command=command,
        details=details,
    )


def _state_figure(command: str, at: int, folded: Run) -> Figure:
    return Figure(
        name="`state --at` behind the newest snapshot",
        value=round(folded.seconds, 2),
        unit="s",
        target=TARGET_STATE_SECS,
        better="less",
        command=command,
        details={"position": at, "peak MiB": folded.peak_mib},
    )


def _memory_figure(command: str, flat: dict[str, Run], folded: Run) -> Figure:
    details: dict[str, object] = {f"{name} MiB": done.peak_mib for name, done in flat.items()}
    details["state --at MiB (grows with the jobs that are there)"] = folded.peak_mib
    return Figure(
        name="peak of memory of verify and cat, however long the log",
        value=max(done.peak_mib for done in flat.values()),
        unit="MiB",
        target=TARGET_PEAK_MIB,
        better="less",
        command=command,
        details=details,
    )
