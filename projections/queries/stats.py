"""Figures about one queue (contract section 2.5)."""

from msgspec import Struct

from projections import bounds
from projections.lifecycle import Status
from projections.state import State


class QueueStats(Struct, frozen=True):
    """What is waiting and running now, and what ended in the last 24 hours (to the minute).

    The average and the age are absent when there is nothing to average or nothing waits.
    """

    pending_jobs: int
    processing_jobs: int
    completed_24h: int
    failed_24h: int
    avg_processing_us: float | None
    oldest_waiting_us: int | None
    active_workers: int


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
    return QueueStats(
        pending_jobs=shelf.count(Status.PENDING),
        processing_jobs=shelf.count(Status.PROCESSING),
        completed_24h=ended.completed,
        failed_24h=ended.failed,
        avg_processing_us=ended.processing_us / ended.completed if ended.completed else None,
        oldest_waiting_us=None if oldest is None else now_us - oldest.created_at,
        active_workers=sum(1 for _ in healthy),
    )
