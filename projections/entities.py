"""What exists now: the mutable things that events change. Only ``fold`` may change them.

Every field is a fact from an event, so the tables of these can be written to a snapshot as they
are. What can be computed from them lives in ``state`` and the index modules instead. Times are
integer microseconds since the Unix epoch, UTC.

A field at its default is left out of snapshots and digests, so a new field with a default is free:
neither changes where nothing is known of it. A new field that records of old already tell of is
not: older snapshots lack it (see ``snapshot``). Defaults are singletons, such as None, 0, UNSET;
a value that only equals its default would be written.
"""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from projections.lifecycle import Status

Shared = Annotated[str, Meta(extra={"shared": True})]
"""Text that many entities have in common; a loaded snapshot holds it once."""


class Entity(Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """What all that exists has in common: ``KEY`` names the fields it is found by in its table."""

    KEY: ClassVar[tuple[str, ...]] = ("id",)


class Job(Entity, gc=False):
    """One job. ``seq`` numbers all jobs in order of creation; ``position`` last changed it.

    A job that came back has a new number, and ``place`` is the one it had: it keeps its place in line.
    ``due_at`` is set while the job waits for its time; ``scheduled_at`` is what is shown. While
    ``blocked`` it waits for its parent. ``trail`` is the last record that tells of the job, refused
    settlements included.
    """

    id: str
    seq: int
    org: Shared
    queue: Shared
    payload: Raw
    max_retries: int
    timeout_secs: int
    created_at: int
    updated_at: int
    position: int
    status: Status = Status.PENDING
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
    trail: int = 0
    traceparent: str | None = None
    place: int = 0


class Queue(Entity, gc=False):
    """One queue's configuration. ``paused_at`` is set while claims hand out nothing.

    ``paid_until_ns`` tells how far its rate limit is used up (see ``ratelimit``), in nanoseconds.
    """

    KEY: ClassVar[tuple[str, ...]] = ("org", "name")

    id: str
    org: str
    name: str
    created_at: int
    updated_at: int
    settings: Raw
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
    last_claimed_at: int | None = None
    paid_until_ns: int = 0


class Worker(Entity, gc=False):
    """One registered worker, as its registration and heartbeats tell."""

    id: str
    org: str
    queue: str
    hostname: str
    status: str
    max_concurrency: int
    registered_at: int
    updated_at: int
    last_heartbeat: int
    offline_at: int | None
    current_jobs: int = 0
    worker_type: str | None = None
    version: str | None = None
    metadata: Raw | UnsetType = UNSET


class ApiKey(Entity, gc=False):
    """One API key, known by its hash. ``bootstrap`` marks the one the server itself made valid."""

    id: str
    org: str
    name: str
    hash: str
    prefix: str
    queues: list[str]
    created_at: int
    bootstrap: bool = False
    active: bool = True
