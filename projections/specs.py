"""What a caller may ask for: one struct per request body, with its bounds in the types.

The same structs validate HTTP bodies, drive commands in tests and generate the API description.
Unknown fields are ignored; an optional field that is null counts as absent (contract section 1.4).
Payloads, results, tags, settings and metadata stay the client's own JSON, as minified bytes.

What a type cannot say (the size of a payload, the kind of a tags value) is checked by the decide
functions, with ``rawjson``.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from projections import bounds


class Spec(Struct, frozen=True, kw_only=True):
    """Base of all request bodies. `EXTRA_SCHEMA` tells of rules between fields."""

    EXTRA_SCHEMA: ClassVar[dict[str, object]] = {}


class NewJob(Spec, frozen=True):
    """POST /jobs."""

    queue_name: bounds.QueueName
    payload: Raw
    priority: bounds.Priority | None = None
    max_retries: bounds.MaxRetries | None = None
    timeout_seconds: bounds.TimeoutSecs | None = None
    scheduled_at: bounds.Moment | None = None
    expires_at: bounds.Moment | None = None
    idempotency_key: bounds.IdempotencyKey | None = None
    tags: bounds.Tags | UnsetType = UNSET
    parent_job_id: bounds.JobId | None = None
    completion_webhook: bounds.WebhookUrl | None = None
    completion_webhook_secret: bounds.WebhookSecret | None = None


class BulkItem(Spec, frozen=True):
    """One job of a bulk request; what it leaves out comes from the request's defaults."""

    payload: Raw
    priority: int | None = None
    idempotency_key: str | None = None
    scheduled_at: bounds.Moment | None = None


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
    wait_secs: bounds.WaitSecs | None = None


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


class BulkCompletionItem(Spec, frozen=True):
    """One job of a bulk completion."""

    job_id: bounds.JobId
    lease_id: bounds.LeaseId | None = None
    result: Raw | UnsetType = UNSET


class BulkCompletion(Spec, frozen=True):
    """POST /jobs/bulk/complete. Items are judged one by one: a bad one does not undo the others."""

    worker_id: bounds.ClaimantId
    jobs: bounds.BulkSettlements[BulkCompletionItem]


class BulkFailureItem(Spec, frozen=True):
    """One job of a bulk failure."""

    job_id: bounds.JobId
    error: bounds.ErrorText
    lease_id: bounds.LeaseId | None = None


class BulkFailure(Spec, frozen=True):
    """POST /jobs/bulk/fail. Items are judged one by one, as in a bulk completion."""

    worker_id: bounds.ClaimantId
    jobs: bounds.BulkSettlements[BulkFailureItem]


class Cancellation(Spec, frozen=True):
    """POST /jobs/{id}/cancel; the body may be empty."""

    reason: bounds.CancelReason | None = None


class Extension(Spec, frozen=True):
    """POST /jobs/{id}/heartbeat."""

    worker_id: bounds.ClaimantId
    lease_id: bounds.LeaseId | None = None
    lease_duration_secs: bounds.LeaseSecs | None = None


class NewPriority(Spec, frozen=True):
    """PUT /jobs/{id}/priority."""

    priority: bounds.Priority


class DeadRetry(Spec, frozen=True):
    """POST /jobs/dlq/retry: these jobs, else those of the queue, else all, oldest first."""

    job_ids: bounds.DeadRetryIds | None = None
    queue_name: bounds.QueueName | None = None
    limit: bounds.DeadRetryLimit | None = None


class DeadPurge(Spec, frozen=True):
    """POST /jobs/dlq/purge: `older_than` compares with the time of creation."""

    confirm: bounds.Confirmation
    queue_name: bounds.QueueName | None = None
    older_than: bounds.Moment | None = None
    limit: bounds.DeadPurgeLimit | None = None


class ActionFilter(Spec, frozen=True):
    """Which jobs an action is about: all that match every criterion given. One must be given."""

    job_ids: bounds.ActionIds | None = None
    queue_name: bounds.QueueName | None = None
    status: bounds.FilterText | None = None
    tag: bounds.FilterText | None = None
    q: bounds.FilterText | None = None
    job_type: bounds.FilterText | None = None
    contains: bounds.FilterText | None = None
    error: bounds.FilterText | None = None
    error_signature: bounds.FilterText | None = None
    created_after: bounds.Moment | None = None
    created_before: bounds.Moment | None = None


_AT_LEAST_ONE = Meta(
    extra_json_schema={
        "anyOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
            for name in ActionFilter.__struct_fields__
        ]
    }
)


class Verb(StrEnum):
    """What an action does to each job."""

    CANCEL = "cancel"
    RETRY = "retry"
    PURGE = "purge"
    SET_PRIORITY = "set_priority"


class JobAction(Spec, frozen=True):
    """POST /jobs/actions; `priority` belongs to `set_priority`. `dry_run` only counts."""

    EXTRA_SCHEMA: ClassVar[dict[str, object]] = {
        "if": {"properties": {"action": {"const": "set_priority"}}},
        "then": {"required": ["priority"], "properties": {"priority": {"type": "integer"}}},
    }

    action: Verb
    filter: Annotated[ActionFilter, _AT_LEAST_ONE]
    priority: bounds.Priority | None = None
    dry_run: bool | None = None


