"""Jobs in a worker's hands, as the API shows them."""

from msgspec import Raw, Struct

from projections.entities import Job
from projections.moments import to_text
from projections.rawjson import or_null
from server.http.views.times import Time


class ClaimedJob(Struct, frozen=True):
    """A job in its new worker's hands."""

    id: str
    queue_name: str
    payload: Raw
    priority: int
    tags: Raw | None
    retry_count: int
    max_retries: int
    timeout_seconds: int
    created_at: Time
    lease_id: str
    lease_expires_at: Time
    traceparent: str | None


class Claimed(Struct, frozen=True):
    """Answer to claim."""

    jobs: list[ClaimedJob]


class Extended(Struct, frozen=True):
    """Answer to a job's heartbeat."""

    lease_expires_at: Time
    cancel_requested: bool
    success: bool = True


def claimed(entity: Job) -> ClaimedJob:
    """Give a job as its new worker needs it."""
    assert entity.lease is not None
    assert entity.lease_until is not None
    return ClaimedJob(
        id=entity.id,
        queue_name=entity.queue,
        payload=entity.payload,
        priority=entity.priority,
        tags=or_null(entity.tags),
        retry_count=entity.retry_count,
        max_retries=entity.max_retries,
        timeout_seconds=entity.timeout_secs,
        created_at=to_text(entity.created_at),
        lease_id=entity.lease,
        lease_expires_at=to_text(entity.lease_until),
        traceparent=entity.traceparent,
    )
