"""Figures about one queue (contract section 2.5)."""

from typing import Final

from msgspec import Struct

from projections import bounds
from projections.lifecycle import Status
from projections.shelf import Shelf
from projections.state import State

RATE_MINUTES: Final = 5


class QueueStats(Struct, frozen=True):
    """What is waiting and running now, and what ended in the last 24 hours (to the minute).

    The average and the age are absent when there is nothing to average or nothing waits. Rates are
    those of the last five minutes.
    """

    pending_jobs: int
    processing_jobs: int
    completed_24h: int
    failed_24h: int
    avg_processing_us: float | None
    oldest_waiting_us: int | None
    active_workers: int
    scheduled_jobs: int
    enqueued_per_minute: float
    completed_per_minute: float
    last_claimed_at: int | None


def queue_stats(state: State, org: str, name: str, now_us: int) -> QueueStats:
    """Give the figures; zeros for a queue that does not exist."""
    shelf = state.shelf(org, name)
    ended = shelf.since(now_us - bounds.DAY_US, now_us)
    oldest = shelf.oldest_waiting()
    healthy = (
        worker
        for worker in state.tables.workers.values()
        if worker.org == org and worker.queue == name and worker.status == "healthy"
    )
    queue = state.queue(org, name)
    enqueued, completed = per_minute(shelf, now_us)
    return QueueStats(
        pending_jobs=shelf.count(Status.PENDING),
        processing_jobs=shelf.count(Status.PROCESSING),
        completed_24h=ended.completed,
        failed_24h=ended.failed,
        avg_processing_us=ended.processing_us / ended.completed if ended.completed else None,
        oldest_waiting_us=None if oldest is None else now_us - oldest.created_at,
        active_workers=sum(1 for _ in healthy),
        scheduled_jobs=shelf.count(Status.SCHEDULED),
        enqueued_per_minute=enqueued,
        completed_per_minute=completed,
        last_claimed_at=None if queue is None else queue.last_claimed_at,
    )


def per_minute(shelf: Shelf, now_us: int) -> tuple[float, float]:
    """Give how many jobs a minute came and were completed, over the last five minutes."""
    # The minute that is not over counts for as much of it as has passed.
    begin_us = (now_us // bounds.MINUTE_US - RATE_MINUTES + 1) * bounds.MINUTE_US
    lately, minutes = shelf.since(begin_us, now_us), (now_us - begin_us) / bounds.MINUTE_US
    return lately.created / minutes, lately.completed / minutes
