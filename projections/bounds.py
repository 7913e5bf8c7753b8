"""Every limit of the API, as annotated types and constants (contract section 1.5).

Nothing here decides anything: specs attach these types to fields, decide functions compare with
the constants, and the API description is generated from the same objects.
"""

from datetime import datetime
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Raw

KIB: Final = 1024
MIB: Final = 1024 * KIB

NESTING_MAX: Final = 100
QUEUE_NAME_CHARACTERS_MAX: Final = 100
JOB_ID_CHARACTERS_MAX: Final = 255
PRIORITY_MIN: Final = -100
PRIORITY_MAX: Final = 100
IDEMPOTENCY_KEY_MAX: Final = 255
PAYLOAD_BYTES_MAX: Final = MIB
RESULT_BYTES_MAX: Final = MIB
TAGS_BYTES_MAX: Final = 64 * KIB
SETTINGS_BYTES_MAX: Final = 64 * KIB
BODY_BYTES_MAX: Final = 2 * MIB
BULK_BODY_BYTES_MAX: Final = 32 * MIB

BULK_JOBS_MAX: Final = 100
CLAIM_JOBS_MAX: Final = 100
BULK_SETTLEMENTS_MAX: Final = 100
BATCH_STATUS_IDS_MAX: Final = 100
DEAD_RETRY_IDS_MAX: Final = 1_000
DEAD_RETRY_MAX: Final = 100
DEAD_PURGE_MAX: Final = 10_000
ACTION_IDS_MAX: Final = 1_000
JOBS_PER_RECORD_MAX: Final = 500
UNDONE_PER_RECORD_MAX: Final = 200
RESTORED_BYTES_PER_RECORD_MAX: Final = MIB
CHILDREN_WAITING_MAX: Final = 10_000
PLACES_COUNTED_MAX: Final = 1_000
PAGE_JOBS_MAX: Final = 100
PAGE_JOBS_DEFAULT: Final = 50
OFFSET_MAX: Final = 1 << 62
PAGE_HISTORY_MAX: Final = 500
PAGE_HISTORY_DEFAULT: Final = 100
PAGE_RECORDS_MAX: Final = 1_000
PAGE_RECORDS_DEFAULT: Final = 100
LISTED_QUEUES_MAX: Final = 100
LISTED_WORKERS_MAX: Final = 100

RETRIES_DEFAULT: Final = 3
TIMEOUT_SECS_DEFAULT: Final = 300
LEASE_SECS_DEFAULT: Final = 30
WAIT_SECS_MAX: Final = 20
WORKER_HEARTBEAT_SECS: Final = 10
WORKER_OFFLINE_SECS: Final = 120
KEPT_FINISHED_JOBS_DEFAULT: Final = 1_000_000

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
KEPT_FINISHED_US_DEFAULT: Final = 7 * DAY_US

# Patterns end in \Z: a `$` would let a trailing newline through.
QUEUE_NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*\Z"
STRICT_QUEUE_NAME_PATTERN: Final = r"^[a-z0-9-]{1,64}\Z"
WORKER_PATTERN: Final = r"^[A-Za-z0-9._-]+\Z"

QueueName = Annotated[
    str,
    Meta(min_length=1, max_length=QUEUE_NAME_CHARACTERS_MAX, pattern=QUEUE_NAME_PATTERN),
]
Priority = Annotated[int, Meta(ge=PRIORITY_MIN, le=PRIORITY_MAX)]
MaxRetries = Annotated[int, Meta(ge=0, le=100)]
TimeoutSecs = Annotated[int, Meta(ge=1, le=86_400)]
LeaseSecs = Annotated[int, Meta(ge=5, le=3_600)]
ClaimLimit = Annotated[int, Meta(ge=1, le=CLAIM_JOBS_MAX)]
WaitSecs = Annotated[float, Meta(ge=0, le=WAIT_SECS_MAX)]
IdempotencyKey = Annotated[str, Meta(min_length=1, max_length=IDEMPOTENCY_KEY_MAX)]
WebhookUrl = Annotated[str, Meta(min_length=1, max_length=2_048, pattern=r"^https?://[!-~]+\Z")]
WebhookSecret = Annotated[str, Meta(max_length=255)]
ErrorText = Annotated[str, Meta(min_length=1, max_length=2_048)]
ClaimantId = Annotated[str, Meta(min_length=1, max_length=255)]
LeaseId = Annotated[str, Meta(max_length=255)]
PauseReason = Annotated[str, Meta(max_length=500)]
CancelReason = Annotated[str, Meta(max_length=500)]
RateLimit = Annotated[int, Meta(ge=1, le=100_000)]
ConcurrencyLimit = Annotated[float, Meta(ge=1, le=100_000, multiple_of=1)]
RetrySecs = Annotated[float, Meta(ge=0, le=31_536_000)]
RetryJitter = Annotated[float, Meta(ge=0, le=1)]
DeadRetryLimit = Annotated[int, Meta(ge=1, le=DEAD_RETRY_MAX)]
DeadPurgeLimit = Annotated[int, Meta(ge=1, le=DEAD_PURGE_MAX)]
JobId = Annotated[str, Meta(min_length=1, max_length=JOB_ID_CHARACTERS_MAX)]
Position = Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
TagFilter = Annotated[str, Meta(max_length=1_024)]
FilterText = Annotated[str, Meta(min_length=1, max_length=1_024)]
WorkerId = Annotated[str, Meta(min_length=1, max_length=128, pattern=WORKER_PATTERN)]
Hostname = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\Z",
    ),
]
EventId = Annotated[str, Meta(pattern=r"^([0-9]{1,19}(\.[0-9]{1,9})?)?\Z")]
Credential = Annotated[str, Meta(min_length=10)]
WorkerType = Annotated[str, Meta(max_length=50)]
Version = Annotated[str, Meta(max_length=50)]
MaxConcurrency = Annotated[int, Meta(ge=1, le=100)]
CurrentJobs = Annotated[int, Meta(ge=0, le=1_000)]

# What msgspec cannot check or tell by itself; the decide functions check it.
Moment = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]
Tags = Annotated[Raw, Meta(extra_json_schema={"type": ["array", "object", "null"]})]
Confirmation = Annotated[bool, Meta(extra_json_schema={"const": True})]
Metadata = Annotated[Raw, Meta(extra_json_schema={"type": ["object", "null"]})]
Settings = Annotated[
    Raw,
    Meta(
        extra_json_schema={
            "anyOf": [{"$ref": "#/components/schemas/QueueSettings"}, {"type": "null"}]
        }
    ),
]

_Item = TypeVar("_Item")
BulkItems = Annotated[list[_Item], Meta(min_length=1, max_length=BULK_JOBS_MAX)]
BulkSettlements = Annotated[list[_Item], Meta(min_length=1, max_length=BULK_SETTLEMENTS_MAX)]
DeadRetryIds = Annotated[list[JobId], Meta(max_length=DEAD_RETRY_IDS_MAX)]
ActionIds = Annotated[list[JobId], Meta(min_length=1, max_length=ACTION_IDS_MAX)]

assert PAYLOAD_BYTES_MAX < BODY_BYTES_MAX < BULK_BODY_BYTES_MAX
assert PAGE_JOBS_DEFAULT <= PAGE_JOBS_MAX
