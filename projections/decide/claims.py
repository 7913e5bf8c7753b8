"""Jobs handed to a worker: claim and extend."""

from itertools import islice

from msgspec import Struct

from projections import bounds, eligibility
from projections.decide import Context, Decision
from projections.decide.fence import LeaseHeld, held
from projections.events import JobClaimed, JobLeaseExtended
from projections.specs import Claim, Extension
from projections.state import State


class Extended(Struct, frozen=True):
    """Until when the lease runs now, and whether the worker is asked to stop."""

    lease_until: int
    cancel_requested: bool


def claim(state: State, ctx: Context, spec: Claim) -> Decision[tuple[str, ...]]:
    """Hand out the best ready jobs, each under a fresh lease; the answer is their ids, in order.

    Nothing is handed out by a queue that is paused, at a limit, empty or unknown.

    Raises:
        Denied: key scope.

    """
    ctx.require(spec.queue_name)
    queue = state.queue(ctx.org, spec.queue_name)
    if queue is None:
        return Decision((), ())
    shelf = state.shelf(ctx.org, queue.name)
    granted = eligibility.allowance(queue, shelf, ctx.now_us, _or(spec.limit, 1))
    lease_secs = _or(spec.lease_duration_secs, bounds.LEASE_SECS_DEFAULT)
    lease_until = ctx.now_us + lease_secs * bounds.SECOND_US
    jobs = state.tables.jobs
    ready = (jobs[job_id] for _, job_id in shelf.ready.in_order())
    startable = (job for job in ready if not eligibility.holds(job, ctx.now_us))
    claimed = tuple(
        JobClaimed(
            org=ctx.org,
            job=job.id,
            prev=job.trail,
            worker=spec.worker_id,
            lease=ctx.new_id(),
            lease_until=lease_until,
        )
        for job in islice(startable, granted.jobs)
    )
    return Decision(claimed, tuple(event.job for event in claimed))


def extend(state: State, ctx: Context, job_id: str, spec: Extension) -> Decision[Extended]:
    """Move the end of the lease to now plus the duration asked.

    Raises:
        NotFound, Conflict, LeaseExpired: unknown; ended before; not the lease holder.

    """
    claimed = LeaseHeld("heartbeat", spec.worker_id, spec.lease_id)
    job, refusal = held(state, ctx, job_id, claimed)
    lease_secs = _or(spec.lease_duration_secs, bounds.LEASE_SECS_DEFAULT)
    answer = Extended(
        ctx.now_us + lease_secs * bounds.SECOND_US, job.cancel_requested_at is not None
    )
    if refusal is not None:
        return Decision((claimed.refused(job),), answer, refusal)
    event = JobLeaseExtended(
        org=job.org, job=job.id, prev=job.trail, lease_until=answer.lease_until
    )
    return Decision((event,), answer)


def _or(asked: int | None, default: int) -> int:
    return default if asked is None else asked
