"""Every event that can be in the log, the record that carries them, and their bytes.

An event is an immutable fact in the past tense with its results (a retry time, a lease end), never
an intention: replay reads configuration nowhere. One record is one command: its events are atomic.

On the wire a record is one JSON object
``{"v":4,"at":1795461256521263,"by":"key_…","req":"…","events":[{"type":"job.created",…},…]}``;
its position stands in the log's frame, not here. Times are integer microseconds since the Unix
epoch, UTC. ``org`` is left out for the organization ``default``; fields at their default are left
out too.

Adding an optional field is free. A new event type is a new ``VOCABULARY``, so that an older version
can say why it does not read on. Anything else needs an upcaster in ``projections.upcast`` as well.
Every vocabulary has a golden segment in the tests.
"""

from typing import Final

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, field
from msgspec.json import Decoder, Encoder

from projections.lifecycle import Status
from projections.upcast import READ_AS_IS, VOCABULARY, upcast

DEFAULT_ORG: Final = "default"


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """What all events share: the organization they belong to."""

    org: str = DEFAULT_ORG


class _JobEvent(_Event, frozen=True, kw_only=True):
    """What all events of a job after its creation share.

    ``prev`` is the position of the record before that tells of the job: the way back through its
    history. Logs of vocabulary 1 do not have it.
    """

    prev: int = 0


class JobCreated(_Event, frozen=True, tag="job.created"):
    """A job entered a queue, with every default already resolved.

    ``due_at`` is set when the job waits for its time: it is then ``scheduled`` and becomes
    claimable by ``job.due``. ``scheduled_at`` keeps what the caller sent. While ``blocked`` it
    waits for its ``parent`` as well, until ``job.unblocked``. ``traceparent`` is the trace of the
    request that created it (W3C Trace Context).
    """

    job: str
    queue: str
    payload: Raw
    max_retries: int
    timeout_secs: int
    priority: int = 0
    due_at: int | None = None
    scheduled_at: int | None = None
    expires_at: int | None = None
    idempotency_key: str | None = None
    tags: Raw | UnsetType = UNSET
    parent: str | None = None
    completion_webhook: str | None = None
    completion_webhook_secret: str | None = None
    blocked: bool = False
    traceparent: str | None = None


class JobClaimed(_JobEvent, frozen=True, tag="job.claimed"):
    """A worker got the job under a fresh lease that runs until ``lease_until``."""

    job: str
    worker: str
    lease: str
    lease_until: int


class JobCompleted(_JobEvent, frozen=True, tag="job.completed"):
    """The lease holder finished the job."""

    job: str
    worker: str
    result: Raw | UnsetType = UNSET


class JobFailed(_JobEvent, frozen=True, tag="job.failed"):
    """An attempt failed: tried again at ``retry_at``, or dead-lettered when that is absent.

    ``cancelled`` when the job had been asked to stop: then it is neither.
    """

    job: str
    worker: str
    error: str
    retry_at: int | None = None
    cancelled: bool = False


class JobLeaseExtended(_JobEvent, frozen=True, tag="job.lease_extended"):
    """A heartbeat moved the end of the lease; it may also shorten it."""

    job: str
    lease_until: int


class JobLeaseExpired(_JobEvent, frozen=True, tag="job.lease_expired"):
    """The lease ran out: back to the queue at once, or dead-lettered when retries are used up.

    ``cancelled`` when the job had been asked to stop: then it is neither.
    """

    job: str
    worker: str
    error: str
    deadletter: bool = False
    cancelled: bool = False


class JobDue(_JobEvent, frozen=True, tag="job.due"):
    """The time that a scheduled or retried job waited for has come: it can be claimed."""

    job: str


class JobExpired(_JobEvent, frozen=True, tag="job.expired"):
    """The job was not started before its ``expires_at`` and is cancelled."""

    job: str
    error: str


class JobCancelled(_JobEvent, frozen=True, tag="job.cancelled"):
    """The job was cancelled before a worker had it; ``error`` says why, where there is a reason."""

    job: str
    error: str | None = None


class JobCancelRequested(_JobEvent, frozen=True, tag="job.cancel_requested"):
    """Someone asked the worker to stop; its next heartbeat is told."""

    job: str
    reason: str | None = None


class JobUnblocked(_JobEvent, frozen=True, tag="job.unblocked"):
    """The job that this one waited for is completed."""

    job: str


class JobReleased(_JobEvent, frozen=True, tag="job.released"):
    """A claim did not reach its worker: the lease is taken back and nothing is counted."""

    job: str
    worker: str


class JobRetried(_JobEvent, frozen=True, tag="job.retried"):
    """Someone sent a failed or dead-lettered job back to its queue."""

    job: str
    retry_count: int


