"""What a record did that can be taken back: in words, by subject, and as the events that do so.

What was before is told by ``past``, and whether the way back is still open by ``decide.undo``.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, structs

from projections.entities import Job, Queue
from projections.events import (
    BulkApplied,
    Event,
    JobCancelled,
    JobCancelRequested,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPriorityChanged,
    JobRestored,
    JobRetried,
    JobReverted,
    KeyCreated,
    KeyRevoked,
    QueueConfigured,
    QueueCreated,
    QueueDeleted,
    QueueFacts,
    QueuePaused,
    QueueRestored,
    QueueResumed,
    Record,
    ServerStarted,
    UndoApplied,
)
from projections.lifecycle import WAITING

WORDS: Final[Mapping[type[Event], str]] = {
    JobDeleted: "jobs deleted",
    JobCancelled: "jobs cancelled",
    JobCancelRequested: "workers asked to stop",
    JobRetried: "dead letters sent back",
    JobPriorityChanged: "priority changed",
    JobRestored: "jobs restored",
    JobReverted: "jobs reverted",
    QueueDeleted: "queue deleted",
    QueueConfigured: "queue configured",
    QueuePaused: "queue paused",
    QueueResumed: "queue resumed",
    QueueRestored: "queue restored",
    QueueCreated: "queue created",
}
"""What can be taken back, in words. A record may do several; the first here names it."""

_VERBS: Final = {"purge": "jobs purged", "delete_queue": "queue deleted with its jobs"}
_OPENERS: Final = (BulkApplied, UndoApplied)
_NEVER: Final[Mapping[type[Event], str]] = {
    JobCreated: "a creation stands; cancel or purge the job instead",
    KeyCreated: "API keys are not changed back",
    KeyRevoked: "API keys are not changed back",
    ServerStarted: "a start of the server stands",
}
_OTHERS: Final = "what workers did, and what time brought about, is never taken back"


class JobTouched(Struct, frozen=True):
    """A job that a record changed, brought back or removed; `prev` is the record before on its way."""

    job_id: str
    position: int
    prev: int
    removed: bool
    restored: bool
    place: int = 0

    def came_back(self, returned: Mapping[str, int]) -> str | None:
        """Say that the job was removed, and came back and may be gone again, if it did."""
        at = returned.get(self.job_id, 0)
        return f"restored since, at {at}" if self.removed and at > self.position else None


class JobUndo(Struct, frozen=True):
    """A job as the record at `left_at` left it, and what it was before: nothing if it was not there.

    With `removed` the record left nothing, and `place` is its place in line. `unknown` says why what was before cannot be told.
    """

    job_id: str
    left_at: int
    removed: bool
    before: Job | None
    place: int = 0
    unknown: str | None = None


class QueueUndo(Struct, frozen=True):
    """A queue as the record at `position` left it, and what it was before; nothing where it was not there."""

    queue: str
    position: int
    after: QueueFacts | None
    before: QueueFacts | None
    unknown: str | None = None

    def since(self, returned: Mapping[str, int]) -> "QueueUndo":
        """Give this with the reason that the queue came back, and may be gone again, if it did."""
        at = returned.get(queue_key(self.queue), 0)
        if self.after is not None or self.unknown is not None or at <= self.position:
            return self
        return structs.replace(self, unknown=f"it came back since, at {at}")


def objection(record: Record, org: str) -> str | None:
    """Say why nothing of this record is ever taken back; nothing if it can be."""
    for event in record.events:
        kind = type(event)
        if event.org == org and kind not in WORDS and kind not in _OPENERS:
            return f"{event.__struct_config__.tag}: {_NEVER.get(kind, _OTHERS)}"
    return None


def words(record: Record, org: str) -> str:
    """Say in a few words what a record did that can be taken back."""
    opening = opener(record, org)
    if isinstance(opening, UndoApplied):
        return f"undo of {opening.undoes}"
    if opening is not None and opening.verb in _VERBS:
        return _VERBS[opening.verb]
    kinds = {type(event) for event in record.events}
    return next(text for kind, text in WORDS.items() if kind in kinds)


def opener(record: Record, org: str) -> BulkApplied | UndoApplied | None:
    """Give what ties a record to others of one action."""
    found = record.events[0]
    return found if isinstance(found, _OPENERS) and found.org == org else None


def returning(record: Record, org: str) -> Iterator[str]:
    """Name the jobs and queues that a record brings back, or anew; see ``queue_key``."""
    for event in record.events:
        if event.org != org:
            continue
        if isinstance(event, JobRestored):
            yield event.job
        elif isinstance(event, QueueCreated | QueueRestored):
            yield queue_key(event.queue)


def queue_key(name: str) -> str:
    """Tell a queue from a job of the same name: no id holds a blank."""
    return f"queue {name}"


def jobs_touched(record: Record, org: str) -> list[JobTouched]:
    """Give the record's jobs; those it removed first, for others may have waited for them."""
    found: dict[str, JobTouched] = {}
    for event in record.events:
        if event.org != org or not isinstance(event, JobEvent) or isinstance(event, JobCreated):
            continue
        known = found.get(event.job)
        found[event.job] = JobTouched(
            job_id=event.job,
            position=record.position,
            prev=event.prev if known is None else known.prev,
            removed=isinstance(event, JobDeleted),
            restored=isinstance(event, JobRestored) if known is None else known.restored,
            place=event.place if isinstance(event, JobDeleted) else 0,
        )
    return sorted(found.values(), key=lambda job: not job.removed)


def facts(queue: Queue) -> QueueFacts:
    """Tell what a queue is: all that commands change of it."""
    return QueueFacts(**{name: getattr(queue, name) for name in QueueFacts.__struct_fields__})


def restored(job: Job, prev: int, *, blocked: bool, place: int) -> JobRestored:
    """Give the event that brings a deleted job back."""
    shared = (
        name
        for name in JobRestored.__struct_fields__
        if name not in {"job", "prev", "blocked", "place", "org"}
    )
    fields = {name: getattr(job, name) for name in shared}
    return JobRestored(org=job.org, job=job.id, prev=prev, blocked=blocked, place=place, **fields)


def reverted(job: Job, prev: int, *, blocked: bool) -> JobReverted:
    """Give the event that makes a job what it was."""
    return JobReverted(
        org=job.org,
        job=job.id,
        prev=prev,
        status=job.status,
        priority=job.priority,
        retry_count=job.retry_count,
        due_at=job.due_at,
        completed_at=job.completed_at,
        last_error=job.last_error,
        blocked=blocked,
        cancel_requested_at=job.cancel_requested_at,
    )


def may_wait(job: Job) -> bool:
    """Whether the job waits for its parent."""
    return job.blocked and job.status in WAITING
