"""The official SDK's calls about jobs, unchanged, both clients."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from spooled import AsyncSpooledClient, SpooledClient
from spooled.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PayloadTooLargeError,
    ValidationError,
    is_lease_expired,
)

from tests.sdk.clients import Api, config

ME: Final = "worker-1"
JOB: Final = {"queue_name": "mail", "payload": {"job_type": "send", "to": "a@example.com"}}
FUTURE: Final = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251 - the SDK takes wall time


async def created(api: Api, **fields: Any) -> str:
    made = await api("jobs.create", {**JOB, **fields})
    assert made.created is True
    job_id: str = made.id
    return job_id


async def claimed(api: Api, queue: str = "mail", **fields: Any) -> Any:
    answer = await api("jobs.claim", {"queue_name": queue, "worker_id": ME, **fields})
    return answer.jobs


async def dead(api: Api) -> str:
    job_id = await created(api, max_retries=0)
    (job,) = await claimed(api)
    failed = {"worker_id": ME, "error": "boom", "lease_id": job.lease_id}
    assert (await api("jobs.fail", job_id, failed)).success is True
    return job_id


async def test_create_and_get(api: Api) -> None:
    job_id = await created(
        api,
        priority=7,
        max_retries=2,
        timeout_seconds=60,
        scheduled_at=FUTURE,
        expires_at=FUTURE + timedelta(hours=1),
        idempotency_key="key-1",
        tags={"team": "blue"},
        completion_webhook="https://example.com/done",
        completion_webhook_secret="hush",
    )
    job = await api("jobs.get", job_id)
    assert (job.id, job.organization_id, job.queue_name) == (job_id, "default", "mail")
    assert (job.status, job.payload, job.result) == ("scheduled", JOB["payload"], None)
    assert (job.priority, job.max_retries, job.timeout_seconds) == (7, 2, 60)
    assert (job.scheduled_at, job.expires_at) == (FUTURE, FUTURE + timedelta(hours=1))
    assert (job.idempotency_key, job.tags) == ("key-1", {"team": "blue"})
    assert job.completion_webhook == "https://example.com/done"
    assert job.created_at <= job.updated_at


@pytest.mark.parametrize("payload", [False, 1.5, "text", [1, {"a": None}], {"é": "\u2028"}])
async def test_any_payload_goes_through_unchanged(api: Api, payload: object) -> None:
    job_id = await created(api, payload=payload)
    assert (await api("jobs.get", job_id)).payload == payload
    (job,) = await claimed(api)
    assert job.payload == payload


async def test_idempotency_key(api: Api) -> None:
    job_id = await created(api, idempotency_key="once")
    again = await api("jobs.create", {**JOB, "idempotency_key": "once", "queue_name": "other"})
    assert (again.id, again.created) == (job_id, False)


async def test_bulk_enqueue(api: Api) -> None:
    known = await created(api, idempotency_key="known")
    answer = await api(
        "jobs.bulk_enqueue",
        {
            "queue_name": "mail",
            "default_max_retries": 9,
            "jobs": [
                {"payload": {"n": 0}},
                {"payload": {"n": 1}, "idempotency_key": "known"},
                {"payload": {"n": 2}, "priority": 1000},
                {"payload": {"n": 3}, "scheduled_at": FUTURE},
            ],
        },
    )
    assert (answer.total, answer.success_count, answer.failure_count) == (4, 3, 1)
    assert [(one.index, one.created) for one in answer.succeeded] == [
        (0, True),
        (1, False),
        (3, True),
    ]
    assert answer.succeeded[1].job_id == known
    assert [one.index for one in answer.failed] == [2]
    assert "priority" in answer.failed[0].error
    later = await api("jobs.get", answer.succeeded[2].job_id)
    assert (later.status, later.max_retries) == ("scheduled", 9)


async def test_list(api: Api) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)  # noqa: TID251 - the SDK takes wall time
    ids = [await created(api, priority=n, tags=["even"] if n % 2 == 0 else []) for n in range(5)]
    other = await created(api, queue_name="other", payload={"job_type": "index"})
    await api("jobs.cancel", ids[0])

    async def listed(**wanted: Any) -> list[str]:
        return [one.id for one in await api("jobs.list", wanted)]

    assert await listed() == [other, *reversed(ids)]
    assert await listed(queue_name="other") == [other]
    assert await listed(status="cancelled") == [ids[0]]
    assert await listed(status=["cancelled", "pending"], order_dir="asc") == [*ids, other]
    assert await listed(tag="even", order_by="priority", order_dir="asc") == ids[::2]
    assert await listed(job_type="index") == [other]
    assert await listed(q="INDE") == [other]
    assert await listed(created_after=before, limit=1) == [other]
    assert await listed(created_before=before) == []
    page = await api("jobs.list", {"limit": 4, "offset": 1})
    assert ([one.id for one in page], page.has_more) == ([*ids[:0:-1]], True)
    page = await api("jobs.list", {"limit": 4, "offset": 2})
    assert (len(page), page.has_more) == (4, False)
    (summary,) = await api("jobs.list", {"queue_name": "other"})
    assert (summary.status, summary.job_type, summary.retry_count) == ("pending", "index", 0)


async def test_claim_heartbeat_complete(api: Api) -> None:
    job_id = await created(api, tags=["a"])
    (job,) = await claimed(api, limit=5, lease_duration_secs=60)
    assert (job.id, job.queue_name, job.payload) == (job_id, "mail", JOB["payload"])
    assert (job.retry_count, job.max_retries, job.timeout_seconds) == (0, 3, 300)
    held = {"worker_id": ME, "lease_id": job.lease_id}
    assert await api("jobs.heartbeat", job_id, {**held, "lease_duration_secs": 600}) is None
    running = await api("jobs.get", job_id)
    assert (running.status, running.assigned_worker_id) == ("processing", ME)
    assert running.lease_expires_at > job.lease_expires_at
    done = await api("jobs.complete", job_id, {**held, "result": {"n": [1, 2.5]}})
    assert done.success is True
    job = await api("jobs.get", job_id)
    assert (job.status, job.result, job.lease_id) == ("completed", {"n": [1, 2.5]}, None)
    assert job.completed_at >= job.started_at >= job.created_at


async def test_complete_without_a_lease_and_without_a_result(api: Api) -> None:
    job_id = await created(api)
    await claimed(api)
    assert (await api("jobs.complete", job_id, {"worker_id": ME})).success is True
    assert (await api("jobs.get", job_id)).result is None


async def test_claim_of_nothing(api: Api) -> None:
    assert await claimed(api, "unknown") == []


async def test_fail_and_retry(api: Api) -> None:
    job_id = await created(api, max_retries=1)
    (job,) = await claimed(api)
    failed = {"worker_id": ME, "error": "boom", "lease_id": job.lease_id}
    assert (await api("jobs.fail", job_id, failed)).success is True
    waiting = await api("jobs.get", job_id)
    assert (waiting.status, waiting.retry_count) == ("pending", 1)
    assert (waiting.last_error, waiting.lease_id) == ("boom", None)
    assert waiting.scheduled_at > waiting.started_at
    with pytest.raises(ConflictError) as refused:
        await api("jobs.retry", job_id)
    assert (refused.value.code, refused.value.status_code) == ("CONFLICT", 409)


async def test_retry_of_a_dead_letter(api: Api) -> None:
    job_id = await dead(api)
    assert (await api("jobs.get", job_id)).status == "deadletter"
    job = await api("jobs.retry", job_id)
    assert (job.id, job.status, job.retry_count) == (job_id, "pending", 1)
    assert job.last_error is None


async def test_cancel(api: Api) -> None:
    job_id = await created(api)
    assert await api("jobs.cancel", job_id) is None
    assert (await api("jobs.get", job_id)).status == "cancelled"
    with pytest.raises(ConflictError):
        await api("jobs.cancel", job_id)


async def test_boost_priority(api: Api) -> None:
    job_id = await created(api, priority=1)
    answer = await api("jobs.boost_priority", job_id, 50)
    assert (answer.job_id, answer.old_priority, answer.new_priority) == (job_id, 1, 50)


async def test_stats_and_batch_status(api: Api) -> None:
    dead_id = await dead(api)
    first, second = await created(api), await created(api, scheduled_at=FUTURE)
    stats = await api("jobs.get_stats")
    assert (stats.pending, stats.scheduled, stats.deadletter) == (1, 1, 1)
    assert (stats.processing, stats.completed, stats.failed, stats.cancelled) == (0, 0, 0, 0)
    assert stats.total == 3
    found = await api("jobs.batch_status", [first, second, dead_id, "nobody"])
    assert {one.id: one.status for one in found} == {
        first: "pending",
        second: "scheduled",
        dead_id: "deadletter",
    }
    assert await api("jobs.batch_status", []) == []


async def test_refusals_become_the_right_exceptions(api: Api) -> None:
    with pytest.raises(NotFoundError) as unknown:
        await api("jobs.get", "nobody")
    assert (unknown.value.code, unknown.value.status_code) == ("NOT_FOUND", 404)
    assert unknown.value.request_id
    with pytest.raises(ValidationError) as invalid:
        await api("jobs.create", {**JOB, "queue_name": ".hidden"})
    assert (invalid.value.code, invalid.value.status_code) == ("VALIDATION_ERROR", 400)
    assert invalid.value.details[0]["field"] == "queue_name"
    with pytest.raises(PayloadTooLargeError):
        await api("jobs.create", {**JOB, "payload": "x" * 1_048_576})


async def test_late_settlement_is_seen_as_an_expired_lease(api: Api) -> None:
    job_id = await created(api)
    await claimed(api)
    for verb in ("complete", "heartbeat"):
        with pytest.raises(ConflictError) as late:
            await api(f"jobs.{verb}", job_id, {"worker_id": ME, "lease_id": "an-old-one"})
        assert is_lease_expired(late.value)
    await api("jobs.complete", job_id, {"worker_id": ME})
    with pytest.raises(ConflictError) as again:
        await api("jobs.complete", job_id, {"worker_id": ME})
    assert not is_lease_expired(again.value)
    assert "already completed" in again.value.message.lower()


async def test_wrong_key(url: str) -> None:
    with (
        SpooledClient(config=config(url, api_key="sp_test_wrong_key")) as client,
        pytest.raises(AuthenticationError) as refused,
    ):
        await Api(client)("jobs.get_stats")
    assert refused.value.code == "AUTHENTICATION_FAILED"
    async with AsyncSpooledClient(config=config(url, api_key="sp_test_wrong_key")) as client:
        with pytest.raises(AuthenticationError):
            await client.jobs.get_stats()
