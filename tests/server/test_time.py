"""What time brings about, seen over HTTP with a clock that moves only when told to."""

import pytest

from projections.decide import Policy
from projections.moments import to_text
from tests.server.harness import ME, Face, assert_refused, started


def later(face: Face, secs: float) -> str:
    return to_text(face.clock() + int(secs * 1_000_000))


async def ids(face: Face, queue: str = "mail", **fields: object) -> list[str]:
    return [job["id"] for job in await face.claim(queue, **fields)]


async def test_scheduled_job_is_claimable_at_its_time(face: Face) -> None:
    job_id = await face.create(scheduled_at=later(face, 60))
    assert (await face.job(job_id))["status"] == "scheduled"
    face.clock.advance(59.999999)
    assert await ids(face) == []
    face.clock.advance(0.000001)
    assert await ids(face) == [job_id], "a claim does not wait for the timekeeper"


async def test_scheduled_job_becomes_pending_and_keeps_its_time(face: Face) -> None:
    when = later(face, 60)
    job_id = await face.create(scheduled_at=when)
    face.advance(60)
    job = await face.job(job_id)
    assert (job["status"], job["scheduled_at"]) == ("pending", when)


@pytest.mark.parametrize(("secs", "status"), [(-1, "pending"), (0, "pending"), (1, "scheduled")])
async def test_only_a_future_time_schedules(face: Face, secs: int, status: str) -> None:
    when = later(face, secs)
    job_id = await face.create(scheduled_at=when)
    job = await face.job(job_id)
    assert (job["status"], job["scheduled_at"]) == (status, when)


async def test_backoff_doubles_up_to_an_hour_and_then_dead_letters(face: Face) -> None:
    waits = [60, 120, 240, 480, 960, 1920, 3600, 3600]
    job_id = await face.create(max_retries=len(waits))
    for retries, wait in enumerate(waits):
        assert await ids(face) == [job_id]
        failed = await face.settle("fail", job_id, error=f"try {retries}")
        assert (failed["will_retry"], failed["next_retry_at"]) == (True, later(face, wait))
        job = await face.job(job_id)
        assert (job["status"], job["retry_count"]) == ("pending", retries + 1)
        assert job["scheduled_at"] == failed["next_retry_at"]
        face.clock.advance(wait - 0.000001)
        assert await ids(face) == []
        face.clock.advance(0.000001)
    assert await ids(face) == [job_id]
    assert (await face.settle("fail", job_id))["status"] == "deadletter"
    assert (await face.job(job_id))["retry_count"] == len(waits)
    face.advance(10_000)
    assert await ids(face) == []


async def test_backoff_is_the_servers_to_set(aiohttp_client: object) -> None:
    face = await started(aiohttp_client, Policy(retry_base_secs=0.5, retry_cap_secs=1.5))
    job_id = await face.create()
    for wait in (0.5, 1, 1.5):
        assert await ids(face) == [job_id]
        assert (await face.settle("fail", job_id))["next_retry_at"] == later(face, wait)
        face.clock.advance(wait)


async def test_no_retries_means_dead_at_the_first_failure(face: Face) -> None:
    job_id = await face.create(max_retries=0)
    await face.claim()
    assert (await face.settle("fail", job_id))["will_retry"] is False
    assert (await face.job(job_id))["status"] == "deadletter"


async def test_job_in_backoff_is_passed_over_in_spite_of_its_priority(face: Face) -> None:
    urgent = await face.create(priority=100)
    await face.claim()
    await face.settle("fail", urgent)
    plain = await face.create()
    assert await ids(face, limit=10, lease_duration_secs=600) == [plain]
    face.clock.advance(60)
    assert await ids(face, limit=10) == [urgent]


async def test_lease_that_ran_out_goes_to_another_worker(face: Face) -> None:
    job_id = await face.create()
    (first,) = await face.claim()
    face.clock.advance(29.999999)
    assert await ids(face, worker="w2") == []
    face.clock.advance(0.000001)
    (second,) = await face.claim(worker="w2")
    assert (second["id"], second["retry_count"]) == (job_id, 1)
    assert second["lease_id"] != first["lease_id"]
    job = await face.job(job_id)
    assert job["last_error"] == "Lease expired (worker timeout)"
    assert job["scheduled_at"] is None, "no backoff"
    body = {"worker_id": ME, "lease_id": first["lease_id"]}
    for verb in ("heartbeat", "complete", "fail"):
        stale = await face.post(f"/jobs/{job_id}/{verb}", {**body, "error": "late"})
        refused = assert_refused(stale, 409, "LEASE_EXPIRED")
        assert "does not match the job's current lease" in refused["message"]
    assert await face.job(job_id) == job
    await face.settle("complete", job_id, worker_id="w2", lease_id=second["lease_id"])


