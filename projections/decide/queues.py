"""Queues: bring into being, configure, pause, resume, delete."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from msgspec import UNSET, Raw, Struct, ValidationError
from msgspec.json import Decoder, encode

from projections import bounds
from projections.decide import Context, Decision
from projections.decide.dependants import deleting
from projections.entities import Job, Queue
from projections.errors import Conflict, Invalid, NotFound
from projections.events import (
    BulkApplied,
    Event,
    QueueConfigured,
    QueueCreated,
    QueueDeleted,
    QueuePaused,
    QueueResumed,
)
from projections.lifecycle import Status
from projections.rawjson import EMPTY_OBJECT, bounded
from projections.specs import Pause, QueueConfig, QueueSettings
from projections.state import State
from projections.undoing import facts

DELETE_QUEUE: Final = "delete_queue"
"""The verb under which a queue and its jobs are deleted."""

_decode_settings = Decoder(QueueSettings).decode


class Resumed(Struct, frozen=True):
    """For how long the queue had been paused; 0 when it was not."""

    paused_us: int


def ensured(state: State, ctx: Context, name: str) -> tuple[tuple[Event, ...], Queue]:
    """Give the queue, with the event that creates it when it does not exist yet."""
    queue = state.queue(ctx.org, name)
    if queue is not None:
        return (), queue
    event = QueueCreated(org=ctx.org, queue=name, id=ctx.new_id())
    return (event,), Queue(event.id, ctx.org, name, ctx.now_us, ctx.now_us, EMPTY_OBJECT)


class Reviving:
    """Brings deleted queues back, each once in a decision: a live job's queue always exists."""

    def __init__(self, state: State, ctx: Context) -> None:
        self._state = state
        self._ctx = ctx
        self._created: set[tuple[str, str]] = set()

    def queue_of(self, job: Job) -> Iterator[Event]:
        """Give the event that creates the queue that the job is about to come back to, if any."""
        place = (job.org, job.queue)
        if self._state.queue(*place) is None and place not in self._created:
            self._created.add(place)
            yield QueueCreated(org=job.org, queue=job.queue, id=self._ctx.new_id())


def configure(state: State, ctx: Context, name: str, spec: QueueConfig) -> Decision[str]:
    """Change what the request names and keep the rest; ``enabled`` pauses or resumes.

    Raises:
        Denied, Invalid: key scope; settings that are no object, too long, or break a rule.

    """
    ctx.require(name)
    created, queue = ensured(state, ctx, name)
    before = None if created else facts(queue)
    given = bounded("settings", spec.settings, bounds.SETTINGS_BYTES_MAX, b"{")
    settings = queue.settings if given is UNSET else given
    obeyed = _stored(queue) if given is UNSET else _obeyed(settings)
    configured = QueueConfigured(
        org=ctx.org,
        queue=name,
        max_retries=_kept(spec.max_retries, queue.max_retries, ctx.policy.max_retries),
        default_timeout_secs=_kept(
            spec.default_timeout, queue.default_timeout_secs, ctx.policy.timeout_secs
        ),
        rate_limit=queue.rate_limit if spec.rate_limit is UNSET else spec.rate_limit,
        settings=settings,
        retry_base_secs=obeyed.retry_base_secs,
        retry_cap_secs=obeyed.retry_cap_secs,
        retry_jitter=obeyed.retry_jitter,
        concurrency_limit=_whole(obeyed.concurrency_limit),
        before=before,
    )
    switched: tuple[Event, ...] = ()
    if spec.enabled is False and queue.paused_at is None:
        switched = (QueuePaused(org=ctx.org, queue=name, before=before),)
    elif spec.enabled is True and queue.paused_at is not None:
        switched = (QueueResumed(org=ctx.org, queue=name, before=before),)
    return Decision((*created, configured, *switched), name)


def pause(state: State, ctx: Context, name: str, spec: Pause) -> Decision[str]:
    """Stop handing out jobs; running ones may still be settled. Again: a new time and reason.

    Raises:
        Denied: key scope.

    """
    ctx.require(name)
    created, queue = ensured(state, ctx, name)
    before = None if created else facts(queue)
    paused = QueuePaused(org=ctx.org, queue=name, reason=spec.reason, before=before)
    return Decision((*created, paused), name)


def resume(state: State, ctx: Context, name: str) -> Decision[Resumed]:
    """Hand out jobs again.

    Raises:
        Denied, NotFound: key scope; no such queue.

    """
    ctx.require(name)
    queue = state.queue(ctx.org, name)
    if queue is None:
        raise NotFound("Queue not found")
    if queue.paused_at is None:
        return Decision((), Resumed(0))
    event = QueueResumed(org=ctx.org, queue=name, before=facts(queue))
    return Decision((event,), Resumed(ctx.now_us - queue.paused_at))


def delete(
    state: State,
    ctx: Context,
    name: str,
    *,
    delete_jobs: bool,
    jobs_max: int,
    action_id: str,
    first: int = 0,
) -> Decision[bool]:
    """Delete a queue; with `delete_jobs` its jobs first, up to `jobs_max` of them at a time.

    The answer tells whether the queue is gone; if not, there are more jobs: ask again, with the
    position of the `first` record under the action's id. Without `delete_jobs`, jobs that have ended
    or wait for their time stay, and those bring the queue back when that time comes.

    Raises:
        Denied, NotFound, Conflict: key scope; no such queue; jobs wait or run in it.

    """
    ctx.require(name)
    queue, shelf = state.queue(ctx.org, name), state.shelf(ctx.org, name)
    if queue is None and (not delete_jobs or shelf.is_empty()):
        raise NotFound("Queue not found")
    if not delete_jobs and (shelf.count(Status.PENDING) or shelf.count(Status.PROCESSING)):
        raise Conflict("Jobs wait or run in this queue; delete_jobs=true deletes them as well")
    jobs = chain.from_iterable(place.values() for place in shelf.by_status.values())
    doomed = list(islice(jobs, jobs_max)) if delete_jobs else []
    events = list(deleting(state, doomed))
    gone = len(doomed) < jobs_max
    if gone and queue is not None:
        events.append(QueueDeleted(org=ctx.org, queue=name, before=facts(queue)))
    if delete_jobs and events:
        events.insert(0, _deletion(state, ctx, name, action_id, first))
    return Decision(tuple(events), gone)


def _deletion(state: State, ctx: Context, name: str, action_id: str, first: int) -> BulkApplied:
    return BulkApplied(
        org=ctx.org,
        action=action_id,
        verb=DELETE_QUEUE,
        filter=Raw(encode({"queue_name": name})),
        first=first or state.position + 1,
    )


def _stored(queue: Queue) -> QueueSettings:
    return QueueSettings(
        retry_base_secs=queue.retry_base_secs,
        retry_cap_secs=queue.retry_cap_secs,
        retry_jitter=queue.retry_jitter,
        concurrency_limit=queue.concurrency_limit,
    )


def _obeyed(settings: Raw) -> QueueSettings:
    """Read the settings that the server obeys.

    Raises:
        Invalid: one of them breaks its rule.

    """
    try:
        return _decode_settings(settings)
    except ValidationError as reason:
        raise Invalid("settings", str(reason)) from reason


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _kept(asked: int | None, stored: int | None, default: int) -> int:
    if asked is not None:
        return asked
    return default if stored is None else stored
