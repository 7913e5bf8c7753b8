"""What was taken back, as the API tells it."""

from msgspec import Struct

from projections.decide.undo import Refusal
from projections.moments import to_text
from projections.undoing import JobUndo
from server import undo
from server.http.views.times import Time


class Refused(Struct, frozen=True, kw_only=True):
    """A job or queue that stays as it is, and why."""

    job_id: str | None
    queue: str | None
    reason: str


class Undone(Struct, frozen=True, kw_only=True):
    """Answer to POST /log/undo: how many jobs and queues went back, or would, and which cannot.

    `what` was done, `by` whom and `at` which time, is the record's at `position`. `refused` names
    the first hundred that cannot; `positions` the first hundred of the new `records`, under
    `action_id`.
    """

    position: int
    dry_run: bool
    what: str
    by: str
    at: Time
    undone: int
    cannot: int
    refused: list[Refused]
    action_id: str | None
    records: int
    positions: list[int]


def undone(made: undo.Undone, *, dry_run: bool) -> Undone:
    """Give the answer."""
    record = made.record
    return Undone(
        position=record.position,
        dry_run=dry_run,
        what=made.what,
        by=record.by,
        at=to_text(record.at),
        undone=made.undone,
        cannot=made.cannot,
        refused=[_refused(one) for one in made.refused],
        action_id=made.action_id if made.records else None,
        records=made.records,
        positions=made.positions,
    )


def _refused(refusal: Refusal) -> Refused:
    subject = refusal.subject
    if isinstance(subject, JobUndo):
        return Refused(job_id=subject.job_id, queue=None, reason=refusal.reason)
    return Refused(job_id=None, queue=subject.queue, reason=refusal.reason)
