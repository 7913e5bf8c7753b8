"""The life of a job as one table: which event may happen in which status, and where it leads.

``decide`` asks ``may`` before it returns an event; ``fold`` looks the result up with ``after``. A
missing pair *is* the illegal move. Nothing else in the project names a transition.

    create -> pending | scheduled      (scheduled: its time has not come)
    pending -> processing -> completed | pending (retry) | deadletter
    pending | scheduled -> cancelled
    processing -> cancelled            (asked to stop: its failure or its lease's end)
    failed | deadletter -> pending     (retried by hand)
    completed | cancelled -> gone      (retired; its last status stays what it was)
    cancelled -> pending | scheduled, pending -> deadletter | failed, and back again
                                       (reverted: someone's change of it is taken back)

``failed`` is kept as a legal state (contract section 3.1); a failed attempt goes straight to
pending or deadletter, and its history shows the failure.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a job is in its life; the values are the API's words."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    DEADLETTER = "deadletter"
    CANCELLED = "cancelled"


WAITING: Final = frozenset({Status.PENDING, Status.SCHEDULED})
ACTIVE: Final = WAITING | {Status.PROCESSING}
TERMINAL: Final = frozenset(Status) - ACTIVE
FINISHED: Final = frozenset({Status.COMPLETED, Status.CANCELLED})
REVIVABLE: Final = frozenset({Status.FAILED, Status.DEADLETTER})

_CANCELLED: Final = frozenset({Status.CANCELLED})
_REVERTIBLE: Final[Mapping[Status, frozenset[Status]]] = {
    Status.CANCELLED: WAITING,
    Status.PENDING: REVIVABLE | _CANCELLED | {Status.PENDING},
    Status.SCHEDULED: _CANCELLED | {Status.SCHEDULED},
    Status.PROCESSING: frozenset({Status.PROCESSING}),
    Status.DEADLETTER: frozenset({Status.PENDING}),
    Status.FAILED: frozenset({Status.PENDING}),
}
"""A change of a waiting or running job, and of a dead letter, can be taken back, and that as well."""

_AFTER_FAILURE: Final = frozenset({Status.PENDING, Status.DEADLETTER, Status.CANCELLED})


def _moves() -> dict[tuple[Status, str], frozenset[Status]]:
    moves: dict[tuple[Status, str], frozenset[Status]] = {
        (Status.PENDING, "job.claimed"): frozenset({Status.PROCESSING}),
        (Status.PROCESSING, "job.lease_extended"): frozenset({Status.PROCESSING}),
        (Status.PROCESSING, "job.completed"): frozenset({Status.COMPLETED}),
        (Status.PROCESSING, "job.failed"): _AFTER_FAILURE,
        (Status.PROCESSING, "job.lease_expired"): _AFTER_FAILURE,
        (Status.PROCESSING, "job.cancel_requested"): frozenset({Status.PROCESSING}),
        (Status.PROCESSING, "job.released"): frozenset({Status.PENDING}),
    }
    for status in sorted(WAITING):
        moves[status, "job.due"] = frozenset({Status.PENDING})
        moves[status, "job.cancelled"] = frozenset({Status.CANCELLED})
        moves[status, "job.expired"] = frozenset({Status.CANCELLED})
        moves[status, "job.priority_changed"] = frozenset({status})
        moves[status, "job.unblocked"] = frozenset({status})
    for status in sorted(REVIVABLE):
        moves[status, "job.retried"] = frozenset({Status.PENDING})
    for status in sorted(FINISHED):
        moves[status, "job.retired"] = frozenset({status})
    for status, ends in _REVERTIBLE.items():
        moves[status, "job.reverted"] = ends
    return moves


# (status before, event type) -> the statuses that may follow; the event says which.
MOVES: Final[Mapping[tuple[Status, str], frozenset[Status]]] = _moves()


class IllegalMove(Exception):
    """The log tells of a move that the lifecycle does not allow: it is not one of ours."""


def may(status: Status, event_type: str) -> bool:
    """Whether an event of this type may happen to a job in this status."""
    return (status, event_type) in MOVES


def moved(status: Status, event_type: str, to: Status) -> Status:
    """Give `to` back if the table allows the move.

    Raises:
        IllegalMove: it does not; in ``fold`` that stops the process.

    """
    if to not in MOVES.get((status, event_type), ()):
        raise IllegalMove(f"{event_type} leads a job from {status} to {to}")
    return to
