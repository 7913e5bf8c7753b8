"""A job's life outside a worker: created, due, expired, cancelled, retried, reprioritised."""

from projections.entities import Job
from projections.events import (
    JobCancelled,
    JobCreated,
    JobDeleted,
    JobDue,
    JobExpired,
    JobPriorityChanged,
    JobRestored,
    JobRetired,
    JobRetried,
    JobReverted,
    JobUnblocked,
    Record,
)
from projections.lifecycle import Status, moved
from projections.rawjson import copied
from projections.state import State


def lifted(state: State, job_id: str, record: Record) -> Job:
    """Take the job that an event is about out of its places, stamped with the record."""
    job = state.tables.jobs[job_id]
    state.lift(job)
    job.updated_at = record.at
    job.position = job.trail = record.position
    return job


def on_created(state: State, event: JobCreated, record: Record) -> None:
    """A new job; raw documents are copied, or they would keep the whole record's bytes alive."""
    tables = state.tables
    tables.seq += 1
    state.add_job(
        Job(
            id=event.job,
            seq=tables.seq,
            org=event.org,
            queue=tables.queues[event.org][event.queue].name,
            payload=event.payload.copy(),
            max_retries=event.max_retries,
            timeout_secs=event.timeout_secs,
            created_at=record.at,
            updated_at=record.at,
            position=record.position,
            status=Status.PENDING if event.due_at is None else Status.SCHEDULED,
            priority=event.priority,
            due_at=event.due_at,
            scheduled_at=event.scheduled_at,
            expires_at=event.expires_at,
            idempotency_key=event.idempotency_key,
            tags=copied(event.tags),
            parent=event.parent,
            completion_webhook=event.completion_webhook,
            completion_webhook_secret=event.completion_webhook_secret,
            blocked=event.blocked,
            traceparent=event.traceparent,
            trail=record.position,
        )
    )


def on_due(state: State, event: JobDue, record: Record) -> None:
    """Its time has come: claimable. ``scheduled_at`` is kept (contract section 3.1)."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.due", Status.PENDING)
    job.due_at = None
    state.put_back(job)


def on_expired(state: State, event: JobExpired, record: Record) -> None:
    """Not started in time."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.expired", Status.CANCELLED)
    job.last_error = event.error
    job.completed_at = record.at
    job.due_at = None
    state.put_back(job)


def on_cancelled(state: State, event: JobCancelled, record: Record) -> None:
    """Cancelled while it waited."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.cancelled", Status.CANCELLED)
    if event.error is not None:
        job.last_error = event.error
    job.completed_at = record.at
    job.due_at = None
    state.put_back(job)


def on_retried(state: State, event: JobRetried, record: Record) -> None:
    """Back in its queue at once."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.retried", Status.PENDING)
    job.retry_count = event.retry_count
    job.last_error = None
    job.completed_at = None
    state.put_back(job)


def on_unblocked(state: State, event: JobUnblocked, record: Record) -> None:
    """Its parent is completed; it may still wait for its time."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.unblocked", job.status)
    job.blocked = False
    state.put_back(job)


def on_priority_changed(state: State, event: JobPriorityChanged, record: Record) -> None:
    """Another place in line."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.priority_changed", job.status)
    job.priority = event.priority
    state.put_back(job)


def on_deleted(state: State, event: JobDeleted, record: Record) -> None:
    """Gone, in whatever status it was."""
    state.remove_job(state.tables.jobs[event.job])


def on_retired(state: State, event: JobRetired, record: Record) -> None:
    """Gone, in the status in which it had ended."""
    job = state.tables.jobs[event.job]
    moved(job.status, "job.retired", job.status)
    state.remove_job(job)


def on_restored(state: State, event: JobRestored, record: Record) -> None:
    """There again, as it was; a new place in the order of creation, for that order never changes."""
    tables = state.tables
    tables.seq += 1
    queue = state.queue(event.org, event.queue)
    state.add_job(
        Job(
            id=event.job,
            seq=tables.seq,
            org=event.org,
            queue=event.queue if queue is None else queue.name,
            payload=event.payload.copy(),
            max_retries=event.max_retries,
            timeout_secs=event.timeout_secs,
            created_at=event.created_at,
            updated_at=record.at,
            position=record.position,
            status=event.status,
            priority=event.priority,
            retry_count=event.retry_count,
            due_at=event.due_at,
            scheduled_at=event.scheduled_at,
            expires_at=event.expires_at,
            started_at=event.started_at,
            completed_at=event.completed_at,
            lease=event.lease,
            lease_until=event.lease_until,
            worker=event.worker,
            result=copied(event.result),
            last_error=event.last_error,
            idempotency_key=event.idempotency_key,
            tags=copied(event.tags),
            parent=event.parent,
            completion_webhook=event.completion_webhook,
            completion_webhook_secret=event.completion_webhook_secret,
            blocked=event.blocked,
            cancel_requested_at=event.cancel_requested_at,
            traceparent=event.traceparent,
            trail=record.position,
            place=event.place,
        )
    )


def on_reverted(state: State, event: JobReverted, record: Record) -> None:
    """What it was before a change that is taken back."""
    job = lifted(state, event.job, record)
    job.status = moved(job.status, "job.reverted", event.status)
    job.priority = event.priority
    job.retry_count = event.retry_count
    job.due_at = event.due_at
    job.completed_at = event.completed_at
    job.last_error = event.last_error
    job.blocked = event.blocked
    job.cancel_requested_at = event.cancel_requested_at
    state.put_back(job)
