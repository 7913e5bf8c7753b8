"""A log that lags and a disk that fills: what is refused, that it changed nothing, and that it ends."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import Raw

from eventlog import MemoryLog
from projections.decide import Caller, claims, jobs, settlements
from projections.digest import digest
from projections.specs import Claim, Completion, NewJob
from server import timekeeper
from server.engine import Engine
from server.http.route import Route
from server.http.routes import ROUTES
from server.pressure import (
    STUCK_SECS,
    Overloaded,
    Pressure,
    StorageFull,
    free_bytes_of,
    watch_log,
    watch_space,
)
from server.startup import replayed
from server.timekeeper import keep_time
from tests.server import examples
from tests.server.examples import WRITES, example_of, perform, stocked
from tests.server.harness import (
    API,
    ME,
    Answer,
    Face,
    an_engine,
    assert_refused,
    background,
    started,
    turns,
    until,
)

RESERVE: Final = 1_000
CALLER: Final = Caller("default", "key_test", "req")
READS: Final = [route for route in ROUTES if route.method == "GET"]
FINISHING: Final = {
    f"POST {API}{path}"
    for path in (
        *("/jobs/{id}/complete", "/jobs/{id}/fail", "/jobs/{id}/heartbeat"),
        *("/jobs/bulk/complete", "/jobs/bulk/fail"),
        *("/workers/{id}/heartbeat", "/workers/{id}/deregister"),
    )
}
commands = pytest.mark.parametrize("route", WRITES, ids=examples.name)


@pytest.fixture
async def small(aiohttp_client: Any) -> Face:
    """A server with little room for what is not durable, and a small reserve on its disk."""
    return await started(aiohttp_client, pending_bytes_max=1_000, disk_reserve_bytes=RESERVE)


async def lagging(face: Face) -> list[asyncio.Task[Answer]]:
    """Hold the log until it is over its limit; give the requests that wait for it."""
    face.log.hold()
    asking = []
    while not face.service.pressure.overloaded:
        asking.append(background(face.post("/jobs", {"queue_name": "else", "payload": "x" * 300})))
        await until(lambda: len(face.log._waiters) == len(asking))
    return asking


def assert_not_now(answer: Answer, status: int, code: str, secs: str) -> None:
    assert_refused(answer, status, code)
    assert answer.headers["Retry-After"] == secs


@commands
async def test_log_that_lags_refuses_every_command_at_once(small: Face, route: Route) -> None:
    stock = await stocked(small)
    asking = await lagging(small)
    before = small.footprint()
    assert_not_now(await perform(small, stock, route), 503, "OVERLOADED", "1")
    assert small.footprint() == before
    assert (await small.ask("GET", "/health")).json["status"] == "degraded"
    assert small.service.pressure.overloaded_refusals == 1
    small.log.release()
    assert {(await one).status for one in asking} == {201}
    assert (await perform(small, stock, route)).status == example_of(route).status


async def test_claim_that_waits_is_told_of_the_overload(small: Face) -> None:
    body = {"queue_name": "mail", "worker_id": ME, "wait_secs": 20}
    waiting = background(small.post("/jobs/claim", body))
    await until(lambda: len(small.service.waiting) == 1)
    small.log.hold()
    created = background(small.post("/jobs", {"queue_name": "mail", "payload": "x" * 1_000}))
    assert_not_now(await waiting, 503, "OVERLOADED", "1")
    small.log.release()
    job_id = (await created).json["id"]
    assert [job["id"] for job in await small.claim()] == [job_id]


@commands
async def test_disk_that_is_almost_full_lets_running_work_finish(small: Face, route: Route) -> None:
    stock = await stocked(small)
    small.service.pressure.found_free(RESERVE - 1)
    before = small.footprint()
    answer = await perform(small, stock, route)
    if examples.name(route) in FINISHING:
        assert answer.status == example_of(route).status
        return
    assert_not_now(answer, 507, "STORAGE_FULL", "30")
    assert small.footprint() == before
    assert small.service.pressure.storage_full_refusals == 1
    small.service.pressure.found_free(RESERVE)
    assert (await perform(small, stock, route)).status == example_of(route).status


@commands
async def test_disk_that_is_full_refuses_every_command(small: Face, route: Route) -> None:
    stock = await stocked(small)
    small.service.pressure.found_free(RESERVE // 2 - 1)
    before = small.footprint()
    assert_not_now(await perform(small, stock, route), 507, "STORAGE_FULL", "30")
    assert small.footprint() == before
    small.service.pressure.found_free(RESERVE)
    assert (await perform(small, stock, route)).status == example_of(route).status


async def test_reads_go_on_without_space(small: Face) -> None:
    stock = await stocked(small)
    small.service.pressure.found_free(0)
    for route in READS:
        answer = await perform(small, stock, route)
        expected = 503 if route.path == "/health/ready" else example_of(route).status
        assert answer.status == expected, route.path


@pytest.mark.parametrize(
    ("free", "health", "ready"),
    [(RESERVE, "healthy", 200), (RESERVE - 1, "degraded", 503), (0, "degraded", 503)],
)
async def test_health_tells_of_the_disk(small: Face, free: int, health: str, ready: int) -> None:
    small.service.pressure.found_free(free)
    told = await small.ask("GET", "/health", key=None)
    assert (told.status, told.json["status"]) == (200, health)
    answer = await small.ask("GET", "/health/ready", key=None)
    assert answer.status == ready
    assert answer.json["status"] == ("ready" if ready == 200 else "storage_full")


async def test_action_that_runs_out_of_space_can_be_asked_for_again(
    small: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.bounds.JOBS_PER_RECORD_MAX", 2)
    ids = [await small.create() for _ in range(6)]
    pressure = small.service.pressure
    parts = 0

    def filling(record: object) -> None:
        nonlocal parts
        parts += 1
        if parts == 2:
            pressure.found_free(0)

    small.engine.listeners.append(filling)
    action = {"action": "cancel", "filter": {"queue_name": "mail"}}
    assert_not_now(await small.post("/jobs/actions", action), 507, "STORAGE_FULL", "30")
    assert [(await small.job(one))["status"] for one in ids] == ["cancelled"] * 4 + ["pending"] * 2
    pressure.found_free(RESERVE)
    assert (await small.post("/jobs/actions", action)).json["affected"] == 2


async def test_action_waits_for_the_disk_rather_than_overload_it(
    aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.bounds.JOBS_PER_RECORD_MAX", 1)
    monkeypatch.setattr("server.actions._PENDING_BYTES_MAX", 1)
    face = await started(aiohttp_client)
    for _ in range(3):
        await face.create()
    face.log.hold()
    before = face.log.last
    asking = background(
        face.post("/jobs/actions", {"action": "cancel", "filter": {"queue_name": "mail"}})
    )
    await until(lambda: face.log._waiters)
    await turns()
    assert face.log.last == before + 1
    face.log.release()
    assert (await asking).json["affected"] == 3


# -- without HTTP


async def under(log: MemoryLog | None = None, pending_bytes_max: int = 1 << 20) -> Any:
    """Make an engine that has one job claimed, and its pressure."""
    engine = await an_engine(log=log)
    engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    spec = Claim(queue_name="q", worker_id=ME, lease_duration_secs=5)
    (job,) = engine.execute(claims.claim, CALLER, spec).answer
    await engine.durable(engine.log.last)
    pressure = Pressure(engine.log, pending_bytes_max=pending_bytes_max, disk_reserve_bytes=RESERVE)
    engine.admission = pressure.admit
    return engine, pressure, job


def footprint(engine: Engine) -> tuple[str, int]:
    return digest(engine.state), engine.log.last


async def test_what_is_due_waits_with_the_command_that_is_refused() -> None:
    engine, pressure, job = await under()
    engine._clock.advance(6)
    pressure.found_free(RESERVE // 2 - 1)
    before = footprint(engine)
    for work in (
        lambda: engine.execute(settlements.complete, CALLER, job, Completion(worker_id=ME)),
        lambda: engine.execute(claims.claim, CALLER, Claim(queue_name="q", worker_id="w2")),
        lambda: engine.perform_duties(100),
    ):
        with pytest.raises(StorageFull):
            work()
    assert footprint(engine) == before
    pressure.found_free(RESERVE // 2)
    assert engine.perform_duties(100) == 1
    assert engine.state.tables.jobs[job].retry_count == 1


async def test_duties_wait_for_a_log_that_lags() -> None:
    log = MemoryLog()
    engine, _, _ = await under(log, 1)
    log.hold()
    engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    engine._clock.advance(6)
    before = footprint(engine)
    with pytest.raises(Overloaded):
        engine.perform_duties(100)
    assert footprint(engine) == before
    log.release()
    assert engine.perform_duties(100) == 1


async def test_claim_is_taken_back_even_when_the_log_lags() -> None:
    log = MemoryLog()
    engine, pressure, job = await under(log, 1)
    lease = engine.state.tables.jobs[job].lease
    log.hold()
    engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    assert pressure.overloaded
    engine.execute(settlements.release, CALLER, ((job, lease),))
    assert engine.state.tables.jobs[job].status == "pending"
    log.release()


async def test_timekeeper_tries_again_until_there_is_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeper, "_SLEEP_SECS_MAX", 0)
    engine, pressure, job = await under()
    pressure.found_free(0)
    engine._clock.advance(6)
    before = footprint(engine)
    keeping = asyncio.create_task(keep_time(engine))
    await until(lambda: pressure.storage_full_refusals > 3)
    assert footprint(engine) == before
    pressure.found_free(RESERVE)
    await until(lambda: engine.state.tables.jobs[job].status == "pending")
    keeping.cancel()
    await engine.durable(engine.log.last)
    assert digest(await replayed(engine.log)) == digest(engine.state)


async def test_disk_is_looked_at_again_and_again() -> None:
    engine, pressure, _ = await under()
    free = [RESERVE, 5, OSError("no such disk"), OSError("still not"), 7, RESERVE]
    seen: list[tuple[int | None, bool]] = []

    def look() -> int:
        seen.append((pressure.free_bytes, pressure.storage_full))
        found = free.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    watching = asyncio.create_task(watch_space(pressure, look, every_secs=0))
    with pytest.raises(IndexError):  # there is no more to see
        await watching
    assert seen == [
        *((None, False), (RESERVE, False), (5, True), (5, True), (5, True)),
        *((7, True), (RESERVE, False)),
    ]
    assert engine.admission is not None


@pytest.mark.parametrize("secs", [1, 2])
async def test_disk_that_takes_nothing_is_stuck_after_a_while(secs: int) -> None:
    log = MemoryLog()
    engine, pressure, _ = await under(log)
    log.hold()
    looks = [n * secs * 1_000_000 for n in range(100, 120)]
    pressure.saw_log(looks.pop(0))
    assert pressure.stuck_secs == 0, "there is nothing to write"
    engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    told = []
    while not pressure.stuck:
        pressure.saw_log(looks.pop(0))
        told.append(pressure.stuck_secs)
    assert told == [secs * n for n in range(1, len(told) + 1)]
    assert told[-2] <= STUCK_SECS < told[-1]
    log.release()
    pressure.saw_log(looks.pop(0))
    assert not pressure.stuck


async def test_disk_that_gets_on_is_not_stuck() -> None:
    log = MemoryLog()
    engine, pressure, _ = await under(log)
    for second in range(20):
        log.hold()
        engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
        pressure.saw_log(second * 1_000_000)
        pressure.saw_log(second * 1_000_000 + 500_000)
        assert pressure.stuck_secs <= 1.5
        log.release()
        log.hold()
        engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    log.release()


async def test_process_that_was_stopped_has_no_stuck_disk() -> None:
    log = MemoryLog()
    engine, pressure, _ = await under(log)
    log.hold()
    engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    pressure.saw_log(0)
    pressure.saw_log(1_000_000)
    pressure.saw_log(3_600_000_000)
    assert pressure.stuck_secs < STUCK_SECS
    log.release()


@pytest.mark.parametrize(("allowed", "ends"), [(3.0, True), (0.0, False)])
async def test_stuck_disk_is_told_to_the_process(
    monkeypatch: pytest.MonkeyPatch, allowed: float, ends: bool
) -> None:
    monkeypatch.setattr("server.pressure.LOOK_SECS", 0)
    log = MemoryLog()
    engine, pressure, _ = await under(log)
    log.hold()
    engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"1")))
    pressure.saw_log(0)
    told: list[float] = []
    watching = asyncio.create_task(watch_log(pressure, allowed, told.append))
    pressure.stuck_secs = 3.0
    await turns()
    assert told == []
    pressure.stuck_secs = 3.1
    await turns(3)
    assert (told[:1] == [3.1]) == ends
    watching.cancel()
    log.release()


async def test_readiness_tells_of_a_stuck_disk(small: Face) -> None:
    small.service.pressure.stuck_secs = STUCK_SECS + 1
    ready = await small.ask("GET", "/health/ready", key=None)
    assert (ready.status, ready.json) == (503, {"status": "stuck_disk"})
    assert (await small.ask("GET", "/health")).json["status"] == "degraded"


def test_free_space_of_a_real_directory(tmp_path: Path) -> None:
    assert free_bytes_of(tmp_path) > 0
    with pytest.raises(FileNotFoundError):
        free_bytes_of(tmp_path / "missing")
