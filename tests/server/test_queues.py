"""Order of claims, pausing, and where a job's settings come from."""

from typing import Any

import pytest

from projections.decide import Policy
from tests.server.harness import ME, Face, assert_refused, started


async def ids(face: Face, queue: str = "mail", **fields: object) -> list[str]:
    return [job["id"] for job in await face.claim(queue, **fields)]


async def test_higher_priority_first_then_first_in(face: Face) -> None:
    priorities = [0, 5, -100, 5, 100, 0, -1]
    made = [await face.create(priority=priority) for priority in priorities]
    wanted = [made[index] for index in (4, 1, 3, 0, 5, 6, 2)]
    assert await ids(face, limit=3) == wanted[:3]
    assert await ids(face, limit=100) == wanted[3:]


async def test_changed_priority_changes_the_order(face: Face) -> None:
    first, second, third = [await face.create() for _ in range(3)]
    await face.put(f"/jobs/{third}/priority", {"priority": 1})
    await face.put(f"/jobs/{first}/priority", {"priority": -1})
    assert await ids(face, limit=3) == [third, second, first]


async def test_retried_job_keeps_its_age(face: Face) -> None:
    first = await face.create(max_retries=0)
    await face.claim()
    await face.settle("fail", first)
    second = await face.create()
    await face.post(f"/jobs/{first}/retry")
    assert await ids(face, limit=2) == [first, second]


async def test_claim_takes_from_its_queue_only(face: Face) -> None:
    await face.create("other")
    job_id = await face.create()
    at = face.log.last
    assert await ids(face, "unknown") == []
    assert face.log.last == at
    assert await ids(face, limit=100) == [job_id]


async def test_claim_hands_out_one_unless_told(face: Face) -> None:
    for _ in range(3):
        await face.create()
    assert len(await ids(face)) == 1


async def test_paused_queue_hands_out_nothing_and_its_running_jobs_settle(face: Face) -> None:
    for _ in range(4):
        await face.create()
    held = await ids(face, limit=3)
    await face.post("/queues/mail/pause")
    assert await ids(face, limit=100) == []
    await face.settle("heartbeat", held[0])
    await face.settle("complete", held[0])
    await face.settle("fail", held[1])
    created = await face.create()
    face.advance(60)
    assert await ids(face, limit=100) == []
    assert (await face.get("/jobs/stats")).json["pending"] == 4, "one back from each way to fail"
    resumed = await face.post("/queues/mail/resume")
    assert resumed.json["paused_duration_secs"] == 60
    back = await ids(face, limit=100)
    assert len(back) == 4
    assert back[:2] == held[1:]
    assert back[3] == created


async def test_pausing_makes_a_queue(face: Face) -> None:
    await face.post("/queues/new/pause")
    assert (await face.get("/queues/new")).json["enabled"] is False
    await face.create("new")
    assert await ids(face, "new") == []


@pytest.mark.parametrize(
    ("asked", "of_queue", "wanted"),
    [
        ({}, {}, (4, 400)),
        ({}, {"max_retries": 7}, (7, 400)),
        ({}, {"default_timeout": 70}, (4, 70)),
        ({"max_retries": 0}, {"max_retries": 7}, (0, 400)),
        ({"timeout_seconds": 1}, {"default_timeout": 70}, (4, 1)),
        ({}, {"max_retries": 0, "default_timeout": 1}, (0, 1)),
        ({"max_retries": None}, {"max_retries": 7}, (7, 400)),
    ],
)
async def test_request_before_queue_before_server(
    aiohttp_client: Any, asked: dict[str, Any], of_queue: dict[str, Any], wanted: tuple[int, int]
) -> None:
    face = await started(aiohttp_client, Policy(max_retries=4, timeout_secs=400))
    before = await face.create()
    await face.put("/queues/mail/config", of_queue)
    job = await face.job(await face.create(**asked))
    assert (job["max_retries"], job["timeout_seconds"]) == wanted
    of_bulk = {f"default_{name}": value for name, value in asked.items()}
    made = await face.post(
        "/jobs/bulk", {"queue_name": "mail", "jobs": [{"payload": 1}], **of_bulk}
    )
    job = await face.job(made.json["succeeded"][0]["job_id"])
    assert (job["max_retries"], job["timeout_seconds"]) == wanted
    job = await face.job(before)
    assert (job["max_retries"], job["timeout_seconds"]) == (4, 400), "existing jobs keep theirs"


async def test_names_in_the_path_may_be_encoded(face: Face) -> None:
    await face.create("a.b-c_d")
    assert (await face.get("/queues/a%2Eb%2Dc%5Fd")).json["queue_name"] == "a.b-c_d"


async def test_strict_names(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, Policy(strict_queue_names=True))
    assert await face.create("mail-2")
    for name in ("Mail", "a_b", "a.b", "x" * 65):
        before = face.footprint()
        refused = await face.post("/jobs", {"queue_name": name, "payload": 1})
        assert_refused(refused, 400, "VALIDATION_ERROR")
        bulk = await face.post("/jobs/bulk", {"queue_name": name, "jobs": [{"payload": 1}]})
        assert_refused(bulk, 400, "VALIDATION_ERROR")
        assert face.footprint() == before


@pytest.mark.parametrize("verb", ["complete", "fail", "heartbeat"])
async def test_required_lease_id(aiohttp_client: Any, verb: str) -> None:
    face = await started(aiohttp_client, Policy(require_lease_id=True))
    job_id = await face.create()
    (claimed,) = await face.claim()
    before = face.footprint()
    body = {"worker_id": ME, "error": "e"}
    refused = assert_refused(
        await face.post(f"/jobs/{job_id}/{verb}", body), 422, "VALIDATION_ERROR"
    )
    assert refused["details"][0]["field"] == "lease_id"
    assert face.footprint() == before
    await face.settle(verb, job_id, lease_id=claimed["lease_id"])