class Undo(Spec, frozen=True):
    """POST /log/undo; `dry_run` only tells what would go back."""

    position: bounds.Position
    dry_run: bool | None = None


class QueueSettings(Spec, frozen=True):
    """The keys of a queue's `settings` that the server obeys; others are kept and shown.

    Seconds; `retry_jitter` is the share of a delay, 0 to 1, that is taken off at random.
    """

    retry_base_secs: bounds.RetrySecs | None = None
    retry_cap_secs: bounds.RetrySecs | None = None
    retry_jitter: bounds.RetryJitter | None = None
    concurrency_limit: bounds.ConcurrencyLimit | None = None


class QueueConfig(Spec, frozen=True):
    """PUT /queues/{name}/config: a partial update; `rate_limit: null` takes the limit away."""

    max_retries: bounds.MaxRetries | None = None
    default_timeout: bounds.TimeoutSecs | None = None
    rate_limit: bounds.RateLimit | UnsetType | None = UNSET
    enabled: bool | None = None
    settings: bounds.Settings | UnsetType = UNSET


class Pause(Spec, frozen=True):
    """POST /queues/{name}/pause; the body may be empty."""

    reason: bounds.PauseReason | None = None


class WorkerStatus(StrEnum):
    """What a worker may say of itself."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    DRAINING = "draining"


class NewWorker(Spec, frozen=True):
    """POST /workers/register."""

    queue_name: bounds.QueueName
    hostname: bounds.Hostname
    worker_id: bounds.WorkerId | None = None
    worker_type: bounds.WorkerType | None = None
    max_concurrency: bounds.MaxConcurrency | None = None
    metadata: bounds.Metadata | UnsetType = UNSET
    version: bounds.Version | None = None


class WorkerPulse(Spec, frozen=True):
    """POST /workers/{id}/heartbeat."""

    current_jobs: bounds.CurrentJobs
    status: WorkerStatus | None = None
    metadata: bounds.Metadata | UnsetType = UNSET


class JobFilter(Spec, frozen=True):
    """GET /jobs: which jobs, in which order, which page. Unknown statuses match nothing extra."""

    queue_name: str | None = None
    statuses: frozenset[str] | None = None
    tag: str | None = None
    q: str | None = None
    job_type: str | None = None
    contains: str | None = None
    error: str | None = None
    error_signature: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    order_by: str = "created_at"
    descending: bool = True
    limit: int = bounds.PAGE_JOBS_DEFAULT
    offset: int = 0


class DeadListQuery(Spec, frozen=True):
    """Parameters of a list of dead letters. A limit or offset out of its range is moved into it."""

    queue_name: str | None = None
    tag: bounds.TagFilter | None = None
    q: str | None = None
    job_type: str | None = None
    contains: str | None = None
    error: str | None = None
    error_signature: str | None = None
    created_after: bounds.Moment | None = None
    created_before: bounds.Moment | None = None
    order_by: str | None = None
    order_dir: str | None = None
    limit: int | None = None
    offset: int | None = None


class JobListQuery(DeadListQuery, frozen=True):
    """Parameters of a list of jobs; `status` is one status, or several with commas."""

    status: str | None = None


class HistoryQuery(Spec, frozen=True):
    """Parameters of a job's history. A limit or offset out of its range is moved into it."""

    order_dir: str | None = None
    limit: int | None = None
    offset: int | None = None


class Login(Spec, frozen=True):
    """POST /auth/login."""

    api_key: bounds.Credential


class Refresh(Spec, frozen=True):
    """POST /auth/refresh."""

    refresh_token: bounds.Credential


class Logout(Spec, frozen=True):
    """POST /auth/logout; the body may be empty."""

    refresh_token: str | None = None


class TokenValidation(Spec, frozen=True):
    """POST /auth/validate."""

    token: str


class RecordsQuery(Spec, frozen=True):
    """Parameters of the log's feed; `type` is one event type, or several with commas.

    A position or limit out of its range is moved into it.
    """

    after: int | None = None
    limit: int | None = None
    type: str | None = None
    queue: str | None = None
    job: str | None = None
    follow: bool | None = None


class EventsQuery(Spec, frozen=True):
    """Parameters of a stream of events, and of a WebSocket.

    `events` are names with commas between them; `after` is the id of the last event that the
    client has. A stream ends after `limit` events, at least one.
    """

    queue: str | None = None
    job_id: str | None = None
    events: str | None = None
    after: bounds.EventId | None = None
    limit: int | None = None


class BatchStatusQuery(Spec, frozen=True):
    """Parameters of the batch status: ids with commas between them."""

    ids: str = ""


class QueueDeletion(Spec, frozen=True):
    """Parameters of a queue's deletion."""

    delete_jobs: bool | None = None


class SeriesQuery(Spec, frozen=True):
    """Parameters of a queue's series. A time out of its range is moved into it."""

    since_secs: int | None = None
