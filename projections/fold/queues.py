"""Queues: created, configured, paused, resumed, deleted, restored."""

from projections.entities import Queue
from projections.events import (
    QueueConfigured,
    QueueCreated,
    QueueDeleted,
    QueuePaused,
    QueueRestored,
    QueueResumed,
    Record,
)
from projections.rawjson import EMPTY_OBJECT
from projections.state import State


def on_created(state: State, event: QueueCreated, record: Record) -> None:
    """A queue without any setting of its own."""
    queues = state.tables.queues.setdefault(event.org, {})
    assert event.queue not in queues
    queues[event.queue] = Queue(
        event.id, event.org, event.queue, record.at, record.at, EMPTY_OBJECT
    )


def on_configured(state: State, event: QueueConfigured, record: Record) -> None:
    """The configuration as the event says, whole."""
    queue = _changed(state, event.org, event.queue, record)
    queue.max_retries = event.max_retries
    queue.default_timeout_secs = event.default_timeout_secs
    queue.rate_limit = event.rate_limit
    queue.settings = event.settings.copy()
    queue.retry_base_secs = event.retry_base_secs
    queue.retry_cap_secs = event.retry_cap_secs
    queue.retry_jitter = event.retry_jitter
    queue.concurrency_limit = event.concurrency_limit


def on_paused(state: State, event: QueuePaused, record: Record) -> None:
    """Paused, or paused again: the time and the reason are those of the last pause."""
    queue = _changed(state, event.org, event.queue, record)
    queue.paused_at = record.at
    queue.paused_by = record.by
    queue.paused_reason = event.reason


def on_resumed(state: State, event: QueueResumed, record: Record) -> None:
    """Open again."""
    queue = _changed(state, event.org, event.queue, record)
    queue.paused_at = None
    queue.paused_by = None
    queue.paused_reason = None


def on_deleted(state: State, event: QueueDeleted, record: Record) -> None:
    """Gone, with its configuration; jobs that are left in it keep its name."""
    state.remove_queue(state.tables.queues[event.org][event.queue])


def on_restored(state: State, event: QueueRestored, record: Record) -> None:
    """As it was, but for the charge on its rate limit if it had been deleted."""
    facts = event.facts
    queue = state.queue(event.org, event.queue)
    if queue is None:
        queue = Queue(facts.id, event.org, event.queue, facts.created_at, record.at, EMPTY_OBJECT)
        state.tables.queues.setdefault(event.org, {})[event.queue] = queue
    queue.updated_at = record.at
    queue.settings = facts.settings.copy()
    queue.max_retries = facts.max_retries
    queue.default_timeout_secs = facts.default_timeout_secs
    queue.rate_limit = facts.rate_limit
    queue.paused_at = facts.paused_at
    queue.paused_by = facts.paused_by
    queue.paused_reason = facts.paused_reason
    queue.retry_base_secs = facts.retry_base_secs
    queue.retry_cap_secs = facts.retry_cap_secs
    queue.retry_jitter = facts.retry_jitter
    queue.concurrency_limit = facts.concurrency_limit


def _changed(state: State, org: str, name: str, record: Record) -> Queue:
    queue = state.tables.queues[org][name]
    queue.updated_at = record.at
    return queue
