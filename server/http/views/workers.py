"""Workers as the API shows them."""

from msgspec import UNSET, Raw, Struct

from projections.entities import Worker
from projections.moments import to_text, to_text_or_none
from projections.rawjson import EMPTY_OBJECT
from server.claimants import Claimant as Found
from server.http.views.times import Time


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
    last_heartbeat: Time
    metadata: Raw
    version: str | None
    registered_at: Time
    updated_at: Time


class Claimant(Struct, frozen=True):
    """A worker with the jobs of one queue: what it holds, and what it did since the server's start."""

    worker_id: str
    queue_name: str
    holding: int
    oldest_claimed_at: Time | None
    last_heard_at: Time
    claimed: int
    completed: int
    failed: int
    leases_lost: int


def claimant(found: Found) -> Claimant:
    """Give a worker as its jobs tell of it."""
    doings = found.doings
    return Claimant(
        worker_id=found.worker,
        queue_name=found.queue,
        holding=found.holding,
        oldest_claimed_at=to_text_or_none(found.oldest_at),
        last_heard_at=to_text(doings.last_at),
        claimed=doings.claimed,
        completed=doings.completed,
        failed=doings.failed,
        leases_lost=doings.lost,
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
        metadata=EMPTY_OBJECT if entity.metadata is UNSET else entity.metadata,
        version=entity.version,
        registered_at=to_text(entity.registered_at),
        updated_at=to_text(entity.updated_at),
    )
