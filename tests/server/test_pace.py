"""Who reads much of the log lets others in between, by what records hold and not by how many they are."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec import Raw

from projections.decide import Caller, claims, jobs
from projections.decide.actions import Action
from projections.frames import Mark
from projections.frames import Wanted as WantedFrames
from projections.specs import BulkItem, BulkJobs, Claim, Extension, JobFilter, Verb
from server import actions
from server.engine import SYSTEM, Engine
from server.feed import View, Wanted, follow, page
from server.missed import Missed
from server.pace import Pace
from server.undo import undo
from tests.build import a_job
from tests.server.harness import Face, an_engine

ANN = Caller("default", "key_ann", "req-1")
RECORDS = 40
JOBS_EACH = 100


class Turns:
    """Counts turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1


async def turns_during(doing: Callable[[], Awaitable[object]]) -> int:
    """Give in how many turns of the event loop something is done."""
    seen = Turns()
    watching = asyncio.create_task(seen.watch())
    await asyncio.sleep(0)
    await doing()
    watching.cancel()
    return seen.count


async def of_large_records() -> Engine:
    engine = await an_engine()
    for _ in range(RECORDS):
        spec = BulkJobs(queue_name="mail", jobs=[BulkItem(payload=Raw(b"{}"))] * JOBS_EACH)
        engine.execute(jobs.create_bulk, SYSTEM, spec)
    await engine.durable(engine.state.position)
    return engine


async def read_as_missed(engine: Engine) -> None:
    missed = Missed(engine.log, engine.state, WantedFrames("default"), Mark(0), Pace())
    found = [frame async for frames in missed.upto(engine.log.last) for frame in frames]
    assert len(found) == RECORDS * JOBS_EACH


async def read_as_page(engine: Engine) -> None:
    found = await page(engine.log, View(engine.state, SYSTEM, Wanted()), 1, 1_000, Pace())
    assert len(found.told) == RECORDS


async def read_as_feed(engine: Engine) -> None:
    view, count = View(engine.state, SYSTEM, Wanted()), 0
    async for found in follow(engine.log, view, 1, asyncio.Event(), idle_secs=60, pace=Pace()):
        count += len(found.told)
        if count == RECORDS:
            break


@pytest.mark.parametrize("read", [read_as_missed, read_as_page, read_as_feed])
async def test_large_records_take_a_turn_each(read: Callable[[Engine], Awaitable[None]]) -> None:
    engine = await of_large_records()
    size = len(await engine.log.body(2))
    assert await turns_during(lambda: read(engine)) > size * RECORDS // 30_000 > 10


async def test_a_page_of_the_log_is_written_in_slices(face: Face) -> None:
    body = {"queue_name": "mail", "jobs": [{"payload": 1}] * JOBS_EACH}
    for _ in range(RECORDS):
        await face.post("/jobs/bulk", body)
    few = await turns_during(lambda: face.get("/log/records?after=1&limit=1"))
    assert await turns_during(lambda: face.get("/log/records?after=1&limit=1000")) > few + 40


async def test_a_long_life_is_folded_in_slices() -> None:
    engine = await an_engine()
    lives, beats = 20, 300
    for _ in range(lives):
        engine.execute(jobs.create, SYSTEM, a_job("mail"))
    engine.execute(claims.claim, ANN, Claim(queue_name="mail", worker_id="w", limit=lives))
    ids = list(engine.state.tables.jobs)
    for _ in range(beats):
        for job_id in ids:
            spec = Extension(worker_id="w", lease_duration_secs=60)
            engine.execute(claims.extend, ANN, job_id, spec)
    await actions.perform(engine, ANN, Action(Verb.CANCEL, JobFilter(), Raw(b"{}")))
    await engine.durable(engine.state.position)
    last = engine.log.last
    seen = await turns_during(lambda: undo(engine, ANN, last, dry_run=True))
    assert seen > lives * beats * (10 + 3) // 1_000 - lives, "each record is decoded, then folded"


async def test_many_that_share_a_turn_do_no_more_in_it_than_one() -> None:
    turn, seen = asyncio.Lock(), Turns()
    slices: list[int] = []

    async def work() -> None:
        pace = Pace(turn)
        for _ in range(3):
            await pace.spend(1_000)
            slices.append(seen.count)

    watching = asyncio.create_task(seen.watch())
    await asyncio.gather(*(work() for _ in range(50)))
    watching.cancel()
    assert len(slices) == len(set(slices)) == 150
