"""How an attempt ends: completed, failed, one or many at a time; a lease that runs out or is taken back."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType

from projections import bounds
from projections.backoff import retry_delay_us
from projections.decide import Context, Decision, dependants
from projections.decide.fence import LeaseHeld, held
from projections.entities import Job
from projections.errors import Conflict, LeaseExpired, Refused
from projections.events import Event, JobCompleted, JobFailed, JobLeaseExpired, JobReleased
from projections.lifecycle import Status
from projections.rawjson import document, present
from projections.specs import BulkCompletion, BulkFailure, Completion, Failure
from projections.state import State

CANCELLED_WHILE_RUNNING = "Cancelled while running"
LEASE_EXPIRED_RETRY = "Lease expired (worker timeout)"
LEASE_EXPIRED_DEAD = "Max retries exceeded after lease expiration"


class Settled(Struct, frozen=True):
    """The job's status from now on, and when it is tried again, if it is."""

    status: Status
    retry_at: int | None = None


class BulkSettled(Struct, frozen=True):
    """What became of each item, by its index and job id: settled, or why not."""

    succeeded: list[tuple[int, str, Settled]]
    failed: list[tuple[int, str, Refused]]


A = TypeVar("A")
_Settling = tuple[list[Event], Settled | Refused]


def complete(state: State, ctx: Context, job_id: str, spec: Completion) -> Decision[Settled]:
    """Finish a job with its result.

    Raises:
        NotFound, Conflict, LeaseExpired: unknown; ended before; not the lease holder.
        TooLarge, Invalid: the result is over 1 MiB, or nested too deeply.

    """
    claimed = LeaseHeld("complete", spec.worker_id, spec.lease_id)
    return _decision(_completing(state, ctx, job_id, claimed, spec.result))


def fail(state: State, ctx: Context, job_id: str, spec: Failure) -> Decision[Settled]:
    """Report a failed attempt: retried after its backoff, dead-lettered, or cancelled if so asked.

    Raises:
        NotFound, Conflict, LeaseExpired: unknown; ended before; not the lease holder.

    """
    claimed = LeaseHeld("fail", spec.worker_id, spec.lease_id)
    return _decision(_failing(state, ctx, job_id, claimed, spec.error, ended=set()))


def complete_bulk(state: State, ctx: Context, spec: BulkCompletion) -> Decision[BulkSettled]:
    """Finish up to 100 jobs in one record. Items that are refused are reported, the others stand."""
    items = ((item.job_id, item.lease_id, item.result) for item in spec.jobs)

    def settle(job_id: str, lease: str | None, result: Raw | UnsetType) -> _Settling:
        claimed = LeaseHeld("complete", spec.worker_id, lease)
        return _completing(state, ctx, job_id, claimed, result)

    return _bulk(items, settle, lambda: Conflict("Job is already completed"))


def fail_bulk(state: State, ctx: Context, spec: BulkFailure) -> Decision[BulkSettled]:
    """Report up to 100 failed attempts in one record, as ``complete_bulk`` does."""
    items = ((item.job_id, item.lease_id, item.error) for item in spec.jobs)
    ended: set[str] = set()

    def settle(job_id: str, lease: str | None, error: str) -> _Settling:
        claimed = LeaseHeld("fail", spec.worker_id, lease)
        return _failing(state, ctx, job_id, claimed, error, ended=ended)

    return _bulk(items, settle, lambda: LeaseExpired("An earlier item has settled this job"))


def lease_ran_out(state: State, job: Job, ended: set[str]) -> Iterator[Event]:
    """Give the events of a lease that ended unsettled: it counts as a retry, without backoff.

    `ended` holds the ids of jobs that this decision has ended already; it is added to.
    """
    assert job.worker is not None
    cancelled = job.cancel_requested_at is not None
    dead = not cancelled and job.retry_count >= job.max_retries
    error = LEASE_EXPIRED_DEAD if dead else LEASE_EXPIRED_RETRY
    yield JobLeaseExpired(
        org=job.org,
        job=job.id,
        prev=job.trail,
        worker=job.worker,
        error=CANCELLED_WHILE_RUNNING if cancelled else error,
        deadletter=dead,
        cancelled=cancelled,
    )
    if dead or cancelled:
        yield from dependants.give_up(state, job, ended)


