"""What each event tells clients that listen, as frames in the words of the official clients.

One event may make two frames, or none. What a frame tells of a job beside its event (its queue, the
status that it leaves) is the job's `Life` before the record: live it is in the state, later it is
what the log told of the job until then. Either way the frames are the same, which is what lets a
client go on where it was cut off.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct, structs

from projections import events
from projections.entities import Job
from projections.events import Event, Record
from projections.frames import Frame
from projections.lifecycle import Status
from projections.moments import to_text

BIRTHS: Final = (events.JobCreated, events.JobRestored)
"""Behind these a job is there, whatever was before."""


class Life(Struct, frozen=True):
    """What frames tell of a job that its events do not name."""

    queue: str
    status: Status
    retry_count: int = 0
    started_at: int | None = None


def life_of(job: Job) -> Life:
    """Give the life of a job so far."""
    return Life(job.queue, job.status, job.retry_count, job.started_at)


def assumed(event: Event, queue: str) -> Life:
    """Give the life of a job before an event where nobody knows it: the log before it has expired."""
    return Life(queue, _USUALLY.get(type(event), Status.PENDING))


def is_told(event: Event) -> bool:
    """Whether an event makes frames, or changes what later ones tell."""
    return type(event) in _TELL


def lived(life: Life, event: Event, at: int) -> Life:
    """Give a job's life after one of its events."""
    match event:
        case events.JobFailed() | events.JobLeaseExpired():
            return _after_failure(life, event)
        case events.JobClaimed():
            return structs.replace(life, status=Status.PROCESSING, started_at=at)
        case events.JobRetried():
            return structs.replace(life, status=Status.PENDING, retry_count=event.retry_count)
        case events.JobReverted():
            return structs.replace(life, status=event.status, retry_count=event.retry_count)
        case _:
            return structs.replace(life, status=_LEADS_TO.get(type(event), life.status))


def born(event: events.JobCreated | events.JobRestored) -> Life:
    """Give the life of a job that has just come to be, or is there again."""
    if isinstance(event, events.JobRestored):
        return Life(event.queue, event.status, event.retry_count, event.started_at)
    return Life(event.queue, Status.PENDING if event.due_at is None else Status.SCHEDULED)


def frames(
    record: Record,
    life_before: Callable[[Event], Life],
    queue_of_worker: Callable[[str], str | None],
) -> tuple[list[Frame], dict[str, Life]]:
    """Give what a record tells, and the lives of its jobs after it.

    `life_before` gives that of the job that an event names, before the record.
    """
    found: list[Frame] = []
    lives: dict[str, Life] = {}
    timestamp = to_text(record.at)
    for event in record.events:
        tell = _TELL.get(type(event))
        if tell is None:
            continue
        job = getattr(event, "job", None)
        life = queue = None
        if isinstance(event, BIRTHS):
            life = lives[event.job] = born(event)
            queue = event.queue
        elif job is not None:
            life = lives.get(job) or life_before(event)
            lives[job] = lived(life, event, record.at)
            queue = life.queue
        else:
            queue = getattr(event, "queue", None) or queue_of_worker(getattr(event, "worker", ""))
        for kind, data in tell(event, life, lives.get(job or ""), record.at):
            data["timestamp"] = timestamp
            found.append(Frame(record.position, len(found), event.org, kind, data, queue, job))
    return found, lives


def _after_failure(life: Life, event: events.JobFailed | events.JobLeaseExpired) -> Life:
    if event.cancelled:
        return structs.replace(life, status=Status.CANCELLED)
    is_dead = event.retry_at is None if isinstance(event, events.JobFailed) else event.deadletter
    if is_dead:
        return structs.replace(life, status=Status.DEADLETTER)
    return structs.replace(life, status=Status.PENDING, retry_count=life.retry_count + 1)


_Told = Iterator[tuple[str, dict[str, Any]]]


def _created(event: events.JobCreated, *_: Any) -> _Told:
    yield (
        "JobCreated",
        {"job_id": event.job, "queue_name": event.queue, "priority": event.priority},
    )


