"""A job in a worker's hands: claimed, extended, and settled or lost."""

from msgspec import UNSET

from projections.entities import Job
from projections.events import (
    JobClaimed,
    JobCompleted,
    JobFailed,
    JobLeaseExpired,
    JobLeaseExtended,
    JobSettlementRefused,
    Record,
)
from projections.fold.jobs import lifted
from projections.lifecycle import Status, moved
from projections.state import State


def on_claimed(state: State, event: JobClaimed, record: Record) -> None:
    """A fresh lease; ``started_at`` is that of the newest attempt."""
    job = lifted(state, event.job, record)
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
    job.result = None if event.result is UNSET else event.result.copy()
    job.completed_at = record.at
    _end_lease(job)
    state.put_back(job)


def on_failed(state: State, event: JobFailed, record: Record) -> None:
    """One attempt less: wait for the retry time that the event carries, or dead-letter."""
    job = lifted(state, event.job, record)
    if event.retry_at is None:
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
    if event.deadletter:
        job.status = moved(job.status, "job.lease_expired", Status.DEADLETTER)
    else:
        job.status = moved(job.status, "job.lease_expired", Status.PENDING)
        job.retry_count += 1
    job.last_error = event.error
    job.worker = None
    _end_lease(job)
    state.put_back(job)


def on_settlement_refused(state: State, event: JobSettlementRefused, record: Record) -> None:
    """Told for the record; the job is as it was."""
    assert event.job in state.tables.jobs


def _end_lease(job: Job) -> None:
    job.lease = None
    job.lease_until = None
