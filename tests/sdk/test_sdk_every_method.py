"""Every public method of `jobs`, `jobs.dlq` and `queues` of the official clients, in one story."""

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest
from spooled.errors import ConflictError, NotFoundError

from tests.sdk.clients import Api

RESOURCES = ("jobs", "jobs.dlq", "queues")


class Counting:
    """Calls through, and remembers which methods were called."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.called: set[str] = set()

    async def __call__(self, name: str, *args: Any) -> Any:
        self.called.add(name)
        return await self._api(name, *args)

    def methods(self) -> set[str]:
        """List what the client offers."""
        client = self._api._client
        found = set()
        for name in RESOURCES:
            resource: Any = client
            for part in name.split("."):
                resource = getattr(resource, part)
            kind = type(resource)
            found |= {
                f"{name}.{method}"
                for method, member in inspect.getmembers(kind, callable)
                if not method.startswith("_") and not isinstance(member, property)
            }
        return found


async def one_dead(call: Counting, queue: str, tag: str) -> str:
    made = await call(
        "jobs.create", {"queue_name": queue, "payload": {}, "max_retries": 0, "tags": [tag]}
    )
    (job,) = (await call("jobs.claim", {"queue_name": queue, "worker_id": "w"})).jobs
    assert job.id == made.id
    failure = {"worker_id": "w", "lease_id": job.lease_id, "error": "no"}
    assert (await call("jobs.fail", job.id, failure)).success
    job_id: str = made.id
    return job_id


async def test_every_method(api: Api) -> None:
    call = Counting(api)
    await _a_job_from_end_to_end(call)
    await _dead_letters(call)
    await _queues(call)
    assert call.called == call.methods()


async def _a_job_from_end_to_end(call: Counting) -> None:
    whole = await call("jobs.create_and_get", {"queue_name": "mail", "payload": {"job_type": "t"}})
    assert whole.status == "pending"
    await call("jobs.boost_priority", whole.id, 9)
    bulk = await call("jobs.bulk_enqueue", {"queue_name": "mail", "jobs": [{"payload": [1]}]})
    assert bulk.success_count == 1
    page = await call("jobs.list", {"status": ["pending"], "job_type": "t", "limit": 1})
    assert ([one.id for one in page], page.has_more) == ([whole.id], False)
    (job,) = (await call("jobs.claim", {"queue_name": "mail", "worker_id": "w"})).jobs
    assert job.id == whole.id
    await call("jobs.heartbeat", job.id, {"worker_id": "w", "lease_id": job.lease_id})
    done = {"worker_id": "w", "lease_id": job.lease_id, "result": [1, None]}
    assert (await call("jobs.complete", job.id, done)).success
    assert (await call("jobs.get", job.id)).result == [1, None]
    history = await call("jobs.history", job.id, {"order_dir": "desc", "limit": 3})
    assert [one.event_type for one in history] == ["completed", "lease_extended", "claimed"]
    assert history.has_more is True
    assert history[0].worker_id == "w"
    waiting = bulk.succeeded[0].job_id
    await call("jobs.cancel", waiting)
    with pytest.raises(ConflictError):
        await call("jobs.cancel", waiting)
    assert (await call("jobs.get_stats")).cancelled == 1
    (status,) = await call("jobs.batch_status", [waiting])
    assert status.status == "cancelled"


async def _dead_letters(call: Counting) -> None:
    dead = [await one_dead(call, "mail", "urgent"), await one_dead(call, "mail", "calm")]
    other = await one_dead(call, "other", "urgent")
    listed = await call("jobs.dlq.list", {"tag": "urgent", "queue_name": "mail"})
    assert ([one.id for one in listed], listed.has_more) == (dead[:1], False)
    retried = await call("jobs.dlq.retry", {"job_ids": dead[:1]})
    assert (retried.retried_count, retried.retried_jobs) == (1, dead[:1])
    assert (await call("jobs.get", dead[0])).retry_count == 0
    assert (await call("jobs.retry", dead[1])).status == "pending"
    old = {"confirm": True, "older_than": datetime(2020, 1, 1, tzinfo=UTC)}
    assert (await call("jobs.dlq.purge", old)).purged_count == 0
    assert (await call("jobs.dlq.purge", {"confirm": True})).purged_count == 1
    with pytest.raises(NotFoundError):
        await call("jobs.get", other)


async def _queues(call: Counting) -> None:
    assert [one.queue_name for one in await call("queues.list")] == ["mail", "other"]
    await call("queues.update_config", "mail", {"max_retries": 4})
    assert (await call("queues.get", "mail")).max_retries == 4
    assert (await call("queues.pause", "mail", "lunch")).reason == "lunch"
    assert (await call("queues.resume", "mail")).resumed
    assert (await call("queues.get_stats", "mail")).pending_jobs == 2
    with pytest.raises(ConflictError):
        await call("queues.delete", "mail")
    await call("queues.delete", "mail", True)
    await call("queues.delete", "other")
    assert await call("queues.list") == []
    assert await call("jobs.list") == []


async def test_the_request_id_is_seen_by_the_client(api: Api) -> None:
    with pytest.raises(NotFoundError) as raised:
        await api("jobs.get", "nobody")
    assert raised.value.request_id
