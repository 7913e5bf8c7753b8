"""Finished jobs leave by the timekeeper's hand: in batches, in time, and never in a command's way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from eventlog import MemoryLog
from projections.decide import Policy, jobs
from projections.digest import digest
from projections.events import JobRetired, Record
from projections.moments import EPOCH
from projections.specs import BulkItem, BulkJobs
from server.engine import SYSTEM, Engine
from server.startup import replayed
from server.timekeeper import keep_time
from tests.build import Raw, a_job
from tests.fakes import FakeClock
from tests.server.harness import ME, an_engine, assert_refused, started, turns, until
from tools.indexes import differences

KEEP_SECS = 60
POLICY = Policy(keep_finished_us=KEEP_SECS * 1_000_000, keep_finished_jobs=10_000)


class Kept:
    """An engine with its timekeeper, a clock to move, and the retirements seen so far."""

    def __init__(self, engine: Engine, clock: FakeClock) -> None:
        self.engine = engine
        self.clock = clock
        self.retired: list[int] = []
        self._retired_more = asyncio.Event()
        engine.listeners.append(self._seen)

    def _seen(self, record: Record) -> None:
        count = sum(isinstance(event, JobRetired) for event in record.events)
        if count:
            assert count == len(record.events)
            self.retired.append(count)
            self._retired_more.set()

    async def batches(self, count: int) -> None:
        while len(self.retired) < count:
            self._retired_more.clear()
            await self._retired_more.wait()

    def finish(self, count: int) -> None:
        for _ in range(0, count, 100):
            items = [BulkItem(payload=Raw(b"1"))] * min(count, 100)
            spec = BulkJobs(queue_name="mail", jobs=items)
            for _, made in self.engine.execute(jobs.create_bulk, SYSTEM, spec).answer.succeeded:
                self.engine.execute(jobs.cancel, SYSTEM, made.job_id)

    def advance(self, secs: float) -> None:
        """Move the clock, and tell the timekeeper as a change of what is due would."""
        self.clock.advance(secs)
        assert self.engine.on_next_due is not None
        self.engine.on_next_due()

    @property
    def left(self) -> int:
        return len(self.engine.state.tables.jobs)


@asynccontextmanager
async def kept(policy: Policy = POLICY) -> AsyncIterator[Kept]:
    engine = await an_engine(policy)
    assert isinstance(engine._clock, FakeClock)
    found = Kept(engine, engine._clock)
    timekeeper = asyncio.create_task(keep_time(engine))
    await until(lambda: engine.on_next_due is not None)
    try:
        yield found
    finally:
        timekeeper.cancel()
        with suppress(asyncio.CancelledError):
            await timekeeper
    assert isinstance(engine.log, MemoryLog)
    await engine.durable(engine.state.position)
    assert digest(await replayed(engine.log)) == digest(engine.state)
    assert differences(engine.state) == []
    await engine.log.close()


async def test_finished_jobs_leave_at_their_age_and_no_earlier() -> None:
    async with kept() as one:
        one.finish(3)
        one.advance(KEEP_SECS - 0.000001)
        await turns()
        assert (one.left, one.retired) == (3, [])
        one.advance(1)
        await until(lambda: one.left == 0)
        assert one.retired == [3]


async def test_many_leave_in_batches_with_a_pause_in_between() -> None:
    async with kept() as one:
        one.finish(1_200)
        one.advance(KEEP_SECS)
        await until(lambda: bool(one.retired))
        assert one.retired == [500], "others have their turn before the next batch"
        await one.batches(3)
        assert one.retired == [500, 500, 200]


async def test_what_is_over_the_count_leaves_although_nothing_is_due() -> None:
    async with kept(Policy(keep_finished_us=None, keep_finished_jobs=5)) as one:
        await turns()
        one.finish(8)
        one.advance(1)
        await until(lambda: bool(one.retired))
        assert (one.left, one.retired) == (5, [3])


async def test_jobs_that_end_within_a_second_leave_in_one_record() -> None:
    async with kept() as one:
        for _ in range(4):
            one.finish(1)
            one.clock.advance(0.2)
        one.advance(KEEP_SECS - 0.8)
        await until(lambda: one.retired == [1])
        for _ in range(3):
            one.advance(0.2)
            await turns()
        assert one.retired == [1], "it rests for a second"
        one.advance(0.4)
        await until(lambda: one.left == 0)
        assert one.retired == [1, 3]


async def test_no_command_retires_anything() -> None:
    engine = await an_engine(POLICY)
    assert isinstance(engine._clock, FakeClock)
    one = Kept(engine, engine._clock)
    one.finish(3)
    one.clock.advance(KEEP_SECS * 10)
    engine.execute(jobs.create, SYSTEM, a_job())
    engine.perform_duties(500)
    assert (one.left, one.retired) == (4, [])
    await engine.log.close()


async def test_duties_come_first() -> None:
    async with kept() as one:
        starts = EPOCH + timedelta(microseconds=one.clock() + KEEP_SECS * 1_000_000)
        one.engine.execute(jobs.create, SYSTEM, a_job(scheduled_at=starts))
        one.finish(1)
        seen: list[str] = []
        one.engine.listeners.append(
            lambda record: seen.extend(str(event.__struct_config__.tag) for event in record.events)
        )
        one.advance(KEEP_SECS)
        await until(lambda: "job.retired" in seen)
        assert seen == ["job.due", "job.retired"]


async def test_a_retired_job_is_not_there_over_http(aiohttp_client: object) -> None:
    face = await started(aiohttp_client, POLICY)
    job_id = await face.create(idempotency_key="once")
    await face.claim()
    await face.settle("complete", job_id)
    face.clock.advance(KEEP_SECS)
    assert (await face.job(job_id))["status"] == "completed", "until the timekeeper comes by"
    assert face.engine.on_next_due is not None
    face.engine.on_next_due()
    await until(lambda: not face.engine.state.tables.jobs)
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/history", f"/jobs/{job_id}/explain"):
        assert_refused(await face.get(path), 404, "NOT_FOUND")
    late = await face.post(f"/jobs/{job_id}/complete", {"worker_id": ME})
    assert_refused(late, 404, "NOT_FOUND")
    assert await face.summaries() == []
    again = await face.post(
        "/jobs", {"queue_name": "mail", "payload": {}, "idempotency_key": "once"}
    )
    assert (again.status, again.json["created"]) == (201, True)
    assert any(b'"job.retired"' in body for body in face.log._bodies)
