"""A log that fails, a server on its way out, and a timekeeper that dies."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from eventlog import LogFailed, LogStat, MemoryLog
from server.app import serve
from server.engine import Engine
from server.http.route import Route
from server.http.routes import ROUTES
from server.settings import Settings
from tests.server import examples
from tests.server.examples import WRITES, perform, stocked
from tests.server.harness import (
    API,
    KEY,
    ME,
    SECRET,
    Answer,
    Face,
    an_engine,
    assert_refused,
    background,
    started,
    turns,
    until,
)

STREAMS = [route for route in ROUTES if "/events" in route.path]


class FailingLog(MemoryLog):
    """A log whose disk breaks when told to, as a file's does: for good."""

    failed: LogFailed | None = None

    def fail(self) -> None:
        self.failed = LogFailed(errno.EIO, Path("/data/log/1"))
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set_exception(self.failed)

    def append(self, position: int, body: bytes) -> None:
        if self.failed is not None:
            raise self.failed
        super().append(position, body)

    def stat(self) -> LogStat:
        return structs.replace(super().stat(), failed=self.failed is not None)

    async def durable(self, position: int) -> None:
        if self.failed is not None and position > self.durable_position:
            raise self.failed
        await super().durable(position)


@pytest.fixture
async def failing(aiohttp_client: Any) -> Face:
    return await started(aiohttp_client, log=FailingLog())


def fail(face: Face) -> None:
    assert isinstance(face.log, FailingLog)
    face.log.fail()


def assert_storage_failed(answer: Answer) -> None:
    assert_refused(answer, 503, "STORAGE_FAILED")
    assert answer.headers["X-API-Version"] == "1"


@pytest.mark.parametrize("route", WRITES, ids=examples.name)
async def test_write_that_the_log_refuses_changes_nothing(failing: Face, route: Route) -> None:
    stock = await stocked(failing)
    await failing.post("/queues/mail/pause")
    if route.path.endswith("/claim"):
        await failing.post("/queues/mail/resume")
    fail(failing)
    before = failing.footprint()
    assert_storage_failed(await perform(failing, stock, route))
    assert failing.footprint() == before


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if not route.open and route not in STREAMS],
    ids=examples.name,
)
async def test_answer_that_waits_when_the_log_fails(failing: Face, route: Route) -> None:
    stock = await stocked(failing)
    failing.log.hold()
    await_create = background(failing.post("/jobs", {"queue_name": "else", "payload": 1}))
    await until(lambda: failing.log._waiters)
    asking = background(perform(failing, stock, route))
    await until(lambda: len(failing.log._waiters) == 2)
    await turns()
    assert not asking.done()
    fail(failing)
    assert_storage_failed(await asking)
    assert_storage_failed(await await_create)


@pytest.mark.parametrize("route", STREAMS[1:], ids=examples.name)
async def test_stream_that_waits_breaks_off_when_the_log_fails(failing: Face, route: Route) -> None:
    stock = await stocked(failing)
    failing.log.hold()
    creating = background(failing.post("/jobs", {"queue_name": "else", "payload": 1}))
    await until(lambda: failing.log._waiters)
    listening = background(perform(failing, stock, route))
    await until(lambda: len(failing.log._waiters) == 2)
    fail(failing)
    with pytest.raises(aiohttp.ClientPayloadError):
        await listening
    assert_storage_failed(await creating)


@pytest.mark.parametrize("path", ["/jobs/nobody", "/queues/.x"])
async def test_refusal_that_waits_when_the_log_fails(failing: Face, path: str) -> None:
    failing.log.hold()
    creating = background(failing.post("/jobs", {"queue_name": "else", "payload": 1}))
    await until(lambda: failing.log._waiters)
    asking = background(failing.get(path))
    await until(lambda: len(failing.log._waiters) == 2)
    fail(failing)
    assert_storage_failed(await asking)
    assert_storage_failed(await creating)


