"""Jobs in a worker's hands: claim, complete, fail, extend; and a lease that runs out."""

from itertools import islice
from typing import TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType

from projections import bounds
from projections.backoff import retry_delay_us
from projections.decide import Context, Decision
from projections.decide.jobs import found
from projections.entities import Job
from projections.errors import Conflict, LeaseExpired, Missing
from projections.events import (
    JobClaimed,
    JobCompleted,
    JobFailed,
    JobLeaseExpired,
    JobLeaseExtended,
    JobSettlementRefused,
)
from projections.lifecycle import TERMINAL, Status
from projections.rawjson import document, present
from projections.specs import Claim, Completion, Extension, Failure
from projections.state import State

A = TypeVar("A")

LEASE_EXPIRED_RETRY = "Lease expired (worker timeout)"
LEASE_EXPIRED_DEAD = "Max retries exceeded after lease expiration"


class Failed(Struct, frozen=True):
    """Whether the job will be tried again, and when."""

    will_retry: bool
    retry_at: int | None


class _Holding(Struct, frozen=True):
    """A job and why the asker may not touch it, if so."""

    job: Job
    refusal: LeaseExpired | None


def claim(state: State, ctx: Context, spec: Claim) -> Decision[tuple[str, ...]]:
    """Hand out the best ready jobs, each under a fresh lease; the answer is their ids, in order.

    Nothing is handed out by a queue that is paused, empty or unknown.

    Raises:
        Denied: key scope.

    """
    ctx.require(spec.queue_name)
    queue = state.queue(ctx.org, spec.queue_name)
    if queue is None or queue.paused_at is not None:
        return Decision((), ())
    lease_secs = _or(spec.lease_duration_secs, bounds.LEASE_SECS_DEFAULT)
    lease_until = ctx.now_us + lease_secs * bounds.SECOND_US
    jobs = state.tables.jobs
    ready = (jobs[job_id] for _, job_id in state.shelf(ctx.org, queue.name).ready.in_order())
    startable = (job for job in ready if job.expires_at is None or job.expires_at > ctx.now_us)
    claimed = tuple(
        JobClaimed(
            org=ctx.org,
            job=job.id,
            worker=spec.worker_id,
            lease=ctx.new_id(),
            lease_until=lease_until,
        )
        for job in islice(startable, _or(spec.limit, 1))
    )
    return Decision(claimed, tuple(event.job for event in claimed))


def complete(state: State, ctx: Context, job_id: str, spec: Completion) -> Decision[None]:
    """Finish a job with its result.

    Raises:
        NotFound, Conflict, LeaseExpired, TooLarge: unknown; ended before; not the lease holder;
            result over 1 MiB.

    """
    holding = _holding(state, ctx, job_id, spec.worker_id, spec.lease_id)
    if holding.refusal is not None:
        return _refused(holding, "complete", spec.worker_id, spec.lease_id, None)
    result: Raw | UnsetType = UNSET
    given = present(spec.result)
    if given is not None:
        result = document("result", given, bounds.RESULT_BYTES_MAX)
    job = holding.job
    event = JobCompleted(org=job.org, job=job.id, worker=spec.worker_id, result=result)
    return Decision((event,), None)


def fail(state: State, ctx: Context, job_id: str, spec: Failure) -> Decision[Failed]:
    """Report a failed attempt: retried after its backoff, or dead-lettered.

    Raises:
        NotFound, Conflict, LeaseExpired: unknown; ended before; not the lease holder.

    """
    holding = _holding(state, ctx, job_id, spec.worker_id, spec.lease_id)
    no_retry = Failed(will_retry=False, retry_at=None)
    if holding.refusal is not None:
        return _refused(holding, "fail", spec.worker_id, spec.lease_id, no_retry)
    job = holding.job
    retry_at = None
    if job.retry_count < job.max_retries:
        policy = ctx.policy
        delay = retry_delay_us(job.retry_count, policy.retry_base_secs, policy.retry_cap_secs)
        retry_at = ctx.now_us + delay
    event = JobFailed(
        org=job.org, job=job.id, worker=spec.worker_id, error=spec.error, retry_at=retry_at
    )
    return Decision((event,), Failed(retry_at is not None, retry_at))


def extend(state: State, ctx: Context, job_id: str, spec: Extension) -> Decision[int]:
    """Move the end of the lease to now plus the duration asked; the answer is that moment.

    Raises:
        NotFound, Conflict, LeaseExpired: unknown; ended before; not the lease holder.

    """
    holding = _holding(state, ctx, job_id, spec.worker_id, spec.lease_id)
    lease_secs = _or(spec.lease_duration_secs, bounds.LEASE_SECS_DEFAULT)
    lease_until = ctx.now_us + lease_secs * bounds.SECOND_US
    if holding.refusal is not None:
        return _refused(holding, "heartbeat", spec.worker_id, spec.lease_id, lease_until)
    job = holding.job
    return Decision(
        (JobLeaseExtended(org=job.org, job=job.id, lease_until=lease_until),), lease_until
    )


def lease_ran_out(job: Job) -> JobLeaseExpired:
    """Give the event of a lease that ended unsettled: it counts as a retry, without backoff."""
    assert job.worker is not None
    dead = job.retry_count >= job.max_retries
    return JobLeaseExpired(
        org=job.org,
        job=job.id,
        worker=job.worker,
        error=LEASE_EXPIRED_DEAD if dead else LEASE_EXPIRED_RETRY,
        deadletter=dead,
    )


def _holding(state: State, ctx: Context, job_id: str, worker: str, lease: str | None) -> _Holding:
    """Find the job and judge the fence (contract section 3.4)."""
    job = found(state, ctx.caller, job_id)
    if lease is None and ctx.policy.require_lease_id:
        raise Missing("lease_id", "required by this server")
    if job.status in TERMINAL:
        raise Conflict(f"Job is already {job.status}")
    refusal = None
    if job.status is not Status.PROCESSING or job.lease_until is None:
        refusal = LeaseExpired("Lease expired")
    elif lease is not None and lease != job.lease:
        refusal = LeaseExpired("lease_id does not match the job's current lease")
    elif worker != job.worker:
        refusal = LeaseExpired("Another worker holds the job's current lease")
    elif job.lease_until <= ctx.now_us:
        refusal = LeaseExpired("Lease expired")
    return _Holding(job, refusal)


def _refused(
    holding: _Holding, verb: str, worker: str, lease: str | None, answer: A
) -> Decision[A]:
    """Record the late write; the job stays as it is (design section 7, decision 15)."""
    job = holding.job
    event = JobSettlementRefused(org=job.org, job=job.id, worker=worker, verb=verb, lease=lease)
    return Decision((event,), answer, holding.refusal)


def _or(asked: int | None, default: int) -> int:
    return default if asked is None else asked
