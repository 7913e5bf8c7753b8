"""Jobs as the API shows them: whole, in lists, in a worker's hands, and the answers to commands."""

from msgspec import Raw, Struct

from projections.entities import Job
from projections.lifecycle import Status
from projections.moments import to_text, to_text_or_none
from projections.rawjson import job_type, or_null
from server.http.views.times import Time


class Created(Struct, frozen=True):
    """Answer to POST /jobs."""

    id: str
    created: bool


class BulkSucceeded(Struct, frozen=True):
    """One item that is in the queue, now or since before."""

    index: int
    job_id: str
    created: bool


class BulkFailed(Struct, frozen=True):
    """One item that was refused."""

    index: int
    error: str


class BulkCreated(Struct, frozen=True):
    """Answer to POST /jobs/bulk."""

    succeeded: list[BulkSucceeded]
    failed: list[BulkFailed]
    total: int
    success_count: int
    failure_count: int


class JobDetail(Struct, frozen=True):
    """A whole job."""

    id: str
    organization_id: str
    queue_name: str
    status: Status
    payload: Raw
    result: Raw | None
    retry_count: int
    max_retries: int
    last_error: str | None
    created_at: Time
    updated_at: Time
    scheduled_at: Time | None
    started_at: Time | None
    completed_at: Time | None
    expires_at: Time | None
    priority: int
    tags: Raw | None
    timeout_seconds: int
    parent_job_id: str | None
    completion_webhook: str | None
    assigned_worker_id: str | None
    lease_id: str | None
    lease_expires_at: Time | None
    idempotency_key: str | None
    position: int
    dependencies_met: bool | None
    cancel_requested_at: Time | None
    traceparent: str | None
    workflow_id: None = None
    dependency_mode: None = None


class JobSummary(Struct, frozen=True):
    """A job in a list."""

    id: str
    queue_name: str
    status: Status
    priority: int
    retry_count: int
    max_retries: int
    job_type: str
    last_error: str | None
    created_at: Time
    scheduled_at: Time | None
    started_at: Time | None
    completed_at: Time | None


class BatchStatus(Struct, frozen=True):
    """A job in a batch status answer."""

    id: str
    status: Status
    queue_name: str
    retry_count: int
    attempt: int
    max_retries: int
    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class PriorityChanged(Struct, frozen=True):
    """Answer to PUT /jobs/{id}/priority."""

    job_id: str
    old_priority: int
    new_priority: int


class Stopping(Struct, frozen=True):
    """Answer to POST /jobs/{id}/cancel: cancelled, or its worker will be asked to stop."""

    job_id: str
    status: Status
    cancel_requested: bool


def job(entity: Job) -> JobDetail:
    """Give a whole job."""
    return JobDetail(
        id=entity.id,
        organization_id=entity.org,
        queue_name=entity.queue,
        status=entity.status,
        payload=entity.payload,
        result=or_null(entity.result),
        retry_count=entity.retry_count,
        max_retries=entity.max_retries,
        last_error=entity.last_error,
        created_at=to_text(entity.created_at),
        updated_at=to_text(entity.updated_at),
        scheduled_at=to_text_or_none(entity.scheduled_at),
        started_at=to_text_or_none(entity.started_at),
        completed_at=to_text_or_none(entity.completed_at),
        expires_at=to_text_or_none(entity.expires_at),
        priority=entity.priority,
        tags=or_null(entity.tags),
        timeout_seconds=entity.timeout_secs,
        parent_job_id=entity.parent,
        completion_webhook=entity.completion_webhook,
        assigned_worker_id=entity.worker,
        lease_id=entity.lease,
        lease_expires_at=to_text_or_none(entity.lease_until),
        idempotency_key=entity.idempotency_key,
        position=entity.position,
        dependencies_met=None if entity.parent is None else not entity.blocked,
        cancel_requested_at=to_text_or_none(entity.cancel_requested_at),
        traceparent=entity.traceparent,
    )


def summary(entity: Job) -> JobSummary:
    """Give a job as lists show it."""
    return JobSummary(
        id=entity.id,
        queue_name=entity.queue,
        status=entity.status,
        priority=entity.priority,
        retry_count=entity.retry_count,
        max_retries=entity.max_retries,
        job_type=job_type(entity.payload),
        last_error=entity.last_error,
        created_at=to_text(entity.created_at),
        scheduled_at=to_text_or_none(entity.scheduled_at),
        started_at=to_text_or_none(entity.started_at),
        completed_at=to_text_or_none(entity.completed_at),
    )


def batch_status(entity: Job) -> BatchStatus:
    """Give a job as a batch status answer shows it."""
    return BatchStatus(
        id=entity.id,
        status=entity.status,
        queue_name=entity.queue,
        retry_count=entity.retry_count,
        attempt=entity.retry_count,
        max_retries=entity.max_retries,
        created_at=to_text(entity.created_at),
        started_at=to_text_or_none(entity.started_at),
        completed_at=to_text_or_none(entity.completed_at),
    )
