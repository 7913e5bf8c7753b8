"""From events to lives: what each event of a job adds to what is known of it.

The events go by once, oldest first. Payloads and results are left out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import UNSET, Raw
from msgspec.structs import replace

from projections import events
from projections.decide.dependants import PARENT_DELETED, PARENT_FAILED
from projections.events import Event, JobCreated, Record
from projections.lifecycle import TERMINAL, WAITING, Status
from projections.specs import Verb
from projections.whatif.life import Attempt, How, Life, Told, rank_of

_NULL: Final = Raw(b"null")
_OF_A_PARENT: Final = frozenset({PARENT_FAILED, PARENT_DELETED})


def begun(event: JobCreated, at: int, rank: int) -> Life:
    """Give the life of a job that was created now, without its documents."""
    slim = replace(event, payload=_NULL, tags=UNSET, idempotency_key=None, completion_webhook=None)
    scheduled = event.due_at is not None
    life = Life(slim, at, rank, blocked=event.blocked, due_at=event.due_at, waiting_since=at)
    life.status = Status.SCHEDULED if scheduled else Status.PENDING
    if not scheduled and not event.blocked:
        life.ready_at = at
    return life


def told(life: Life, event: Event, record: Record, index: int) -> None:
    """Take in one event of the job."""
    _HANDLERS[type(event)](life, event, record, rank_of(record, index))


def _on_due(life: Life, event: events.JobDue, record: Record, rank: int) -> None:
    # The moment is the one it waited for, not when the server came to it.
    due_at, life.due_at = life.due_at, None
    life.status = Status.PENDING
    if not life.blocked:
        life.ready_at = due_at


def _on_unblocked(life: Life, event: events.JobUnblocked, record: Record, rank: int) -> None:
    life.blocked = False
    if life.due_at is None:
        life.ready_at = record.at
    if not life.linked:
        life.inputs.append((record.at, rank, Told.UNBLOCK))


def _on_claimed(life: Life, event: events.JobClaimed, record: Record, rank: int) -> None:
    assert life.ready_at is not None
    life.attempts.append(
        Attempt(
            delay_us=record.at - life.ready_at,
            lease_us=event.lease_until - record.at,
            worker=event.worker,
            lease=event.lease,
            rank=rank,
            retries=life.retries,
        )
    )
    life.status = Status.PROCESSING
    life.claimed_at = record.at
    life.ready_at = None


def _on_extended(life: Life, event: events.JobLeaseExtended, record: Record, rank: int) -> None:
    attempt = life.attempts[-1]
    beat = (record.at - life.claimed_at, event.lease_until - life.claimed_at, rank)
    attempt.beats = [*(attempt.beats or ()), beat]


def _on_completed(life: Life, event: events.JobCompleted, record: Record, rank: int) -> None:
    _end(life, How.COMPLETED, record, rank)
    _finish(life, Status.COMPLETED, record)


def _on_failed(life: Life, event: events.JobFailed, record: Record, rank: int) -> None:
    attempt = _end(life, How.FAILED, record, rank)
    if event.cancelled:
        _finish(life, Status.CANCELLED, record)
    elif event.retry_at is None:
        _finish(life, Status.DEADLETTER, record)
    else:
        attempt.backoff_us = event.retry_at - record.at
        life.backoff_us += attempt.backoff_us
        life.retries += 1
        life.due_at = event.retry_at
        _wait(life, record)


def _on_lease_expired(life: Life, event: events.JobLeaseExpired, record: Record, rank: int) -> None:
    _end(life, How.EXPIRED, record, rank)
    if event.cancelled:
        _finish(life, Status.CANCELLED, record)
    elif event.deadletter:
        _finish(life, Status.DEADLETTER, record)
    else:
        life.retries += 1
        life.ready_at = record.at
        _wait(life, record)


def _on_released(life: Life, event: events.JobReleased, record: Record, rank: int) -> None:
    _end(life, How.RELEASED, record, rank)
    life.ready_at = record.at
    _wait(life, record)


def _on_expired(life: Life, event: events.JobExpired, record: Record, rank: int) -> None:
    _finish(life, Status.CANCELLED, record)
    life.expiry_rank = rank


def _on_cancelled(life: Life, event: events.JobCancelled, record: Record, rank: int) -> None:
    if event.error not in _OF_A_PARENT:
        life.inputs.append((record.at, rank, Told.STOP))
    elif not life.linked:
        life.inputs.append((record.at, rank, Told.GIVE_UP))
    _finish(life, Status.CANCELLED, record)


def _on_stopped(life: Life, event: events.JobCancelRequested, record: Record, rank: int) -> None:
    life.inputs.append((record.at, rank, Told.STOP))


def _on_retried(life: Life, event: events.JobRetried, record: Record, rank: int) -> None:
    afresh = event.retry_count == 0
    life.inputs.append((record.at, rank, Told.RETRY_AFRESH if afresh else Told.RETRY))
    life.retries = event.retry_count
    life.ended_at = None
    life.ready_at = record.at
    _wait(life, record)


def _on_deleted(life: Life, event: events.JobDeleted, record: Record, rank: int) -> None:
    purged = any(
        isinstance(one, events.BulkApplied) and one.verb == Verb.PURGE for one in record.events
    )
    life.inputs.append((record.at, rank, Told.PURGE if purged else Told.DELETE))
    if life.status not in TERMINAL:
        _stop_waiting(life, record)
        life.ended_at = record.at
    life.deleted = True


def _on_retired(life: Life, event: events.JobRetired, record: Record, rank: int) -> None:
    life.inputs.append((record.at, rank, Told.RETIRE))
    life.deleted = True


def _on_undone(
    life: Life, event: events.JobRestored | events.JobReverted, record: Record, rank: int
) -> None:
    """Follow what an undo made of it. Under other rules there might have been nothing to undo."""
    life.odd = True
    life.deleted = False
    life.status = event.status
    life.retries = event.retry_count
    life.blocked = event.blocked
    life.due_at = event.due_at
    life.ended_at = event.completed_at
    waits = event.status in WAITING and event.due_at is None and not event.blocked
    life.ready_at = record.at if waits else None


def _on_nothing(life: Life, event: Event, record: Record, rank: int) -> None:
    """Take in what decides nothing here: priorities order jobs, and refusals change none."""


def _end(life: Life, how: How, record: Record, rank: int) -> Attempt:
    attempt = life.attempts[-1]
    attempt.how = how
    attempt.length_us = record.at - life.claimed_at
    attempt.end_rank = rank
    return attempt


def _wait(life: Life, record: Record) -> None:
    life.status = Status.PENDING
    life.waiting_since = record.at


def _finish(life: Life, status: Status, record: Record) -> None:
    _stop_waiting(life, record)
    life.status = status
    life.ended_at = record.at


def _stop_waiting(life: Life, record: Record) -> None:
    """Remember what did not happen to it while it could have: it came no sooner than now.

    Ready and not claimed; or past its time to expire, since the server was late.
    """
    expires_at, due_at = life.created.expires_at, life.due_at
    if expires_at is not None and life.status in WAITING:
        life.expiry_late_us = max(record.at - max(expires_at, life.waiting_since), 0)
    ready_at = life.ready_at
    if ready_at is None and due_at is not None and not life.blocked:
        ready_at = min(due_at, record.at)
    life.open_wait_us = 0 if ready_at is None else record.at - ready_at
    life.ready_at = life.due_at = None


_HANDLERS: Final[Mapping[type, Callable[[Life, Any, Record, int], None]]] = {
    events.JobDue: _on_due,
    events.JobUnblocked: _on_unblocked,
    events.JobClaimed: _on_claimed,
    events.JobLeaseExtended: _on_extended,
    events.JobCompleted: _on_completed,
    events.JobFailed: _on_failed,
    events.JobLeaseExpired: _on_lease_expired,
    events.JobReleased: _on_released,
    events.JobExpired: _on_expired,
    events.JobCancelled: _on_cancelled,
    events.JobCancelRequested: _on_stopped,
    events.JobRetried: _on_retried,
    events.JobDeleted: _on_deleted,
    events.JobRetired: _on_retired,
    events.JobRestored: _on_undone,
    events.JobReverted: _on_undone,
    events.JobPriorityChanged: _on_nothing,
    events.JobSettlementRefused: _on_nothing,
}
