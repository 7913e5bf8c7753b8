"""What a caller may ask for: one struct per request body, with its bounds in the types.

The same structs validate HTTP bodies, drive commands in tests and generate the API description.
Unknown fields are ignored; an optional field that is null counts as absent (contract section 1.4).
Payloads, results, tags, settings and metadata stay the client's own JSON, as minified bytes.

What a type cannot say (the size of a payload, the kind of a tags value) is checked by the decide
functions, with ``rawjson``.
"""

from datetime import datetime

from msgspec import UNSET, Raw, Struct, UnsetType

from projections import bounds


class Spec(Struct, frozen=True, kw_only=True):
    """Base of all request bodies."""


class NewJob(Spec, frozen=True):
    """POST /jobs."""

    queue_name: bounds.QueueName
    payload: Raw
    priority: bounds.Priority | None = None
    max_retries: bounds.MaxRetries | None = None
    timeout_seconds: bounds.TimeoutSecs | None = None
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    idempotency_key: bounds.IdempotencyKey | None = None
    tags: Raw | UnsetType = UNSET
    parent_job_id: bounds.ParentJobId | None = None
    completion_webhook: bounds.WebhookUrl | None = None
    completion_webhook_secret: bounds.WebhookSecret | None = None


class BulkItem(Spec, frozen=True):
    """One job of a bulk request; what it leaves out comes from the request's defaults."""

    payload: Raw
    priority: int | None = None
    idempotency_key: str | None = None
    scheduled_at: datetime | None = None


class BulkJobs(Spec, frozen=True):
    """POST /jobs/bulk. Items are judged one by one: a bad one does not undo the others."""

    queue_name: bounds.QueueName
    jobs: bounds.BulkItems[BulkItem]
    default_priority: bounds.Priority | None = None
    default_max_retries: bounds.MaxRetries | None = None
    default_timeout_seconds: bounds.TimeoutSecs | None = None


class Claim(Spec, frozen=True):
    """POST /jobs/claim."""

    queue_name: bounds.QueueName
    worker_id: bounds.ClaimantId
    limit: bounds.ClaimLimit | None = None
    lease_duration_secs: bounds.LeaseSecs | None = None


class Completion(Spec, frozen=True):
    """POST /jobs/{id}/complete."""

    worker_id: bounds.ClaimantId
    lease_id: bounds.LeaseId | None = None
    result: Raw | UnsetType = UNSET


class Failure(Spec, frozen=True):
    """POST /jobs/{id}/fail."""

    worker_id: bounds.ClaimantId
    error: bounds.ErrorText
    lease_id: bounds.LeaseId | None = None


class Extension(Spec, frozen=True):
    """POST /jobs/{id}/heartbeat."""

    worker_id: bounds.ClaimantId
    lease_id: bounds.LeaseId | None = None
    lease_duration_secs: bounds.LeaseSecs | None = None


class NewPriority(Spec, frozen=True):
    """PUT /jobs/{id}/priority."""

    priority: bounds.Priority


class QueueConfig(Spec, frozen=True):
    """PUT /queues/{name}/config: a partial update; `rate_limit: null` takes the limit away."""

    max_retries: bounds.MaxRetries | None = None
    default_timeout: bounds.TimeoutSecs | None = None
    rate_limit: bounds.RateLimit | UnsetType | None = UNSET
    enabled: bool | None = None
    settings: Raw | UnsetType = UNSET


class Pause(Spec, frozen=True):
    """POST /queues/{name}/pause; the body may be empty."""

    reason: bounds.PauseReason | None = None


class NewWorker(Spec, frozen=True):
    """POST /workers/register."""

    queue_name: bounds.QueueName
    hostname: bounds.Hostname
    worker_id: bounds.WorkerId | None = None
    worker_type: bounds.WorkerType | None = None
    max_concurrency: bounds.MaxConcurrency | None = None
    metadata: Raw | UnsetType = UNSET
    version: bounds.Version | None = None


class WorkerPulse(Spec, frozen=True):
    """POST /workers/{id}/heartbeat."""

    current_jobs: bounds.CurrentJobs
    status: str | None = None
    metadata: Raw | UnsetType = UNSET


class JobFilter(Spec, frozen=True):
    """GET /jobs: which jobs, in which order, which page. Unknown statuses match nothing extra."""

    queue_name: str | None = None
    statuses: frozenset[str] | None = None
    tag: str | None = None
    q: str | None = None
    job_type: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    order_by: str = "created_at"
    descending: bool = True
    limit: int = bounds.PAGE_JOBS_DEFAULT
    offset: int = 0
