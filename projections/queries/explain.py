"""Why a job is where it is: in words and fields, from the very predicate that claims obey."""

from itertools import islice
from typing import Final

from msgspec import Struct

from projections import bounds, ratelimit
from projections.eligibility import Hold, allowance, holds
from projections.entities import Job, Queue
from projections.lifecycle import Status
from projections.moments import to_text
from projections.shelf import Shelf, ready_rank
from projections.state import State


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that keeps the job from being handed out, or that explains its status.

    Times are microseconds; `until` is when it ends by itself, as far as can be told now.
    """

    code: str
    message: str
    since: int | None = None
    until: int | None = None
    by: str | None = None
    job_id: str | None = None
    limit: int | None = None


class Line(Struct, frozen=True):
    """Where the job stands among those that could be handed out: how many are before it.

    Counted up to a bound; `at_least` tells that there may be more.
    """

    ahead: int
    at_least: bool


class Explanation(Struct, frozen=True):
    """Whether the next claim may take the job, and all that speaks against it."""

    claimable: bool
    reasons: list[Reason]
    line: Line | None
    last_claimed_at: int | None
    active_workers: int


def explain(state: State, job: Job, now_us: int) -> Explanation:
    """Explain a job as it is at `now_us`."""
    queue = state.queue(job.org, job.queue)
    shelf = state.shelf(job.org, job.queue)
    found = holds(job, now_us)
    reasons = [_of_job(state, job, hold) for hold in found]
    waiting = job.status in {Status.PENDING, Status.SCHEDULED}
    line = None
    if waiting and queue is not None:
        hold = allowance(queue, shelf, now_us, 1).hold
        if hold is not None:
            reasons.append(_of_queue(queue, shelf, hold))
        elif not found:
            reasons.append(_idle(queue, now_us))
        if not found:
            line = _line(shelf, job)
    workers = state.tables.workers.values()
    return Explanation(
        claimable=waiting and all(reason.code == READY for reason in reasons),
        reasons=reasons,
        line=line,
        last_claimed_at=None if queue is None else queue.last_claimed_at,
        active_workers=sum(
            one.org == job.org and one.queue == job.queue and one.status == "healthy"
            for one in workers
        ),
    )


READY: Final = "ready"


def _of_job(state: State, job: Job, hold: Hold) -> Reason:
    match hold:
        case Hold.ENDED:
            message = f"The job is {job.status}"
            if job.last_error is not None:
                message += f": {job.last_error}"
            return Reason(code=hold, message=message, since=job.completed_at or job.updated_at)
        case Hold.PROCESSING:
            return _processing(job)
        case Hold.EXPIRED:
            return Reason(code=hold, message="Its expires_at has passed", since=job.expires_at)
        case Hold.PARENT:
            return _parent(state, job)
        case Hold.SCHEDULED:
            message = f"It is scheduled for {_text(job.due_at)}"
            return Reason(code=hold, message=message, until=job.due_at)
        case _:
            message = (
                f"Attempt {job.retry_count} failed ({job.last_error}); "
                f"it is tried again at {_text(job.due_at)}"
            )
            return Reason(code=hold, message=message, since=job.updated_at, until=job.due_at)


def _processing(job: Job) -> Reason:
    message = f"Worker {job.worker} has it under a lease until {_text(job.lease_until)}"
    if job.cancel_requested_at is not None:
        message += f"; it was asked to stop at {_text(job.cancel_requested_at)}"
    return Reason(
        code=Hold.PROCESSING,
        message=message,
        since=job.started_at,
        until=job.lease_until,
        by=job.worker,
    )


def _parent(state: State, job: Job) -> Reason:
    assert job.parent is not None
    parent = state.job(job.org, job.parent)
    told = "unknown" if parent is None else parent.status.value
    return Reason(
        code=Hold.PARENT,
        message=f"It waits for its parent job to be completed, which is {told}",
        since=job.created_at,
        job_id=job.parent,
    )


def _of_queue(queue: Queue, shelf: Shelf, hold: Hold) -> Reason:
    match hold:
        case Hold.PAUSED:
            message = f"The queue was paused at {_text(queue.paused_at)} by {queue.paused_by}"
            if queue.paused_reason is not None:
                message += f": {queue.paused_reason}"
            return Reason(code=hold, message=message, since=queue.paused_at, by=queue.paused_by)
        case Hold.CONCURRENCY:
            running = shelf.count(Status.PROCESSING)
            message = (
                f"{running} jobs of the queue are running, its limit is {queue.concurrency_limit}"
            )
            return Reason(code=hold, message=message, limit=queue.concurrency_limit)
        case _:
            assert queue.rate_limit is not None
            until = ratelimit.next_at(queue.paid_until_ns, queue.rate_limit)
            message = f"The queue hands out {queue.rate_limit} jobs a second at most"
            return Reason(code=hold, message=message, until=until, limit=queue.rate_limit)


def _idle(queue: Queue, now_us: int) -> Reason:
    """Nothing speaks against it: it is for a worker to ask."""
    if queue.last_claimed_at is None:
        message = "It can be claimed; no worker has ever taken a job from this queue"
    else:
        secs = (now_us - queue.last_claimed_at) // bounds.SECOND_US
        message = f"It can be claimed; the last job was taken from this queue {secs} s ago"
    return Reason(code=READY, message=message, since=queue.last_claimed_at)


def _line(shelf: Shelf, job: Job) -> Line:
    rank = ready_rank(job)
    walked = islice(shelf.ready.in_order(), bounds.PLACES_COUNTED_MAX)
    ahead = sum(1 for other, _ in walked if other < rank)
    return Line(ahead, at_least=ahead == bounds.PLACES_COUNTED_MAX)


def _text(at_us: int | None) -> str:
    assert at_us is not None
    return to_text(at_us)
