"""GET /log/digest: the state's digest, right although the state changes while it is computed."""

import asyncio

import pytest

from projections.decide import jobs
from projections.digest import digest
from projections.specs import BulkItem, BulkJobs
from server.engine import SYSTEM, Engine
from server.startup import replayed
from tests.build import Raw, a_job
from tests.server.harness import Face, background, until


def fill(engine: Engine, count: int) -> list[str]:
    """Create jobs without HTTP; give their ids."""
    ids: list[str] = []
    items = [BulkItem(payload=Raw(b"1"))] * 100
    for _ in range(count // 100):
        made = engine.execute(jobs.create_bulk, SYSTEM, BulkJobs(queue_name="mail", jobs=items))
        ids += [one.job_id for _, one in made.answer.succeeded]
    return ids


async def test_digest_of_a_small_state(face: Face) -> None:
    await face.create(tags={"a": 1})
    await face.post("/workers/register", {"queue_name": "mail", "hostname": "h"})
    wanted, last = face.footprint()
    for _ in range(2):
        assert (await face.get("/log/digest")).json == {"position": last, "digest": wanted}
    assert len(wanted) == 64
    assert face.footprint() == (wanted, last)


async def test_digest_is_that_of_a_replay(face: Face) -> None:
    done, dead = await face.create(tags=["t"]), await face.create(max_retries=0)
    await face.claim(limit=2)
    await face.settle("complete", done, result={"n": 2.50})
    await face.settle("fail", dead)
    await face.put("/queues/mail/config", {"settings": {"a": 1}, "enabled": False})
    body = {"queue_name": "mail", "hostname": "h", "worker_id": "w", "metadata": {"a": [1]}}
    await face.post("/workers/register", body)
    await face.post("/workers/w/heartbeat", {"current_jobs": 1, "metadata": {"b": 2}})
    told = (await face.get("/log/digest")).json
    assert told == {"position": face.log.last, "digest": digest(await replayed(face.log))}


@pytest.mark.parametrize("asked", [1, 3])
async def test_digest_stays_right_while_the_state_changes(face: Face, asked: int) -> None:
    ids = fill(face.engine, 5_000)
    wanted, last = face.footprint()
    asking = [background(face.get("/log/digest")) for _ in range(asked)]
    await until(lambda: face.engine.state.before_change is not None)
    for job_id in (ids[0], ids[-1], ids[2_500]):
        face.engine.execute(jobs.cancel, SYSTEM, job_id)
        face.engine.execute(jobs.create, SYSTEM, a_job("new"))
    face.engine.execute(jobs.set_priority, SYSTEM, ids[-2], 7)
    face.engine.execute(jobs.set_priority, SYSTEM, ids[-2], 8)
    assert face.engine.state.before_change is not None, "it is still at work"
    first, *others = [answer.json for answer in await asyncio.gather(*asking)]
    told = {one["position"]: one["digest"] for one in (first, *others)}
    assert told.pop(last) == wanted
    if asked > 1:
        assert told == {face.log.last: face.footprint()[0]}
        assert told[face.log.last] != wanted
    assert face.engine.state.before_change is None
    assert (await face.get("/log/digest")).json["digest"] == digest(await replayed(face.log))


async def test_other_requests_are_answered_meanwhile(face: Face) -> None:
    fill(face.engine, 5_000)
    asking = background(face.get("/log/digest"))
    await until(lambda: face.engine.state.before_change is not None)
    job_id = await face.create("other")
    (claimed,) = await face.claim("other")
    assert claimed["id"] == job_id
    told = (await asking).json
    assert told["position"] == face.log.last - 2, "it is that of the moment it began"