class JobPriorityChanged(_JobEvent, frozen=True, tag="job.priority_changed"):
    """A waiting job's priority was replaced."""

    job: str
    priority: int


class JobDeleted(_JobEvent, frozen=True, tag="job.deleted"):
    """The job is gone from the state, and its idempotency key is free; its history stays here.

    ``place`` is its place in line. Logs of vocabularies 1 to 3 do not have it.
    """

    job: str
    place: int = 0


class JobRetired(_JobEvent, frozen=True, tag="job.retired"):
    """The finished job was kept long enough: gone from the state, as by its deletion."""

    job: str


class JobRestored(_JobEvent, frozen=True, tag="job.restored"):
    """A deleted job is there again, whole, as it was before; ``prev`` is the record that deleted it.

    It comes last in the order of creation, but keeps its ``place`` in line, where that is known. Its
    status, lease and times are those it had.
    """

    job: str
    queue: str
    payload: Raw
    max_retries: int
    timeout_secs: int
    created_at: int
    status: Status
    priority: int = 0
    retry_count: int = 0
    due_at: int | None = None
    scheduled_at: int | None = None
    expires_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    lease: str | None = None
    lease_until: int | None = None
    worker: str | None = None
    result: Raw | UnsetType = UNSET
    last_error: str | None = None
    idempotency_key: str | None = None
    tags: Raw | UnsetType = UNSET
    parent: str | None = None
    completion_webhook: str | None = None
    completion_webhook_secret: str | None = None
    blocked: bool = False
    cancel_requested_at: int | None = None
    traceparent: str | None = None
    place: int = 0


class JobReverted(_JobEvent, frozen=True, tag="job.reverted"):
    """The job is again what it was before someone cancelled, retried or reprioritised it.

    These are all the fields that such a change may touch, with the values of before.
    """

    job: str
    status: Status
    priority: int = 0
    retry_count: int = 0
    due_at: int | None = None
    completed_at: int | None = None
    last_error: str | None = None
    blocked: bool = False
    cancel_requested_at: int | None = None


class JobSettlementRefused(_JobEvent, frozen=True, tag="job.settlement_refused"):
    """Someone without the current lease tried to settle or extend the job; nothing changed."""

    job: str
    worker: str
    verb: str
    lease: str | None = None


class QueueCreated(_Event, frozen=True, tag="queue.created"):
    """A queue came to be, by its first job or its first configuration."""

    queue: str
    id: str


