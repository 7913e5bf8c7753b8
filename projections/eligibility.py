"""Why a job is not handed out: the one predicate that claims obey and that explanations tell.

Pure questions about one job, and about what its queue lets through now.
"""

from enum import StrEnum

from msgspec import Struct

from projections import ratelimit
from projections.entities import Job, Queue
from projections.lifecycle import Status
from projections.shelf import Shelf


class Hold(StrEnum):
    """What keeps a job from being handed out; the values are the API's words."""

    ENDED = "ended"
    PROCESSING = "processing"
    EXPIRED = "expired"
    PARENT = "waiting_for_parent"
    SCHEDULED = "waiting_for_time"
    RETRY = "waiting_for_retry"
    PAUSED = "queue_paused"
    CONCURRENCY = "concurrency_limit"
    RATE = "rate_limit"


class Allowance(Struct, frozen=True):
    """How many jobs a queue lets through now, and what holds back the rest."""

    jobs: int
    hold: Hold | None = None


def holds(job: Job, now_us: int) -> list[Hold]:
    """Give all that keeps the job itself from being handed out; nothing when it is ready."""
    if job.status is Status.PROCESSING:
        return [Hold.PROCESSING]
    if job.status is not Status.PENDING and job.status is not Status.SCHEDULED:
        return [Hold.ENDED]
    found = []
    if job.expires_at is not None and job.expires_at <= now_us:
        found.append(Hold.EXPIRED)
    if job.blocked:
        found.append(Hold.PARENT)
    if job.due_at is not None:
        found.append(Hold.SCHEDULED if job.status is Status.SCHEDULED else Hold.RETRY)
    return found


def allowance(queue: Queue, shelf: Shelf, now_us: int, asked: int) -> Allowance:
    """Give how many of the `asked` jobs the queue lets through: pause, concurrency, rate."""
    if queue.paused_at is not None:
        return Allowance(0, Hold.PAUSED)
    granted = Allowance(asked)
    if queue.concurrency_limit is not None:
        free = max(queue.concurrency_limit - shelf.count(Status.PROCESSING), 0)
        if free < granted.jobs:
            granted = Allowance(free, Hold.CONCURRENCY)
    if queue.rate_limit is not None:
        tokens = ratelimit.allowed(queue.paid_until_ns, queue.rate_limit, now_us)
        if tokens < granted.jobs:
            granted = Allowance(tokens, Hold.RATE)
    return granted


def oldest_claimable(queue: Queue, shelf: Shelf) -> Job | None:
    """Give the job that could have been handed out for the longest time; none of a paused queue.

    A limit of its queue only makes a job wait, so it counts all the same. The time that it has been
    claimable begins with its ``updated_at``.
    """
    return None if queue.paused_at is not None else shelf.longest_ready()
