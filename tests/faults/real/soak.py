"""A server under steady load for a long time: does anything grow, slow down, stall or drift apart?

``python -m tests.faults.real.soak --minutes 60`` prints what it measured beside its bounds, and ends
with 1 when one is broken.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
import numpy as np
from msgspec import Struct

from eventlog.disk import OsDisk
from eventlog.home import Home
from eventlog.usage import Usage, usage
from tests.faults.figures import report
from tests.faults.real.stage import KEY, Stage, stage
from tests.faults.real.steady import Counts, Stream, every
from tools.children import verb
from tools.output import Problem, rows

RATE: Final = 500.0
SAMPLE_SECS: Final = 5.0
RSS_MIB_PER_HOUR_MAX: Final = 2.0
STALL_MS_MAX: Final = 50.0
FDS_GROWN_MAX: Final = 2.0  # some come and go with connections and segments
BYTES_PER_JOB: Final = 1_600  # a finished one, with its result
STALL_METRIC: Final = "spoolog_loop_stall_seconds_max"
OWN_STALL_METRIC: Final = "spoolog_loop_stall_own_seconds_max"
_OPTIONS: Final = (
    *("--retry-base-secs", "0.1", "--segment-bytes", str(4 * 2**20)),
    *("--keep-finished", "60s", "--snapshot-records", "50000"),
    *("--compress-log", "--keep-log", "20m"),
)
_HOUR: Final = 3_600.0
_SETTLED: Final = 0.2  # the first fifth is not judged


class Sample(Struct, frozen=True):
    """The server at one moment."""

    at: float
    rss_bytes: int
    descriptors: int
    threads: int
    jobs: int
    stall_secs: float
    own_stall_secs: float


class Line(Struct, frozen=True):
    """One row of the verdict. `holds` is None where there is no bound, or nothing was measured."""

    what: str
    measured: float | str
    bound: str
    holds: bool | None


class Soak:
    """One run on one data directory."""

    def __init__(self, server: Stage, *, rate: float) -> None:
        self.samples: list[Sample] = []
        self.same_digest = False
        self._usage: Usage | None = None
        self._server = server
        self._stream = Stream(server.url, rate)

    @property
    def counts(self) -> Counts:
        return self._stream.counts

    async def run(self, secs: float) -> None:
        """Load it for so long, let it finish its work, and compare it with its log."""
        over = self._stream.over
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stream.run())
            group.create_task(every(SAMPLE_SECS, over, self._sample))
            await asyncio.sleep(secs)
            over.set()
        self.same_digest = await asyncio.to_thread(self._replays_to_the_same)
        self._usage = usage(OsDisk(), Home(self._server.data_dir))

    def verdict(self) -> list[Line]:
        """Hold what was measured against its bounds."""
        settled = self.samples[int(len(self.samples) * _SETTLED) :]
        hours = (settled[-1].at - settled[0].at) / _HOUR
        fds = _per_hour(settled, [one.descriptors for one in settled]) * hours
        # Memory that jobs have had is kept by the process, for the next ones.
        most = np.maximum.accumulate([one.jobs for one in self.samples])[-len(settled) :]
        kept = _per_hour(settled, most * BYTES_PER_JOB / 2**20)
        grown = _per_hour(settled, [one.rss_bytes / 2**20 for one in settled])
        rss = max(grown - kept, 0.0)
        counts = self.counts
        return [
            Line(
                "jobs done",
                counts.completed,
                f"{counts.created}",
                counts.completed == counts.created,
            ),
            Line("requests that went wrong", len(counts.wrong), "0", not counts.wrong),
            Line("digest of server and replay", _word(self.same_digest), "equal", self.same_digest),
            Line("jobs kept at the end", self.samples[-1].jobs, "", None),
            Line("RSS at the end, MiB", self.samples[-1].rss_bytes / 2**20, "", None),
            Line("RSS growth, MiB/h", grown, "", None),
            Line(
                "… beyond the jobs kept",
                rss,
                f"{RSS_MIB_PER_HOUR_MAX}",
                rss <= RSS_MIB_PER_HOUR_MAX,
            ),
            Line("descriptors grown", fds, f"{FDS_GROWN_MAX}", fds <= FDS_GROWN_MAX),
            Line("threads at the end", self.samples[-1].threads, "", None),
            *self._latencies(),
            *self._stalls(),
            *self._log(),
        ]

    def _latencies(self) -> list[Line]:
        took, tenth = np.array(self.counts.took) * 1_000, max(len(self.counts.took) // 10, 1)
        return [
            Line(f"{name} of the {which} tenth, ms", float(np.percentile(part, percent)), "", None)
            for name, percent in (("p50", 50), ("p99", 99))
            for which, part in (("first", took[:tenth]), ("last", took[-tenth:]))
        ]

    def _stalls(self) -> list[Line]:
        """The machine is shared with the load, so only what the server does to itself is judged."""
        last = self.samples[-1]
        own_ms = last.own_stall_secs * 1_000
        return [
            Line("longest stall of the loop, ms", last.stall_secs * 1_000, "", None),
            Line("… of its own making, ms", own_ms, f"{STALL_MS_MAX}", own_ms <= STALL_MS_MAX),
        ]

    def _log(self) -> list[Line]:
        """Tell what snapshots and tidying left of the log, which must have been at work."""
        told = self._usage
        assert told is not None
        return [
            Line("snapshots there", told.snapshots, "2", told.snapshots == 2),
            Line("log on disk, MiB", told.log_bytes / 2**20, "", None),
            Line("compressed segments", told.compressed_segments, "", None),
            Line("first position there", told.first, "", None),
        ]

    async def _sample(self) -> None:
        server = self._server
        async with aiohttp.ClientSession(server.url) as session:
            headers = {"Authorization": f"Bearer {KEY}"}
            async with session.get("/api/v1/jobs/stats", headers=headers) as answer:
                jobs = (await answer.json())["total"]
            async with session.get("/metrics") as answer:
                page = await answer.text()
        at, rss = time.monotonic(), server.rss_bytes()
        stalls = _metric(page, STALL_METRIC), _metric(page, OWN_STALL_METRIC)
        self.samples.append(Sample(at, rss, server.descriptors(), server.threads(), jobs, *stalls))

    def _replays_to_the_same(self) -> bool:
        where = ("--data-dir", str(self._server.data_dir), "--url", self._server.url)
        try:
            verb("replay", "--check", *where, "--api-key", KEY)
        except Problem as different:
            self.counts.wrong.append(str(different))
            return False
        return True


async def soak(data_dir: Path, secs: float, *, rate: float = RATE) -> Soak:
    """Run a server for so long and give what came of it."""
    with stage(data_dir, *_OPTIONS) as server:
        server.start()
        run = Soak(server, rate=rate)
        await run.run(secs)
    return run


@click.command()
@click.option("--minutes", type=float, default=60.0, show_default=True)
@click.option("--rate", type=float, default=RATE, show_default=True, help="Jobs a second.")
def main(minutes: float, rate: float) -> None:
    """Soak a server, print what was measured, and end with 1 when a bound is broken."""
    with tempfile.TemporaryDirectory(prefix="spoolog-soak-") as directory:
        run = asyncio.run(soak(Path(directory), minutes * 60, rate=rate))
    lines = run.verdict()
    broken = [line for line in lines if line.holds is False]
    table = [(line.what, line.measured, line.bound, _says(line)) for line in lines]
    rows(f"{minutes} minutes at {rate} jobs a second", ("", "measured", "bound", ""), table)
    report("soak", minutes=minutes, **{line.what: line.measured for line in lines})
    for wrong in run.counts.wrong[:5]:
        click.echo(wrong, err=True)
    sys.exit(1 if broken else 0)


def _per_hour(samples: Sequence[Sample], values: Sequence[float] | np.ndarray) -> float:
    """Give the slope of a line through the values, per hour."""
    if len(samples) < 2:
        return 0.0
    return float(np.polyfit([one.at for one in samples], values, 1)[0]) * _HOUR


def _metric(page: str, name: str) -> float:
    (value,) = (line.split()[1] for line in page.splitlines() if line.startswith(name + " "))
    return float(value)


def _word(same: Any) -> str:
    return "equal" if same else "different"


def _says(line: Line) -> str:
    return {True: "holds", False: "BROKEN", None: ""}[line.holds]


if __name__ == "__main__":
    main()
