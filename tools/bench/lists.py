"""How long a page of a long job list takes, for every filter and order, and how long it holds up others.

The server and the client that asks it share one process and one event loop, over real HTTP; a
ticker on the same loop measures by how much it comes late, which is the longest that anything ran
without letting others in.
"""

import asyncio
import gc
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from typing import Final

import aiohttp
from aiohttp import web
from msgspec import Struct

from eventlog import MemoryLog
from projections.decide import Policy, access
from projections.moments import to_text
from projections.state import State
from server import ids
from server.access import new_key
from server.app import build_app
from server.clock import WallClock
from server.engine import SYSTEM, Engine
from spoolog.folding import without_gc
from tools.bench import manyjobs
from tools.bench.report import Figure
from tools.output import progress

TARGET_MS: Final = 20.0
_KEY: Final = "sp_test_of_the_list_bench"
_TICK_SECS: Final = 0.001
_WARM_UP: Final = 5


class Asked(Struct, frozen=True):
    """One kind of question; a `first` one is asked once, and finds nothing prepared."""

    name: str
    query: str
    first: bool = False


class Answered(Struct, frozen=True):
    """How it was answered, in milliseconds."""

    asked: Asked
    p50: float
    p99: float
    block: float


def measure(jobs: int, requests: int) -> list[Figure]:
    """Ask every question `requests` times of a server with so many jobs."""
    found = asyncio.run(_measure(jobs, requests))
    command = f"spoolog bench lists --jobs {jobs} --requests {requests}"
    details: dict[str, object] = {
        one.asked.name: f"p50 {one.p50:.2f} ms, p99 {one.p99:.2f} ms, longest block {one.block:.2f} ms"
        for one in found
    }
    prepared = [one for one in found if not one.asked.first]
    return [
        Figure(
            name="slowest p99 of a page by any filter and order",
            value=round(max(one.p99 for one in prepared), 2),
            unit="ms",
            target=TARGET_MS,
            better="less",
            command=command,
            details=details,
        ),
        Figure(
            name="longest block of the loop by any list, the first ones included",
            value=round(max(one.block for one in found), 2),
            unit="ms",
            target=TARGET_MS,
            better="less",
            command=command,
        ),
    ]


async def _measure(jobs: int, requests: int) -> list[Answered]:
    engine, secret = await _engine()
    with progress("creating jobs", jobs) as advance, without_gc():
        await manyjobs.fill(engine, jobs, advance)
    gc.collect()
    gc.freeze()  # as a server does after its start
    try:
        async with _served(engine, secret) as session:
            questions = _questions(engine)
            with progress("asking", len(questions)) as advance:
                return [
                    await _ask(session, one, requests, partial(advance, done, len(questions)))
                    for done, one in enumerate(questions, 1)
                ]
    finally:
        gc.unfreeze()


async def _ask(
    session: aiohttp.ClientSession, asked: Asked, requests: int, tell: Callable[[], None]
) -> Answered:
    count = 1 if asked.first else requests
    for _ in range(0 if asked.first else _WARM_UP):
        await _page(session, asked.query)
    late = _Lateness()
    ticker = asyncio.create_task(late.watch())
    times = [await _page(session, asked.query) for _ in range(count)]
    ticker.cancel()
    with suppress(asyncio.CancelledError):
        await ticker
    times.sort()
    tell()
    return Answered(asked, times[count // 2], times[min(int(count * 0.99), count - 1)], late.worst)


async def _page(session: aiohttp.ClientSession, query: str) -> float:
    began = time.perf_counter()
    async with session.get(f"/api/v1/jobs?{query}") as answer:
        await answer.read()
        assert answer.status == web.HTTPOk.status_code
    return (time.perf_counter() - began) * 1_000


class _Lateness:
    """By how many milliseconds a ticker came late at worst."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_TICK_SECS)
            late = time.perf_counter() - before - _TICK_SECS
            self.worst = max(self.worst, late * 1_000)


async def _engine() -> tuple[Engine, bytes]:
    log, clock, secret = MemoryLog(), WallClock(), secrets.token_bytes(32)
    await log.begin()
    engine = Engine(State(), log, clock, ids.uuid7_source(clock), Policy())
    engine.execute(access.bootstrap, SYSTEM, new_key(secret, "bench", _KEY))
    return engine, secret


@asynccontextmanager
async def _served(engine: Engine, secret: bytes) -> AsyncIterator[aiohttp.ClientSession]:
    runner = web.AppRunner(build_app(engine, secret), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        headers = {"Authorization": f"Bearer {_KEY}"}
        async with aiohttp.ClientSession(f"http://{host}:{port}", headers=headers) as session:
            yield session
    finally:
        await runner.cleanup()


def _questions(engine: Engine) -> list[Asked]:
    jobs = list(islice(reversed(engine.state.tables.jobs.values()), 1))
    newest, total = jobs[0], len(engine.state.tables.jobs)
    moment = to_text(newest.created_at)
    oldest = to_text(next(iter(engine.state.tables.jobs.values())).created_at)
    plain = {
        "the newest": "limit=100",
        "the oldest": "order_dir=asc&limit=100",
        "one status": "status=processing",
        "a rare status": "status=deadletter&order_dir=asc",
        "a status that none has": "status=failed",
        "one queue": "queue_name=queue-07",
        "no such queue": "queue_name=nowhere",
        "queue and status": "queue_name=queue-07&status=pending",
        "queue and job type that exclude each other": "queue_name=queue-07&job_type=send-mail",
        "a tag that all have": "tag=all",
        "a rare tag": "tag=urgent",
        "a rare tag and a status": "tag=urgent&status=cancelled",
        "a common tag and nothing else": "tag=all&status=failed&job_type=charge",
        "a job type": "job_type=charge",
        "job type and tag that exclude each other": "job_type=resize&tag=urgent",
        "text in names": "q=charge",
        "the start of an id": f"q={newest.id[:9]}",
        "a whole id": f"q={newest.id}",
        "text that is nowhere": "q=zzz",
        "created before the first": f"created_before={oldest}",
        "created after the last": f"created_after={moment}",
        "an offset in the middle": f"offset={total // 2}",
        "an offset in the middle of a status": f"status=pending&offset={total // 8}",
        "a payload that many have": "contains=example.com",
    }
    orders = ("updated_at", "scheduled_at", "completed_at", "priority", "status", "queue_name")
    for order in (*orders, "retry_count"):
        for direction in ("asc", "desc"):
            plain[f"by {order}, {direction}"] = f"order_by={order}&order_dir={direction}"
    plain["by priority, in one queue"] = "order_by=priority&queue_name=queue-07&status=pending"
    plain["by updated_at, with a tag"] = "order_by=updated_at&tag=all"
    first = {
        "the first text in names after a start": "q=zzz",
        "the first text in payloads after a start": "contains=nobody@nowhere",
    }
    plain["a payload of one job"] = f"contains=user{total - 1}@"
    plain["a payload that is nowhere"] = "contains=nobody@nowhere"
    plain["a payload that is nowhere in one queue"] = "contains=nobody@nowhere&queue_name=queue-07"
    plain["an error of some"] = "error=such+user"
    plain["an error that is nowhere"] = "error=nothing+such"
    plain["a kind of error"] = "error_signature=job+%3Cn%3E+timed+out"
    plain["a kind of error, by priority"] = (
        "error_signature=no+such+user:+%3Cn%3E&order_by=priority"
    )
    plain["by priority, far down"] = f"order_by=priority&offset={total // 2}"
    return [
        *(Asked(name, query, first=True) for name, query in first.items()),
        *(Asked(name, query) for name, query in plain.items()),
    ]
