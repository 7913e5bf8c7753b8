"""A job in a worker's hands: claimed, extended, and settled or lost."""

from projections import ratelimit
from projections.entities import Job
from projections.events import (
    JobCancelRequested,
    JobClaimed,
    JobCompleted,
    JobFailed,
    JobLeaseExpired,
    JobLeaseExtended,
    JobReleased,
    JobSettlementRefused,
    Record,
)
from projections.fold.jobs import lifted
from projections.lifecycle import Status, moved
from projections.rawjson import copied
from projections.state import State


def on_claimed(state: State, event: JobClaimed, record: Record) -> None:
    """A fresh lease; ``started_at`` is that of the newest attempt. The queue's rate is charged."""
    job = lifted(state, event.job, record)
    queue = state.tables.queues[job.org][job.queue]
    queue.last_claimed_at = record.at
    if queue.rate_limit is not None:
        queue.paid_until_ns = ratelimit.paid(queue.paid_until_ns, queue.rate_limit, record.at)
    job.status = moved(job.status, "job.claimed", Status.PROCESSING)
    job.worker = event.worker
    job.lease = event.lease
    job.lease_until = event.lease_until
    job.started_at = record.at
    state.put_back(job)


def on_completed(state: State, event: JobCompleted, record: Record) -> None:
    """Done. The worker stays named, the lease is gone."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.completed", Status.COMPLETED)
    job.result = copied(event.result)
    job.completed_at = record.at
    _end_lease(job)
    state.put_back(job)


def on_failed(state: State, event: JobFailed, record: Record) -> None:
    """One attempt less: wait for the retry time that the event carries, or dead-letter."""
    job = lifted(state, event.job, record)
    if event.cancelled:
        _cancelled(job, "job.failed", record)
    elif event.retry_at is None:
        job.status = moved(job.status, "job.failed", Status.DEADLETTER)
    else:
        job.status = moved(job.status, "job.failed", Status.PENDING)
        job.retry_count += 1
        job.scheduled_at = job.due_at = event.retry_at
    job.last_error = event.error
    job.worker = None
    _end_lease(job)
    state.put_back(job)


def on_lease_extended(state: State, event: JobLeaseExtended, record: Record) -> None:
    """The lease ends at another time."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.lease_extended", Status.PROCESSING)
    job.lease_until = event.lease_until
    state.put_back(job)


def on_lease_expired(state: State, event: JobLeaseExpired, record: Record) -> None:
    """Given back without backoff, or dead-lettered."""
    job = lifted(state, event.job, record)
    if event.cancelled:
        _cancelled(job, "job.lease_expired", record)
    elif event.deadletter:
        job.status = moved(job.status, "job.lease_expired", Status.DEADLETTER)
    else:
        job.status = moved(job.status, "job.lease_expired", Status.PENDING)
        job.retry_count += 1
    job.last_error = event.error
    job.worker = None
    _end_lease(job)
    state.put_back(job)


def on_cancel_requested(state: State, event: JobCancelRequested, record: Record) -> None:
    """The worker goes on until it hears of it."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.cancel_requested", Status.PROCESSING)
    job.cancel_requested_at = record.at
    state.put_back(job)


def on_released(state: State, event: JobReleased, record: Record) -> None:
    """As if it had not been claimed; ``started_at`` tells of the attempt that was not one."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.released", Status.PENDING)
    job.worker = None
    _end_lease(job)
    state.put_back(job)


def on_settlement_refused(state: State, event: JobSettlementRefused, record: Record) -> None:
    """Told for the record; the job is as it was, but for the way to this record."""
    job = state.tables.jobs[event.job]
    if state.before_change is not None:
        state.before_change(job)
    job.trail = record.position


def _cancelled(job: Job, event_type: str, record: Record) -> None:
    job.status = moved(job.status, event_type, Status.CANCELLED)
    job.completed_at = record.at


def _end_lease(job: Job) -> None:
    job.lease = None
    job.lease_until = None
    job.cancel_requested_at = None