class QueueFacts(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All that a queue is told to be at one moment."""

    id: str
    created_at: int
    updated_at: int
    settings: Raw = field(default_factory=lambda: Raw(b"{}"))
    max_retries: int | None = None
    default_timeout_secs: int | None = None
    rate_limit: int | None = None
    paused_at: int | None = None
    paused_by: str | None = None
    paused_reason: str | None = None
    retry_base_secs: float | None = None
    retry_cap_secs: float | None = None
    retry_jitter: float | None = None
    concurrency_limit: int | None = None


class _QueueChange(_Event, frozen=True, kw_only=True):
    """What all changes of a queue share.

    ``before`` is what the queue was before this record. It is left out where this record created
    the queue; logs of vocabularies 1 to 3 do not have it.
    """

    before: QueueFacts | None = None


class QueueConfigured(_QueueChange, frozen=True, tag="queue.configured"):
    """The queue's whole configuration after a change.

    The numbers that the server obeys stand beside the ``settings`` they were read from.
    """

    queue: str
    max_retries: int
    default_timeout_secs: int
    rate_limit: int | None = None
    settings: Raw = field(default_factory=lambda: Raw(b"{}"))
    retry_base_secs: float | None = None
    retry_cap_secs: float | None = None
    retry_jitter: float | None = None
    concurrency_limit: int | None = None


class QueuePaused(_QueueChange, frozen=True, tag="queue.paused"):
    """Claims from this queue hand out nothing until it is resumed."""

    queue: str
    reason: str | None = None


class QueueResumed(_QueueChange, frozen=True, tag="queue.resumed"):
    """Claims from this queue hand out jobs again."""

    queue: str


class QueueDeleted(_QueueChange, frozen=True, tag="queue.deleted"):
    """The queue and its configuration are gone; jobs that still were in it are not."""

    queue: str


class QueueRestored(_QueueChange, frozen=True, tag="queue.restored"):
    """The queue is again what ``facts`` tells; without ``before`` it had been deleted."""

    queue: str
    facts: QueueFacts


class WorkerRegistered(_Event, frozen=True, tag="worker.registered"):
    """A worker announced itself, or announced itself again."""

    worker: str
    queue: str
    hostname: str
    max_concurrency: int
    offline_at: int
    worker_type: str | None = None
    version: str | None = None
    metadata: Raw | UnsetType = UNSET


class WorkerHeartbeat(_Event, frozen=True, tag="worker.heartbeat"):
    """A worker said that it lives; it counts as offline after ``offline_at``."""

    worker: str
    current_jobs: int
    status: str
    offline_at: int
    metadata: Raw | UnsetType = UNSET


class WorkerDeregistered(_Event, frozen=True, tag="worker.deregistered"):
    """A worker said goodbye. Jobs under a live lease stay leased."""

    worker: str


class WorkerLost(_Event, frozen=True, tag="worker.lost"):
    """A worker was silent for too long. Its leases run out on their own."""

    worker: str


class BulkApplied(_Event, frozen=True, tag="bulk.applied"):
    """One action on many jobs: the job events behind it in this record are its doing.

    Records with the same ``action`` id are parts of one action, of which ``first`` is the position of
    the first. ``filter`` is what was asked for.
    """

    action: str
    verb: str
    filter: Raw
    priority: int | None = None
    first: int = 0


class UndoApplied(_Event, frozen=True, tag="undo.applied"):
    """What stands behind it in this record takes back what the record at ``undoes`` did.

    ``action`` and ``first`` tie the records of one undo together, as in ``bulk.applied``.
    """

    undoes: int
    action: str
    first: int


class KeyCreated(_Event, frozen=True, tag="key.created"):
    """An API key became valid. ``hash`` is keyed by a secret that is not in the log."""

    key: str
    name: str
    hash: str
    prefix: str
    queues: list[str]
    bootstrap: bool = False


class KeyRevoked(_Event, frozen=True, tag="key.revoked"):
    """An API key stopped working."""

    key: str


class ServerStarted(_Event, frozen=True, tag="server.started"):
    """A server became the writer of this log."""

    version: str
    epoch: int


JobEvent = (
    JobCreated
    | JobClaimed
    | JobCompleted
    | JobFailed
    | JobLeaseExtended
    | JobLeaseExpired
    | JobDue
    | JobExpired
    | JobCancelled
    | JobCancelRequested
    | JobUnblocked
    | JobReleased
    | JobRetried
    | JobPriorityChanged
    | JobDeleted
    | JobRetired
    | JobRestored
    | JobReverted
    | JobSettlementRefused
)
QueueEvent = (
    QueueCreated | QueueConfigured | QueuePaused | QueueResumed | QueueDeleted | QueueRestored
)
WorkerEvent = WorkerRegistered | WorkerHeartbeat | WorkerDeregistered | WorkerLost
SystemEvent = BulkApplied | UndoApplied | KeyCreated | KeyRevoked | ServerStarted
Event = JobEvent | QueueEvent | WorkerEvent | SystemEvent


class Record(Struct, frozen=True, gc=False):
    """One command's events: what happened at ``at``, by whom, on which request.

    ``by`` is an API key id or ``system``; ``req`` the request id. ``position`` is the record's place
    in the log, 1 for the first.
    """

    position: int
    at: int
    by: str
    req: str
    events: tuple[Event, ...]


class _Body(Struct, frozen=True, gc=False):
    v: int
    at: int
    by: str
    req: str
    events: tuple[Event, ...]


class _Envelope(Struct, frozen=True, gc=False):
    v: int


class Undecodable(Exception):
    """A record's bytes are intact but not a record this version knows."""


_encoder = Encoder()
_decode_body = Decoder(_Body).decode
_decode_envelope = Decoder(_Envelope).decode


def encode(record: Record) -> bytes:
    """Give the record's body as one line of JSON, without its position."""
    return _encoder.encode(_Body(VOCABULARY, record.at, record.by, record.req, record.events))


def decode(position: int, body: bytes) -> Record:
    """Read a record's body.

    Raises:
        Undecodable: unknown event type, newer vocabulary, or not a record at all; the message
            names the position and what is needed.

    """
    try:
        found = _decode_body(body)
        if found.v != VOCABULARY and found.v not in READ_AS_IS:
            found = _decode_body(upcast(found.v, body))
    except DecodeError as reason:
        found = _decode_older(position, body, reason)
    return Record(position, found.at, found.by, found.req, found.events)


def _decode_older(position: int, body: bytes, reason: DecodeError) -> _Body:
    try:
        version = _decode_envelope(body).v
        if version < VOCABULARY and version not in READ_AS_IS:
            return _decode_body(upcast(version, body))
    except DecodeError as not_a_record:
        raise Undecodable(f"record {position} is not a record: {not_a_record}") from not_a_record
    known = version == VOCABULARY or version in READ_AS_IS
    needs = str(reason) if known else f"vocabulary {version}, this is {VOCABULARY}"
    raise Undecodable(f"record {position} cannot be read: {needs}") from reason
