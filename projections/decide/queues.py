"""Queues: bring into being, configure, pause, resume."""

from msgspec import UNSET, Struct

from projections import bounds
from projections.decide import Context, Decision
from projections.entities import Queue
from projections.errors import NotFound
from projections.events import Event, QueueConfigured, QueueCreated, QueuePaused, QueueResumed
from projections.rawjson import bounded
from projections.specs import Pause, QueueConfig
from projections.state import State


class Resumed(Struct, frozen=True):
    """For how long the queue had been paused; 0 when it was not."""

    paused_us: int


def ensured(state: State, ctx: Context, name: str) -> tuple[tuple[Event, ...], Queue]:
    """Give the queue, with the event that creates it when it does not exist yet."""
    queue = state.queue(ctx.org, name)
    if queue is not None:
        return (), queue
    event = QueueCreated(org=ctx.org, queue=name, id=ctx.new_id())
    return (event,), Queue(event.id, ctx.org, name, ctx.now_us, ctx.now_us)


def configure(state: State, ctx: Context, name: str, spec: QueueConfig) -> Decision[str]:
    """Change what the request names and keep the rest; ``enabled`` pauses or resumes.

    Raises:
        Denied, Invalid: key scope; settings that are no object or too long.

    """
    ctx.require(name)
    created, queue = ensured(state, ctx, name)
    settings = bounded("settings", spec.settings, bounds.SETTINGS_BYTES_MAX, b"{")
    configured = QueueConfigured(
        org=ctx.org,
        queue=name,
        max_retries=_kept(spec.max_retries, queue.max_retries, ctx.policy.max_retries),
        default_timeout_secs=_kept(
            spec.default_timeout, queue.default_timeout_secs, ctx.policy.timeout_secs
        ),
        rate_limit=queue.rate_limit if spec.rate_limit is UNSET else spec.rate_limit,
        settings=queue.settings if settings is None else settings,
    )
    switched: tuple[Event, ...] = ()
    if spec.enabled is False and queue.paused_at is None:
        switched = (QueuePaused(org=ctx.org, queue=name),)
    elif spec.enabled is True and queue.paused_at is not None:
        switched = (QueueResumed(org=ctx.org, queue=name),)
    return Decision((*created, configured, *switched), name)


def pause(state: State, ctx: Context, name: str, spec: Pause) -> Decision[str]:
    """Stop handing out jobs; running ones may still be settled. Again: a new time and reason.

    Raises:
        Denied: key scope.

    """
    ctx.require(name)
    created, _ = ensured(state, ctx, name)
    return Decision((*created, QueuePaused(org=ctx.org, queue=name, reason=spec.reason)), name)


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
    event = QueueResumed(org=ctx.org, queue=name)
    return Decision((event,), Resumed(ctx.now_us - queue.paused_at))


def _kept(asked: int | None, stored: int | None, default: int) -> int:
    if asked is not None:
        return asked
    return default if stored is None else stored
