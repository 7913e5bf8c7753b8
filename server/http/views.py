"""Entities in the API's words (contract sections 2.3, 2.5 and 2.6).

Fields that have no value are sent as null. Times are RFC 3339 UTC; payloads, results, tags, settings
and metadata go out as the bytes that came in.
"""

from typing import Final

from msgspec import Raw, Struct

from projections.entities import Job, Queue, Worker
from projections.lifecycle import Status
from projections.moments import to_text
from projections.queries.stats import QueueStats
from projections.rawjson import job_type

_EMPTY_OBJECT: Final = Raw(b"{}")


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
    created_at: str
    updated_at: str
    scheduled_at: str | None
    started_at: str | None
    completed_at: str | None
    expires_at: str | None
    priority: int
    tags: Raw | None
    timeout_seconds: int
    parent_job_id: str | None
    completion_webhook: str | None
    assigned_worker_id: str | None
    lease_id: str | None
    lease_expires_at: str | None
    idempotency_key: str | None
    position: int
    workflow_id: None = None
    dependency_mode: None = None
    dependencies_met: None = None


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
    created_at: str
    scheduled_at: str | None
    started_at: str | None
    completed_at: str | None


class BatchStatus(Struct, frozen=True):
    """A job in a batch status answer."""

    id: str
    status: Status
    queue_name: str
    retry_count: int
    attempt: int
    max_retries: int
    created_at: str
    started_at: str | None
    completed_at: str | None


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
    created_at: str
    lease_id: str | None
    lease_expires_at: str | None


class Claimed(Struct, frozen=True):
    """Answer to POST /jobs/claim."""

    jobs: list[ClaimedJob]


class Settled(Struct, frozen=True):
    """Answer to complete."""

    success: bool = True


class FailedAttempt(Struct, frozen=True):
    """Answer to fail: what becomes of the job."""

    success: bool
    will_retry: bool
    status: Status
    next_retry_at: str | None


class Extended(Struct, frozen=True):
    """Answer to heartbeat."""

    success: bool
    lease_expires_at: str


class PriorityChanged(Struct, frozen=True):
    """Answer to PUT /jobs/{id}/priority."""

    job_id: str
    old_priority: int
    new_priority: int


class QueueSummary(Struct, frozen=True):
    """A queue in a list."""

    queue_name: str
    max_retries: int
    default_timeout: int
    rate_limit: int | None
    enabled: bool


class QueueDetail(Struct, frozen=True):
    """A whole queue."""

    id: str
    organization_id: str
    queue_name: str
    max_retries: int
    default_timeout: int
    rate_limit: int | None
    enabled: bool
    settings: Raw
    paused_at: str | None
    paused_by: str | None
    paused_reason: str | None
    created_at: str
    updated_at: str


class QueueFigures(Struct, frozen=True):
    """Answer to GET /queues/{name}/stats."""

    queue_name: str
    pending_jobs: int
    processing_jobs: int
    completed_jobs_24h: int
    failed_jobs_24h: int
    avg_processing_time_ms: float | None
    max_job_age_seconds: int | None
    active_workers: int


class Paused(Struct, frozen=True):
    """Answer to pause."""

    queue_name: str
    paused: bool
    paused_at: str | None
    reason: str | None


class Resumed(Struct, frozen=True):
    """Answer to resume."""

    queue_name: str
    resumed: bool
    paused_duration_secs: int


class Registered(Struct, frozen=True):
    """Answer to worker registration."""

    id: str
    queue_name: str
    lease_duration_secs: int
    heartbeat_interval_secs: int


class WorkerDetail(Struct, frozen=True):
    """A worker, in lists and alone."""

    id: str
    organization_id: str
    queue_name: str
    queue_names: list[str]
    hostname: str
    worker_type: str | None
    max_concurrency: int
    current_jobs: int
    status: str
    last_heartbeat: str
    metadata: Raw
    version: str | None
    registered_at: str
    updated_at: str


