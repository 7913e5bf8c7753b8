"""Workers: register, heartbeat, deregister. Registration is never needed to claim."""

from msgspec import Raw, UnsetType

from projections import bounds
from projections.decide import Caller, Context, Decision
from projections.entities import Worker
from projections.errors import Conflict, NotFound
from projections.events import WorkerDeregistered, WorkerHeartbeat, WorkerRegistered
from projections.rawjson import bounded
from projections.specs import NewWorker, WorkerPulse
from projections.state import State


def register(state: State, ctx: Context, spec: NewWorker) -> Decision[str]:
    """Announce a worker, or announce it again under its own id; the answer is the id.

    Raises:
        Denied, Conflict: key scope; the id is another organization's, or of a queue out of scope.

    """
    ctx.require(spec.queue_name)
    worker_id = spec.worker_id or ctx.new_id()
    known = state.tables.workers.get(worker_id)
    if known is not None and (known.org != ctx.org or not ctx.caller.may_use(known.queue)):
        raise Conflict("This worker id is taken")
    event = WorkerRegistered(
        org=ctx.org,
        worker=worker_id,
        queue=spec.queue_name,
        hostname=spec.hostname,
        max_concurrency=5 if spec.max_concurrency is None else spec.max_concurrency,
        offline_at=_offline_at(ctx),
        worker_type=spec.worker_type,
        version=spec.version,
        metadata=_metadata(spec.metadata),
    )
    return Decision((event,), worker_id)


def heartbeat(state: State, ctx: Context, worker_id: str, spec: WorkerPulse) -> Decision[None]:
    """Tell that a worker lives. Without a status: an offline one is healthy again, others keep.

    Raises:
        NotFound: unknown worker.

    """
    worker = found(state, ctx.caller, worker_id)
    kept = "healthy" if worker.status == "offline" else worker.status
    status = kept if spec.status is None else spec.status
    event = WorkerHeartbeat(
        org=ctx.org,
        worker=worker_id,
        current_jobs=spec.current_jobs,
        status=status,
        offline_at=_offline_at(ctx),
        metadata=_metadata(spec.metadata),
    )
    return Decision((event,), None)


def deregister(state: State, ctx: Context, worker_id: str) -> Decision[None]:
    """Take a worker off the list of the living. Its live leases stay until they run out.

    Raises:
        NotFound: unknown worker.

    """
    found(state, ctx.caller, worker_id)
    return Decision((WorkerDeregistered(org=ctx.org, worker=worker_id),), None)


def found(state: State, caller: Caller, worker_id: str) -> Worker:
    """Give the caller's worker.

    Raises:
        NotFound: no such worker for this caller.

    """
    worker = state.tables.workers.get(worker_id)
    if worker is None or worker.org != caller.org or not caller.may_use(worker.queue):
        raise NotFound("Worker not found")
    return worker


def _offline_at(ctx: Context) -> int:
    return ctx.now_us + bounds.WORKER_OFFLINE_SECS * bounds.SECOND_US


def _metadata(metadata: Raw | UnsetType) -> Raw | UnsetType:
    return bounded("metadata", metadata, bounds.SETTINGS_BYTES_MAX, b"{")
