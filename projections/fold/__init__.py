"""Events become state. The same function runs live and at replay.

``fold`` never refuses: what it cannot apply is not one of our logs, and an exception here stops the
process. It reads no clock and no configuration, only the record and the state.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from projections import events
from projections.events import Record, Undecodable
from projections.fold import access, bulk, claims, jobs, queues, workers
from projections.lifecycle import IllegalMove
from projections.state import State

FOLDS: Final[Mapping[type, Callable[[State, Any, Record], None]]] = {
    events.JobCreated: jobs.on_created,
    events.JobDue: jobs.on_due,
    events.JobExpired: jobs.on_expired,
    events.JobCancelled: jobs.on_cancelled,
    events.JobRetried: jobs.on_retried,
    events.JobPriorityChanged: jobs.on_priority_changed,
    events.JobUnblocked: jobs.on_unblocked,
    events.JobDeleted: jobs.on_deleted,
    events.JobRetired: jobs.on_retired,
    events.JobRestored: jobs.on_restored,
    events.JobReverted: jobs.on_reverted,
    events.JobClaimed: claims.on_claimed,
    events.JobCompleted: claims.on_completed,
    events.JobFailed: claims.on_failed,
    events.JobLeaseExtended: claims.on_lease_extended,
    events.JobLeaseExpired: claims.on_lease_expired,
    events.JobCancelRequested: claims.on_cancel_requested,
    events.JobReleased: claims.on_released,
    events.JobSettlementRefused: claims.on_settlement_refused,
    events.QueueCreated: queues.on_created,
    events.QueueConfigured: queues.on_configured,
    events.QueuePaused: queues.on_paused,
    events.QueueResumed: queues.on_resumed,
    events.QueueDeleted: queues.on_deleted,
    events.QueueRestored: queues.on_restored,
    events.BulkApplied: bulk.on_applied,
    events.UndoApplied: bulk.on_applied,
    events.WorkerRegistered: workers.on_registered,
    events.WorkerHeartbeat: workers.on_heartbeat,
    events.WorkerDeregistered: workers.on_deregistered,
    events.WorkerLost: workers.on_lost,
    events.KeyCreated: access.on_key_created,
    events.KeyRevoked: access.on_key_revoked,
    events.ServerStarted: access.on_server_started,
}


def fold(state: State, record: Record) -> None:
    """Apply one record, whole."""
    tables = state.tables
    assert record.position == tables.position + 1, "records are folded in order, without gaps"
    assert record.at >= tables.at, "the time of the log never runs back"
    tables.position = record.position
    tables.at = record.at
    for event in record.events:
        FOLDS[type(event)](state, event, record)


def refold(state: State, record: Record) -> None:
    """Fold a record of an existing log: the step of every replay.

    Raises:
        Undecodable: it does not follow from those before it; our own ``decide`` never wrote it.

    """
    try:
        fold(state, record)
    except (AssertionError, IllegalMove, KeyError) as reason:
        raise Undecodable(
            f"record {record.position} does not follow from those before it: {reason!r}"
        ) from reason