async def test_last_lease_that_ran_out_dead_letters(face: Face) -> None:
    job_id = await face.create(max_retries=0)
    await face.claim()
    face.advance(30)
    job = await face.job(job_id)
    assert (job["status"], job["retry_count"]) == ("deadletter", 0)
    assert job["last_error"] == "Max retries exceeded after lease expiration"


async def test_heartbeat_keeps_a_lease_alive(face: Face) -> None:
    job_id = await face.create()
    (claimed,) = await face.claim()
    for _ in range(5):
        face.clock.advance(29)
        await face.settle("heartbeat", job_id, lease_id=claimed["lease_id"])
    assert await ids(face, worker="w2") == []
    await face.settle("complete", job_id, lease_id=claimed["lease_id"])


async def test_shortened_lease_ends_early(face: Face) -> None:
    job_id = await face.create()
    await face.claim(lease_duration_secs=3600)
    await face.settle("heartbeat", job_id, lease_duration_secs=5)
    face.clock.advance(5)
    assert await ids(face, worker="w2") == [job_id]


@pytest.mark.parametrize("scheduled", [False, True])
async def test_job_not_started_in_time_is_cancelled(face: Face, scheduled: bool) -> None:
    when = {"scheduled_at": later(face, 60)} if scheduled else {}
    job_id = await face.create(expires_at=later(face, 30), **when)
    face.clock.advance(30)
    assert await ids(face) == []
    job = await face.job(job_id)
    assert (job["status"], job["last_error"]) == ("cancelled", "Expired before start")
    assert job["completed_at"] == later(face, 0)


async def test_job_started_in_time_does_not_expire(face: Face) -> None:
    job_id = await face.create(expires_at=later(face, 30))
    await face.claim(lease_duration_secs=600)
    face.advance(100)
    await face.settle("complete", job_id)
    assert (await face.job(job_id))["status"] == "completed"


async def test_job_that_is_expired_when_it_comes_is_never_handed_out(face: Face) -> None:
    job_id = await face.create(expires_at=later(face, -1))
    assert await ids(face) == []
    face.advance(0)
    assert (await face.job(job_id))["status"] == "cancelled"


async def test_silent_worker_is_offline_after_two_minutes(face: Face) -> None:
    await face.post("/workers/register", {"queue_name": "q", "hostname": "h", "worker_id": ME})
    face.advance(119)
    assert (await face.get(f"/workers/{ME}")).json["status"] == "healthy"
    face.advance(1)
    assert (await face.get(f"/workers/{ME}")).json["status"] == "offline"
    await face.post(f"/workers/{ME}/heartbeat", {"current_jobs": 0})
    assert (await face.get(f"/workers/{ME}")).json["status"] == "healthy"


async def test_heartbeat_keeps_draining_and_deregistered_is_offline(face: Face) -> None:
    for worker in ("a", "b"):
        body = {"queue_name": "q", "hostname": "h", "worker_id": worker}
        await face.post("/workers/register", body)
        face.advance(1)
    await face.post("/workers/a/heartbeat", {"current_jobs": 1, "status": "draining"})
    await face.post("/workers/a/heartbeat", {"current_jobs": 2})
    await face.post("/workers/b/deregister")
    listed = (await face.get("/workers")).json
    assert [(one["id"], one["status"], one["current_jobs"]) for one in listed] == [
        ("a", "draining", 2),
        ("b", "offline", 0),
    ]


async def test_registering_again_keeps_the_first_time(face: Face) -> None:
    body = {"queue_name": "q", "hostname": "h", "worker_id": ME}
    await face.post("/workers/register", body)
    first = (await face.get(f"/workers/{ME}")).json
    face.advance(5)
    await face.post("/workers/register", {**body, "hostname": "other"})
    again = (await face.get(f"/workers/{ME}")).json
    assert (again["registered_at"], again["hostname"]) == (first["registered_at"], "other")
    assert len((await face.get("/workers")).json) == 1


async def test_deregistered_worker_keeps_its_live_lease(face: Face) -> None:
    await face.post("/workers/register", {"queue_name": "mail", "hostname": "h", "worker_id": ME})
    job_id = await face.create()
    await face.claim()
    await face.post(f"/workers/{ME}/deregister")
    assert (await face.job(job_id))["status"] == "processing"
    await face.settle("complete", job_id)
