"""Every answer's fields, exactly: names, types, nulls and times."""

from typing import Any, Final

from projections.moments import to_text
from tests.server.harness import ME, TIME, Face

EVERYTHING: Final[dict[str, Any]] = {
    "queue_name": "mail",
    "payload": {"job_type": "send", "to": "a@example.com"},
    "priority": -7,
    "max_retries": 9,
    "timeout_seconds": 77,
    "scheduled_at": "2020-01-02T03:04:05.000006+02:00",
    "expires_at": "2099-12-31T23:59:59Z",
    "idempotency_key": "k1",
    "tags": {"team": "blue"},
    "parent_job_id": "p1",
    "completion_webhook": "https://example.com/done",
    "completion_webhook_secret": "hush",
}
FRESH: Final[dict[str, Any]] = {
    "organization_id": "default",
    "queue_name": "mail",
    "status": "pending",
    "payload": 0,
    "result": None,
    "retry_count": 0,
    "max_retries": 3,
    "last_error": None,
    "scheduled_at": None,
    "started_at": None,
    "completed_at": None,
    "expires_at": None,
    "priority": 0,
    "tags": None,
    "timeout_seconds": 300,
    "parent_job_id": None,
    "completion_webhook": None,
    "assigned_worker_id": None,
    "lease_id": None,
    "lease_expires_at": None,
    "idempotency_key": None,
    "workflow_id": None,
    "dependency_mode": None,
    "dependencies_met": None,
    "cancel_requested_at": None,
    "traceparent": None,
}


def moment(face: Face, secs: float = 0) -> str:
    """Give the clock's time, `secs` from now, as answers show it."""
    text = to_text(face.clock() + int(secs * 1_000_000))
    assert TIME.fullmatch(text)
    return text


async def test_create(face: Face) -> None:
    made = await face.post("/jobs", {"queue_name": "mail", "payload": 0})
    assert made.status == 201
    assert made.json == {"id": made.json["id"], "created": True}


async def test_create_again(face: Face) -> None:
    first = await face.post("/jobs", EVERYTHING)
    again = await face.post("/jobs", {**EVERYTHING, "queue_name": "other"})
    assert (first.status, again.status) == (201, 200)
    assert again.json == {"id": first.json["id"], "created": False}


async def test_fresh_job(face: Face) -> None:
    made = await face.post("/jobs", {"queue_name": "mail", "payload": 0})
    assert await face.job(made.json["id"]) == {
        **FRESH,
        "id": made.json["id"],
        "created_at": moment(face),
        "updated_at": moment(face),
        "position": face.log.last,
    }


async def test_job_with_everything(face: Face) -> None:
    job_id = (await face.post("/jobs", EVERYTHING)).json["id"]
    sent = {name: value for name, value in EVERYTHING.items() if not name.endswith("_secret")}
    assert await face.job(job_id) == {
        **FRESH,
        **sent,
        "id": job_id,
        "dependencies_met": True,
        "scheduled_at": "2020-01-02T01:04:05.000006Z",
        "expires_at": "2099-12-31T23:59:59.000000Z",
        "created_at": moment(face),
        "updated_at": moment(face),
        "position": face.log.last,
    }


async def test_the_webhook_secret_is_never_told(face: Face) -> None:
    job_id = (await face.post("/jobs", EVERYTHING)).json["id"]
    for path in (f"/jobs/{job_id}", "/jobs", f"/jobs/status?ids={job_id}"):
        assert b"hush" not in (await face.get(path)).content
    claimed = await face.post("/jobs/claim", {"queue_name": "mail", "worker_id": ME})
    assert b"hush" not in claimed.content


async def test_time_without_offset_counts_as_utc(face: Face) -> None:
    job_id = await face.create(scheduled_at="2020-01-01T00:00:00.5")
    assert (await face.job(job_id))["scheduled_at"] == "2020-01-01T00:00:00.500000Z"