def job(entity: Job) -> JobDetail:
    """Give a whole job."""
    return JobDetail(
        id=entity.id,
        organization_id=entity.org,
        queue_name=entity.queue,
        status=entity.status,
        payload=entity.payload,
        result=entity.result,
        retry_count=entity.retry_count,
        max_retries=entity.max_retries,
        last_error=entity.last_error,
        created_at=to_text(entity.created_at),
        updated_at=to_text(entity.updated_at),
        scheduled_at=_text(entity.scheduled_at),
        started_at=_text(entity.started_at),
        completed_at=_text(entity.completed_at),
        expires_at=_text(entity.expires_at),
        priority=entity.priority,
        tags=entity.tags,
        timeout_seconds=entity.timeout_secs,
        parent_job_id=entity.parent,
        completion_webhook=entity.completion_webhook,
        assigned_worker_id=entity.worker,
        lease_id=entity.lease,
        lease_expires_at=_text(entity.lease_until),
        idempotency_key=entity.idempotency_key,
        position=entity.position,
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
        scheduled_at=_text(entity.scheduled_at),
        started_at=_text(entity.started_at),
        completed_at=_text(entity.completed_at),
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
        started_at=_text(entity.started_at),
        completed_at=_text(entity.completed_at),
    )


def claimed(entity: Job) -> ClaimedJob:
    """Give a job as its new worker needs it."""
    return ClaimedJob(
        id=entity.id,
        queue_name=entity.queue,
        payload=entity.payload,
        priority=entity.priority,
        tags=entity.tags,
        retry_count=entity.retry_count,
        max_retries=entity.max_retries,
        timeout_seconds=entity.timeout_secs,
        created_at=to_text(entity.created_at),
        lease_id=entity.lease,
        lease_expires_at=_text(entity.lease_until),
    )


def queue_summary(entity: Queue, retries: int, timeout_secs: int) -> QueueSummary:
    """Give a queue as lists show it; `retries` and `timeout_secs` are the server's defaults."""
    return QueueSummary(
        queue_name=entity.name,
        max_retries=_or(entity.max_retries, retries),
        default_timeout=_or(entity.default_timeout_secs, timeout_secs),
        rate_limit=entity.rate_limit,
        enabled=entity.paused_at is None,
    )


def queue(entity: Queue, retries: int, timeout_secs: int) -> QueueDetail:
    """Give a whole queue; `retries` and `timeout_secs` are the server's defaults."""
    return QueueDetail(
        id=entity.id,
        organization_id=entity.org,
        queue_name=entity.name,
        max_retries=_or(entity.max_retries, retries),
        default_timeout=_or(entity.default_timeout_secs, timeout_secs),
        rate_limit=entity.rate_limit,
        enabled=entity.paused_at is None,
        settings=entity.settings,
        paused_at=_text(entity.paused_at),
        paused_by=entity.paused_by,
        paused_reason=entity.paused_reason,
        created_at=to_text(entity.created_at),
        updated_at=to_text(entity.updated_at),
    )


def queue_figures(name: str, stats: QueueStats) -> QueueFigures:
    """Give a queue's figures: milliseconds and whole seconds."""
    average, oldest = stats.avg_processing_us, stats.oldest_waiting_us
    return QueueFigures(
        queue_name=name,
        pending_jobs=stats.pending_jobs,
        processing_jobs=stats.processing_jobs,
        completed_jobs_24h=stats.completed_24h,
        failed_jobs_24h=stats.failed_24h,
        avg_processing_time_ms=None if average is None else average / 1_000,
        max_job_age_seconds=None if oldest is None else oldest // 1_000_000,
        active_workers=stats.active_workers,
    )


def worker(entity: Worker) -> WorkerDetail:
    """Give a worker."""
    return WorkerDetail(
        id=entity.id,
        organization_id=entity.org,
        queue_name=entity.queue,
        queue_names=[entity.queue],
        hostname=entity.hostname,
        worker_type=entity.worker_type,
        max_concurrency=entity.max_concurrency,
        current_jobs=entity.current_jobs,
        status=entity.status,
        last_heartbeat=to_text(entity.last_heartbeat),
        metadata=_EMPTY_OBJECT if entity.metadata is None else entity.metadata,
        version=entity.version,
        registered_at=to_text(entity.registered_at),
        updated_at=to_text(entity.updated_at),
    )


def _text(at_us: int | None) -> str | None:
    return None if at_us is None else to_text(at_us)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