def _restored(event: events.JobRestored, *_: Any) -> _Told:
    yield (
        "JobStatusChange",
        {
            "job_id": event.job,
            "queue_name": event.queue,
            "old_status": "",
            "new_status": event.status,
        },
    )


def _moved(event: Any, before: Life, after: Life, _: int) -> _Told:
    if before.status is not after.status:
        yield (
            "JobStatusChange",
            {
                "job_id": event.job,
                "queue_name": before.queue,
                "old_status": before.status,
                "new_status": after.status,
            },
        )


def _completed(event: events.JobCompleted, before: Life, after: Life, at: int) -> _Told:
    duration_ms = None if before.started_at is None else (at - before.started_at) // 1_000
    yield (
        "JobCompleted",
        {"job_id": event.job, "queue_name": before.queue, "duration_ms": duration_ms},
    )
    yield from _moved(event, before, after, at)


def _failed(
    event: events.JobFailed | events.JobLeaseExpired, before: Life, after: Life, at: int
) -> _Told:
    yield (
        "JobFailed",
        {
            "job_id": event.job,
            "queue_name": before.queue,
            "error": event.error,
            "retry_count": after.retry_count,
        },
    )
    yield from _moved(event, before, after, at)


def _paused(event: events.QueuePaused, *_: Any) -> _Told:
    yield "QueuePaused", {"queue_name": event.queue, "reason": event.reason}


def _resumed(event: events.QueueResumed, *_: Any) -> _Told:
    yield "QueueResumed", {"queue_name": event.queue}


def _queue_restored(event: events.QueueRestored, *_: Any) -> _Told:
    was_paused = event.before is not None and event.before.paused_at is not None
    is_paused = event.facts.paused_at is not None
    if is_paused and not was_paused:
        yield (
            "QueuePaused",
            {"queue_name": event.queue, "reason": event.facts.paused_reason},
        )
    elif was_paused and not is_paused:
        yield "QueueResumed", {"queue_name": event.queue}


def _registered(event: events.WorkerRegistered, *_: Any) -> _Told:
    yield "WorkerRegistered", {"worker_id": event.worker, "queue_name": event.queue}


def _alive(event: events.WorkerHeartbeat, *_: Any) -> _Told:
    yield (
        "WorkerHeartbeat",
        {"worker_id": event.worker, "status": event.status, "current_job_id": None},
    )


def _deregistered(event: events.WorkerDeregistered, *_: Any) -> _Told:
    yield "WorkerDeregistered", {"worker_id": event.worker}


def _lost(event: events.WorkerLost, *_: Any) -> _Told:
    yield "WorkerLost", {"worker_id": event.worker}


_TELL: Final[dict[type, Callable[[Any, Any, Any, int], _Told]]] = {
    events.JobCreated: _created,
    events.JobClaimed: _moved,
    events.JobCompleted: _completed,
    events.JobFailed: _failed,
    events.JobLeaseExpired: _failed,
    events.JobDue: _moved,
    events.JobExpired: _moved,
    events.JobCancelled: _moved,
    events.JobReleased: _moved,
    events.JobRetried: _moved,
    events.JobReverted: _moved,
    events.JobRestored: _restored,
    events.QueueRestored: _queue_restored,
    events.QueuePaused: _paused,
    events.QueueResumed: _resumed,
    events.WorkerRegistered: _registered,
    events.WorkerHeartbeat: _alive,
    events.WorkerDeregistered: _deregistered,
    events.WorkerLost: _lost,
}
_LEADS_TO: Final[dict[type, Status]] = {
    events.JobCompleted: Status.COMPLETED,
    events.JobDue: Status.PENDING,
    events.JobReleased: Status.PENDING,
    events.JobExpired: Status.CANCELLED,
    events.JobCancelled: Status.CANCELLED,
}
_USUALLY: Final = {
    events.JobCompleted: Status.PROCESSING,
    events.JobFailed: Status.PROCESSING,
    events.JobLeaseExpired: Status.PROCESSING,
    events.JobReleased: Status.PROCESSING,
    events.JobDue: Status.SCHEDULED,
    events.JobRetried: Status.DEADLETTER,
}
