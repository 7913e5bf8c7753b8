"""What open dashboards cost the server: its processor time under load, without and with ten of them.

A machine is never quiet, so the two are measured in turn, many times, and each stretch with
dashboards is compared with the stretches without any before and behind it.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct, field, json

from tools.bench import manyjobs
from tools.bench.pace import Kept, Pace
from tools.bench.report import Figure
from tools.bench.screens import SCREENS, Screen, Visit
from tools.children import Child, running, serving
from tools.output import Advance, Problem, progress

TARGET_PERCENT: Final = 5.0
_KEY: Final = "sp_live_a-key-for-this-measurement-only"
_WATCHED: Final = "watched"
"""A queue that the load leaves alone, so that its job goes on waiting."""
_SETTLE_SECS: Final = 1.0
_PATIENCE_SECS: Final = 60
_USER_FIELD, _SYSTEM_FIELD = 11, 12  # of /proc/PID/stat, behind the name


class Asked(Struct, frozen=True):
    """How it is measured."""

    jobs: int
    events_per_sec: int
    dashboards: int
    seconds: float
    rounds: int

    @property
    def command(self) -> str:
        """Give what measures the same again."""
        return (
            f"spoolog bench dashboards --jobs {self.jobs} --events-per-sec {self.events_per_sec}"
            f" --dashboards {self.dashboards} --seconds {self.seconds:g} --rounds {self.rounds}"
        )


class Measured(Struct):
    """Per cent of a core, each time: without dashboards, and what those of each screen added."""

    without: list[float] = field(default_factory=list)
    added: dict[str, list[float]] = field(default_factory=dict)
    loads_ms: dict[str, list[float]] = field(default_factory=dict)

    def of(self, screen: str) -> float:
        """Give what this screen added, in the middle of all rounds."""
        return statistics.median(self.added[screen])


def measure(asked: Asked, screens: Sequence[str]) -> list[Figure]:
    """Put a server with so many jobs under load, and look at it.

    Raises:
        Problem: server or load failed, or this system does not tell the time of a process.

    """
    with tempfile.TemporaryDirectory(prefix="spoolog-bench-") as folder:
        data_dir = Path(folder) / "data"
        with progress("creating jobs", asked.jobs) as advance:
            manyjobs.write(data_dir, asked.jobs, advance)
        with serving(data_dir, _KEY) as server, running("tools.bench.pace", stdin=True) as load:
            url = server.listening_url()
            _begin(load, url, asked.events_per_sec)
            total = asked.rounds * len(screens)
            with progress("measuring", total) as advance:
                measured = asyncio.run(_measured(server, load, url, asked, screens, advance))
            kept = json.decode(load.output(b"", _PATIENCE_SECS), type=Kept)
    return _figures(asked, measured, kept)


def _begin(load: Child, url: str, events_per_sec: int) -> None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    assert load.process.stdin is not None
    pace = Pace(parts.hostname, parts.port, _KEY, list(manyjobs.QUEUES), events_per_sec)
    load.process.stdin.write(json.encode(pace) + b"\n")
    load.process.stdin.flush()


async def _measured(  # noqa: PLR0917 - one step of `measure`
    server: Child, load: Child, url: str, asked: Asked, screens: Sequence[str], advance: Advance
) -> Measured:
    found = Measured()
    async with _session(url) as session:
        job = await _waiting_job(session)
        before = await _percent(server, asked.seconds)
        found.without.append(before)
        for done, name in enumerate(list(screens) * asked.rounds, 1):
            visits = [Visit(session, manyjobs.QUEUES[0], job) for _ in range(asked.dashboards)]
            async with _open(SCREENS[name], visits):
                during = await _percent(server, asked.seconds)
            after = await _percent(server, asked.seconds)
            found.without.append(after)
            found.added.setdefault(name, []).append(during - (before + after) / 2)
            found.loads_ms.setdefault(name, []).extend(ms for one in visits for ms in one.loads_ms)
            before = after
            load.check()
            advance(done, None)
    return found


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {_KEY}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        yield session


async def _waiting_job(session: aiohttp.ClientSession) -> str:
    body = {"queue_name": _WATCHED, "payload": {"to": "someone@example.com"}}
    async with session.post("/api/v1/jobs", json=body) as answer:
        answer.raise_for_status()
        created: str = (await answer.json())["id"]
        return created


@asynccontextmanager
async def _open(screen: Screen, visits: Sequence[Visit]) -> AsyncIterator[None]:
    """Keep a screen open for everybody, at moments that are evenly apart."""
    tasks = [
        asyncio.create_task(screen.watch(visit, screen.rest_secs * index / len(visits)))
        for index, visit in enumerate(visits)
    ]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert not ended, "a dashboard stays open"


async def _percent(server: Child, seconds: float) -> float:
    """Give what part of a core the server uses for a while, once it does what it will do."""
    await asyncio.sleep(min(_SETTLE_SECS, seconds))
    began, used = time.perf_counter(), _used_secs(server)
    await asyncio.sleep(seconds)
    return 100 * (_used_secs(server) - used) / (time.perf_counter() - began)


def _used_secs(server: Child) -> float:
    """Give the processor time that the server has used, without the processes it started."""
    server.check()
    try:
        told = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError as missing:
        raise Problem("the time of a process is only told where there is a /proc") from missing
    fields = told.rpartition(")")[2].split()
    return (int(fields[_USER_FIELD]) + int(fields[_SYSTEM_FIELD])) / os.sysconf("SC_CLK_TCK")


def _figures(asked: Asked, measured: Measured, kept: Kept) -> list[Figure]:
    figures = []
    if "overview" in measured.added:
        figures.append(_figure("overview", asked, measured, _details(asked, measured, kept)))
    others = [name for name in measured.added if name != "overview"]
    if others:
        worst = max(others, key=measured.of)
        details = {} if figures else _details(asked, measured, kept)
        figures.append(_figure(worst, asked, measured, details))
    return figures


def _figure(screen: str, asked: Asked, measured: Measured, details: dict[str, object]) -> Figure:
    what = screen if screen == "overview" else f"{screen}, the dearest other screen"
    return Figure(
        name=f"what {asked.dashboards} open dashboards take of a core ({what})",
        value=round(measured.of(screen), 2),
        unit="%",
        target=TARGET_PERCENT,
        better="less",
        command=asked.command,
        details=details,
    )


def _details(asked: Asked, measured: Measured, kept: Kept) -> dict[str, object]:
    details: dict[str, object] = {
        "jobs": asked.jobs,
        "events per second": round(kept.events_per_sec),
        "create, claim, complete ms": f"p50 {kept.p50_ms:.0f}, p99 {kept.p99_ms:.0f}",
        "server without dashboards, % of a core": _spread(measured.without),
    }
    for name, added in measured.added.items():
        times = sorted(measured.loads_ms[name])
        details[f"{name}: % of a core"] = _spread(added)
        details[f"{name}: loads"] = (
            f"{len(times)}, p50 {times[len(times) // 2]:.0f} ms, longest {times[-1]:.0f} ms"
            if times
            else "none"
        )
    return details


def _spread(values: Sequence[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:.1f} (from {min(values):.1f} to {max(values):.1f}, {len(values)} times)"