def release(state: State, ctx: Context, leases: tuple[tuple[str, str], ...]) -> Decision[None]:
    """Take back claims that never reached their worker, given as job id and lease id each.

    What is no longer under that lease stays as it is.
    """
    events: list[Event] = []
    ended: set[str] = set()
    for job_id, lease in leases:
        job = state.job(ctx.org, job_id)
        if job is None or job.status is not Status.PROCESSING or job.lease != lease:
            continue
        assert job.worker is not None
        if job.cancel_requested_at is None:
            events.append(JobReleased(org=job.org, job=job.id, prev=job.trail, worker=job.worker))
        else:
            events.extend(lease_ran_out(state, job, ended))
    return Decision(tuple(events), None)


def _completing(
    state: State, ctx: Context, job_id: str, claimed: LeaseHeld, result: Raw | UnsetType
) -> _Settling:
    job, refusal = held(state, ctx, job_id, claimed)
    if refusal is not None:
        return [claimed.refused(job)], refusal
    given = present(result)
    event = JobCompleted(
        org=job.org,
        job=job.id,
        prev=job.trail,
        worker=claimed.worker,
        result=UNSET if given is None else document("result", given, bounds.RESULT_BYTES_MAX),
    )
    return [event, *dependants.let_go(state, job)], Settled(Status.COMPLETED)


def _failing(
    state: State, ctx: Context, job_id: str, claimed: LeaseHeld, error: str, *, ended: set[str]
) -> _Settling:
    job, refusal = held(state, ctx, job_id, claimed)
    if refusal is not None:
        return [claimed.refused(job)], refusal
    cancelled = job.cancel_requested_at is not None
    retry_at = None
    if not cancelled and job.retry_count < job.max_retries:
        retry_at = ctx.now_us + _delay_us(state, ctx, job)
    event = JobFailed(
        org=job.org,
        job=job.id,
        prev=job.trail,
        worker=claimed.worker,
        error=error,
        retry_at=retry_at,
        cancelled=cancelled,
    )
    if retry_at is not None:
        return [event], Settled(Status.PENDING, retry_at)
    status = Status.CANCELLED if cancelled else Status.DEADLETTER
    return [event, *dependants.give_up(state, job, ended)], Settled(status)


def _delay_us(state: State, ctx: Context, job: Job) -> int:
    """Give the wait before the next attempt, by the queue's rules where it has its own."""
    queue, policy = state.queue(job.org, job.queue), ctx.policy
    assert queue is not None
    jitter = _or(queue.retry_jitter, policy.retry_jitter)
    return retry_delay_us(
        job.retry_count,
        _or(queue.retry_base_secs, policy.retry_base_secs),
        _or(queue.retry_cap_secs, policy.retry_cap_secs),
        jitter,
        ctx.fraction() if jitter else 0.0,
    )


def _decision(settling: _Settling) -> Decision[Settled]:
    events, outcome = settling
    if isinstance(outcome, Refused):
        return Decision(tuple(events), Settled(Status.PROCESSING), outcome)
    return Decision(tuple(events), outcome)


def _bulk(
    items: Iterable[tuple[str, str | None, A]],
    settle: Callable[[str, str | None, A], _Settling],
    twice: Callable[[], Refused],
) -> Decision[BulkSettled]:
    """Settle the items in turn; `twice` refuses a job that an earlier item has settled."""
    events: list[Event] = []
    answer = BulkSettled([], [])
    settled: set[str] = set()
    for index, (job_id, lease, what) in enumerate(items):
        try:
            made, outcome = ([], twice()) if job_id in settled else settle(job_id, lease, what)
        except Refused as refused:
            made, outcome = [], refused
        events.extend(made)
        if isinstance(outcome, Refused):
            answer.failed.append((index, job_id, outcome))
        else:
            settled.add(job_id)
            answer.succeeded.append((index, job_id, outcome))
    return Decision(tuple(events), answer)


def _or(own: float | None, default: float) -> float:
    return default if own is None else own
