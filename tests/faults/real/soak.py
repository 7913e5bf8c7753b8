"""A server under steady load for a long time: does anything grow, slow down, stall or drift apart?

``python -m tests.faults.real.soak --minutes 60`` prints what it measured beside its bounds, and ends
with 1 when one is broken. What this server does not have or tell is "not measured".
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

from tests.faults.figures import report
from tests.faults.real.stage import KEY, Stage, stage
from tests.faults.real.steady import Counts, Stream, every
from tools.children import verb
from tools.output import Problem, rows

RATE: Final = 500.0
SAMPLE_SECS: Final = 5.0
RSS_MIB_PER_HOUR_MAX: Final = 2.0
STALL_MS_MAX: Final = 50.0
FDS_PER_HOUR_MAX: Final = 1.0
BYTES_PER_JOB: Final = 1_600  # a finished one, with its result
STALL_METRIC: Final = "spoolog_loop_stall_seconds_max"
NOT_MEASURED: Final = "not measured"
_ALWAYS: Final = ("--retry-base-secs", "0.1", "--segment-bytes", str(4 * 2**20))
_WHERE_THERE: Final = {"--keep-finished": "60s", "--snapshot-records": "50000"}
_COMPRESS_EVERY_SECS: Final = 60.0
_HOUR: Final = 3_600.0
_SETTLED: Final = 0.2  # the first fifth is not judged


class Sample(Struct, frozen=True):
    """The server at one moment."""

    at: float
    rss_bytes: int
    descriptors: int
    threads: int
    jobs: int
    stall_secs: float | None


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
        self._server = server
        self._stream = Stream(server.url, rate)
        self._compressing = _has("log", "compress")

    @property
    def counts(self) -> Counts:
        return self._stream.counts

    async def run(self, secs: float) -> None:
        """Load it for so long, let it finish its work, and compare it with its log."""
        over = self._stream.over
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stream.run())
            group.create_task(every(SAMPLE_SECS, over, self._sample))
            if self._compressing:
                group.create_task(every(_COMPRESS_EVERY_SECS, over, self._compress))
            await asyncio.sleep(secs)
            over.set()
        self.same_digest = await asyncio.to_thread(self._replays_to_the_same)

    def verdict(self) -> list[Line]:
        """Hold what was measured against its bounds."""
        settled = self.samples[int(len(self.samples) * _SETTLED) :]
        fds = _per_hour(settled, [one.descriptors for one in settled])
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
            Line("descriptors growth, 1/h", fds, f"{FDS_PER_HOUR_MAX}", fds <= FDS_PER_HOUR_MAX),
            Line("threads at the end", self.samples[-1].threads, "", None),
            *self._latencies(),
            self._stall(),
            *(Line(f"with {name}", NOT_MEASURED, "", None) for name in _missing()),
        ]

    def _latencies(self) -> list[Line]:
        took, tenth = np.array(self.counts.took) * 1_000, max(len(self.counts.took) // 10, 1)
        return [
            Line(f"{name} of the {which} tenth, ms", float(np.percentile(part, percent)), "", None)
            for name, percent in (("p50", 50), ("p99", 99))
            for which, part in (("first", took[:tenth]), ("last", took[-tenth:]))
        ]

    def _stall(self) -> Line:
        told = [one.stall_secs for one in self.samples if one.stall_secs is not None]
        bound = f"{STALL_MS_MAX}"
        if not told:
            return Line("largest stall of the loop, ms", NOT_MEASURED, bound, None)
        stall_ms = max(told) * 1_000
        return Line("largest stall of the loop, ms", stall_ms, bound, stall_ms <= STALL_MS_MAX)

    async def _sample(self) -> None:
        server = self._server
        async with aiohttp.ClientSession(server.url) as session:
            headers = {"Authorization": f"Bearer {KEY}"}
            async with session.get("/api/v1/jobs/stats", headers=headers) as answer:
                jobs = (await answer.json())["total"]
            async with session.get("/metrics") as answer:
                stall = _metric(await answer.text()) if answer.status == 200 else None
        at, rss = time.monotonic(), server.rss_bytes()
        self.samples.append(Sample(at, rss, server.descriptors(), server.threads(), jobs, stall))

    async def _compress(self) -> None:
        await asyncio.to_thread(verb, "log", "compress", "--data-dir", str(self._server.data_dir))

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
    there = [name for name in _WHERE_THERE if name not in _missing()]
    extra = [word for name in there for word in (name, _WHERE_THERE[name])]
    with stage(data_dir, *_ALWAYS, *extra) as server:
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


def _metric(text: str) -> float | None:
    found = [line.split()[1] for line in text.splitlines() if line.startswith(STALL_METRIC + " ")]
    return float(found[0]) if found else None


def _missing() -> list[str]:
    """Give the options that this server does not have."""
    told = verb("serve", "--help").decode()
    return [name for name in _WHERE_THERE if f"{name} " not in told]


def _has(*words: str) -> bool:
    return f"\n  {words[-1]} " in verb(*words[:-1], "--help").decode()


def _word(same: Any) -> str:
    return "equal" if same else "different"


def _says(line: Line) -> str:
    return {True: "holds", False: "BROKEN", None: ""}[line.holds]


if __name__ == "__main__":
    main()