async def test_job_through_its_life(face: Face) -> None:
    job_id = await face.create(max_retries=1)
    created = moment(face)
    face.advance(1)
    started = moment(face)
    (claimed,) = await face.claim(lease_duration_secs=60)
    job = await face.job(job_id)
    assert (job["status"], job["assigned_worker_id"]) == ("processing", ME)
    assert (job["started_at"], job["lease_expires_at"]) == (started, moment(face, 60))
    assert job["lease_id"] == claimed["lease_id"]
    face.advance(1)
    await face.settle("fail", job_id, error="first")
    job = await face.job(job_id)
    assert (job["status"], job["retry_count"], job["last_error"]) == ("pending", 1, "first")
    assert (job["scheduled_at"], job["started_at"]) == (moment(face, 60), started)
    assert (job["lease_id"], job["lease_expires_at"]) == (None, None)
    assert job["assigned_worker_id"] is None
    kept = moment(face, 60)
    face.advance(60)
    await face.claim()
    job = await face.job(job_id)
    assert (job["started_at"], job["scheduled_at"]) == (moment(face), kept)
    await face.settle("fail", job_id, error="second")
    job = await face.job(job_id)
    assert (job["status"], job["retry_count"], job["last_error"]) == ("deadletter", 1, "second")
    assert job["completed_at"] is None
    assert (await face.post(f"/jobs/{job_id}/retry")).json == await face.job(job_id)
    job = await face.job(job_id)
    assert (job["status"], job["retry_count"], job["last_error"]) == ("pending", 2, None)
    assert (job["created_at"], job["scheduled_at"]) == (created, kept)
    await face.claim()
    assert (await face.settle("fail", job_id))["status"] == "deadletter"


async def test_completed_job(face: Face) -> None:
    job_id = await face.create()
    await face.claim()
    face.advance(2)
    assert await face.settle("complete", job_id, result=[1]) == {"success": True}
    job = await face.job(job_id)
    assert (job["status"], job["result"]) == ("completed", [1])
    assert (job["completed_at"], job["updated_at"]) == (moment(face), moment(face))
    assert (job["lease_id"], job["lease_expires_at"]) == (None, None)
    assert job["assigned_worker_id"] == ME


async def test_cancelled_job(face: Face) -> None:
    job_id = await face.create()
    face.advance(1)
    assert (await face.delete(f"/jobs/{job_id}")).status == 204
    job = await face.job(job_id)
    assert (job["status"], job["completed_at"]) == ("cancelled", moment(face))
    assert job["last_error"] is None


async def test_claimed_job(face: Face) -> None:
    job_id = (await face.post("/jobs", EVERYTHING)).json["id"]
    (claimed,) = await face.claim()
    assert claimed == {
        "id": job_id,
        "queue_name": "mail",
        "payload": EVERYTHING["payload"],
        "priority": -7,
        "tags": {"team": "blue"},
        "retry_count": 0,
        "max_retries": 9,
        "timeout_seconds": 77,
        "created_at": moment(face),
        "lease_id": claimed["lease_id"],
        "lease_expires_at": moment(face, 30),
        "traceparent": None,
    }
    assert isinstance(claimed["lease_id"], str)


async def test_every_claimed_job_has_its_own_lease(face: Face) -> None:
    for _ in range(5):
        await face.create()
    leases = {job["lease_id"] for job in await face.claim(limit=5)}
    assert len(leases) == 5


async def test_fail_with_retries_left_and_without(face: Face) -> None:
    job_id = await face.create(max_retries=1)
    await face.claim()
    assert await face.settle("fail", job_id) == {
        "success": True,
        "will_retry": True,
        "status": "pending",
        "next_retry_at": moment(face, 60),
    }
    face.advance(60)
    await face.claim()
    assert await face.settle("fail", job_id) == {
        "success": True,
        "will_retry": False,
        "status": "deadletter",
        "next_retry_at": None,
    }


async def test_heartbeat_counts_from_now_and_may_shorten(face: Face) -> None:
    job_id = await face.create()
    await face.claim(lease_duration_secs=3600)
    for asked, secs in (({"lease_duration_secs": 5}, 5), ({}, 30)):
        answer = await face.settle("heartbeat", job_id, **asked)
        assert answer == {
            "success": True,
            "lease_expires_at": moment(face, secs),
            "cancel_requested": False,
        }
        assert (await face.job(job_id))["lease_expires_at"] == moment(face, secs)


async def test_priority(face: Face) -> None:
    job_id = await face.create(priority=5)
    for old, new in ((5, -100), (-100, -100)):
        answer = await face.put(f"/jobs/{job_id}/priority", {"priority": new})
        assert answer.json == {"job_id": job_id, "old_priority": old, "new_priority": new}
    assert (await face.job(job_id))["priority"] == -100
