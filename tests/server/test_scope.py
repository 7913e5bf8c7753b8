"""A key that is limited to queues: what it may not use, and what is not there for it."""

import pytest

from projections.decide import access
from server.access import new_key
from server.engine import SYSTEM
from tests.server.harness import API, KEY, ME, SECRET, Face, assert_refused

LIMITED = "sp_test_limited"

FORBIDDEN = [
    ("POST", "/jobs", {"queue_name": "other", "payload": 1}),
    ("POST", "/jobs/bulk", {"queue_name": "other", "jobs": [{"payload": 1}]}),
    ("POST", "/jobs/claim", {"queue_name": "other", "worker_id": ME}),
    ("POST", "/jobs/claim", {"queue_name": "unknown", "worker_id": ME}),
    ("PUT", "/queues/other/config", {"max_retries": 1}),
    ("POST", "/queues/other/pause", None),
    ("POST", "/queues/other/resume", None),
    ("POST", "/workers/register", {"queue_name": "other", "hostname": "h"}),
]
NOT_THERE = [
    ("GET", "/jobs/{job}", None),
    ("DELETE", "/jobs/{job}", None),
    ("POST", "/jobs/{job}/retry", None),
    ("PUT", "/jobs/{job}/priority", {"priority": 1}),
    ("POST", "/jobs/{job}/complete", {"worker_id": ME}),
    ("POST", "/jobs/{job}/fail", {"worker_id": ME, "error": "e"}),
    ("POST", "/jobs/{job}/heartbeat", {"worker_id": ME}),
    ("GET", "/queues/other", None),
    ("GET", "/queues/other/stats", None),
    ("GET", "/workers/{worker}", None),
    ("POST", "/workers/{worker}/heartbeat", {"current_jobs": 1}),
    ("POST", "/workers/{worker}/deregister", None),
]


async def scoped(face: Face, *queues: str) -> tuple[str, str]:
    """Put a job and a worker into two queues; give the job of each."""
    face.add_key(LIMITED, *queues)
    mine, theirs = await face.create("mail"), await face.create("other")
    for queue in ("mail", "other"):
        body = {"queue_name": queue, "hostname": "h", "worker_id": f"in-{queue}"}
        await face.post("/workers/register", body)
    return mine, theirs


@pytest.mark.parametrize(("method", "path", "body"), FORBIDDEN)
async def test_other_queue_may_not_be_used(
    face: Face, method: str, path: str, body: object
) -> None:
    await scoped(face, "mail")
    before = face.footprint()
    answer = await face.ask(method, API + path, body, key=LIMITED)
    assert_refused(answer, 403, "ACCESS_DENIED")
    assert face.footprint() == before
    assert (await face.ask(method, API + path, body, key=KEY)).status in {200, 201, 404}


@pytest.mark.parametrize("status", ["pending", "processing"])
@pytest.mark.parametrize(("method", "path", "body"), NOT_THERE)
async def test_what_is_in_other_queues_is_not_there(
    face: Face, method: str, path: str, body: object, status: str
) -> None:
    _, theirs = await scoped(face, "mail")
    if status == "processing":
        await face.claim("other")
    path = API + path.replace("{job}", theirs).replace("{worker}", "in-other")
    before = face.footprint()
    assert_refused(await face.ask(method, path, body, key=LIMITED), 404, "NOT_FOUND")
    assert face.footprint() == before


async def test_lists_and_counts_show_its_queues_only(face: Face) -> None:
    mine, theirs = await scoped(face, "mail")
    await face.create("other", tags=["t"])

    async def seen(path: str, field: str) -> list[str]:
        return [one[field] for one in (await face.get(path, key=LIMITED)).json]

    assert await seen("/jobs", "id") == [mine]
    assert await seen("/jobs?queue_name=other", "id") == []
    assert await seen("/jobs?tag=t", "id") == []
    assert await seen("/jobs?order_by=priority&status=pending", "id") == [mine]
    assert await seen(f"/jobs/status?ids={theirs},{mine}", "id") == [mine]
    assert await seen("/queues", "queue_name") == ["mail"]
    assert await seen("/workers", "id") == ["in-mail"]
    stats = (await face.get("/jobs/stats", key=LIMITED)).json
    assert (stats["pending"], stats["total"]) == (1, 1)
    assert (await face.get("/jobs/stats")).json["total"] == 3


async def test_its_own_queue_is_its_to_use(face: Face) -> None:
    mine, _ = await scoped(face, "mail", "second")
    claim = {"queue_name": "mail", "worker_id": ME}
    claimed = await face.post("/jobs/claim", claim, key=LIMITED)
    assert [job["id"] for job in claimed.json["jobs"]] == [mine]
    done = await face.post(f"/jobs/{mine}/complete", {"worker_id": ME}, key=LIMITED)
    assert done.status == 200
    assert (await face.get(f"/jobs/{mine}", key=LIMITED)).json["status"] == "completed"
    made = await face.post("/jobs", {"queue_name": "second", "payload": 1}, key=LIMITED)
    assert made.status == 201


@pytest.mark.parametrize("queues", [(), ("*",), ("mail", "*")])
async def test_no_list_or_a_star_means_every_queue(face: Face, queues: tuple[str, ...]) -> None:
    _, theirs = await scoped(face, *queues)
    assert (await face.get(f"/jobs/{theirs}", key=LIMITED)).status == 200
    made = await face.post("/jobs", {"queue_name": "new", "payload": 1}, key=LIMITED)
    assert made.status == 201


async def test_replaced_key_stops_working(face: Face) -> None:
    face.engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "next", "another-key"))
    assert_refused(await face.get("/queues"), 401, "AUTHENTICATION_FAILED")
    assert (await face.get("/queues", key="another-key")).status == 200


async def test_records_name_the_key_and_the_request(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    body = {"queue_name": "mail", "payload": 1}
    await face.post("/jobs", body, key=LIMITED, headers={"X-Request-Id": "the-request"})
    (batch,) = [batch async for batch in face.log.read(face.log.last - 1)]
    ((_, record),) = batch
    (key_id,) = [key.id for key in face.engine.state.tables.keys.values() if key.name == "limited"]
    assert f'"by":"{key_id}"'.encode() in record
    assert b'"req":"the-request"' in record
    assert LIMITED.encode() not in b"".join(face.log._bodies)


async def test_a_worker_of_another_queue_is_not_taken_away(face: Face) -> None:
    await scoped(face, "mail")
    before = face.footprint()
    body = {"queue_name": "mail", "hostname": "h", "worker_id": "in-other"}
    assert_refused(await face.post("/workers/register", body, key=LIMITED), 409, "CONFLICT")
    assert face.footprint() == before
    assert (await face.post("/workers/register", body)).status == 201