async def test_draining(face: Face) -> None:
    job_id = await face.create()
    face.service.draining = True
    before = face.footprint()
    assert await face.claim(limit=100) == []
    ready = await face.ask("GET", "/health/ready", key=None)
    assert (ready.status, ready.json) == (503, {"status": "draining"})
    health = await face.ask("GET", "/health", key=None)
    assert (health.status, health.json["status"]) == (200, "degraded")
    assert face.footprint() == before
    assert_refused(await face.post("/jobs/claim", {"queue_name": "mail"}), 422, "VALIDATION_ERROR")
    assert (await face.job(job_id))["status"] == "pending"
    assert await face.create()


async def test_draining_lets_workers_settle(face: Face) -> None:
    job_id = await face.create()
    (claimed,) = await face.claim()
    face.service.draining = True
    await face.settle("heartbeat", job_id, lease_id=claimed["lease_id"])
    await face.settle("complete", job_id, lease_id=claimed["lease_id"], worker_id=ME)


class Serving:
    """`serve` on a port of its own."""

    def __init__(self, engine: Any) -> None:
        self.stop = asyncio.Event()
        self.listening = asyncio.Event()
        self.address = ("", 0)
        settings = Settings(port=0, drain_secs=30)
        self.task = asyncio.create_task(
            serve(engine, settings, SECRET, stop=self.stop, on_listening=self._listens)
        )

    def _listens(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.listening.set()

    async def post(self, path: str, body: Any) -> int:
        host, port = self.address
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{host}:{port}{API}{path}", json=body, headers=headers) as answer,
        ):
            return answer.status


async def test_dead_timekeeper_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = await an_engine()
    serving = Serving(engine)
    await serving.listening.wait()
    await until(lambda: engine.on_next_due is not None)

    def broken(engine: Engine, limit: int) -> int:
        raise RuntimeError("the timekeeper broke")

    monkeypatch.setattr(Engine, "perform_duties", broken)
    assert engine.on_next_due is not None
    engine.on_next_due()
    with pytest.raises(RuntimeError, match="the timekeeper broke"):
        await serving.task
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(*serving.address)


async def test_failed_log_ends_the_server_when_something_is_due() -> None:
    log = FailingLog()
    engine = await an_engine(log=log)
    serving = Serving(engine)
    await serving.listening.wait()
    soon = {"queue_name": "q", "payload": 1, "scheduled_at": "2099-01-01T00:00:00Z"}
    assert await serving.post("/jobs", soon) == 201
    log.fail()
    engine._clock.now_us = 1 << 52  # type: ignore[attr-defined]
    assert engine.on_next_due is not None
    engine.on_next_due()
    with pytest.raises(LogFailed):
        await serving.task


async def test_stopping_lets_running_requests_finish() -> None:
    log = MemoryLog()
    serving = Serving(await an_engine(log=log))
    await serving.listening.wait()
    await turns()
    log.hold()
    posting = asyncio.create_task(serving.post("/jobs", {"queue_name": "q", "payload": 1}))
    await until(lambda: log._waiters)
    serving.stop.set()
    await turns()
    assert not serving.task.done()
    log.release()
    assert await posting == 201
    await serving.task
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(*serving.address)


async def test_health_tells_that_the_log_has_failed(failing: Face) -> None:
    assert (await failing.ask("GET", "/health/ready")).status == 200
    failing.log.hold()
    stuck = background(failing.post("/jobs", {"queue_name": "else", "payload": 1}))
    await until(lambda: failing.log._waiters)
    fail(failing)
    assert_storage_failed(await stuck)
    answer = await failing.ask("GET", "/health")
    assert (answer.status, answer.json["status"], answer.json["database"]) == (
        200,
        "unhealthy",
        False,
    )
    assert_storage_failed(await failing.ask("GET", "/health/ready"))
    assert (await failing.ask("GET", "/health/live")).status == 200
