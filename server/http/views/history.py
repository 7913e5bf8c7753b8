"""What happened to a job, as the API tells it."""

from typing import Any, Final

from msgspec import Struct, to_builtins

from projections.feed import event_type, subject
from projections.moments import to_text
from projections.trail import Change, Step, Value
from server.http.views.times import Time

# The job itself shows the large ones; a secret is shown nowhere.
_LEFT_OUT: Final = frozenset(
    {"type", "org", "job", "prev", "payload", "result", "tags", "completion_webhook_secret"}
)


class HistoryChange(Struct, frozen=True):
    """One field of the job, before the event and after it."""

    field: str
    before: Value
    after: Value


class HistoryEvent(Struct, frozen=True, kw_only=True):
    """One event of a job: what, when, by whom, on which request, at which place in the log.

    `since_last_ms` is the time since the event before; `attempt` counts the claims so far. `changes`
    is null where the job's first records have expired.
    """

    id: str
    job_id: str
    event_type: str
    worker_id: str | None
    details: dict[str, Any]
    created_at: Time
    position: int
    actor: str
    request_id: str
    since_last_ms: float | None
    attempt: int
    changes: list[HistoryChange] | None


def event(step: Step) -> HistoryEvent:
    """Give one event; `details` are its own fields, times in microseconds."""
    fact = step.fact
    record, happened = fact.record, fact.event
    fields: dict[str, Any] = to_builtins(
        {
            name: getattr(happened, name)
            for name in happened.__struct_fields__
            if name not in _LEFT_OUT
        }
    )
    return HistoryEvent(
        id=f"{record.position}-{fact.index}",
        job_id=subject(happened) or "",
        event_type=event_type(happened).removeprefix("job."),
        worker_id=fields.get("worker"),
        details={name: value for name, value in fields.items() if value is not None},
        created_at=to_text(record.at),
        position=record.position,
        actor=record.by,
        request_id=record.req,
        since_last_ms=None if step.since_last_us is None else step.since_last_us / 1_000,
        attempt=step.attempt,
        changes=None if step.changes is None else [_change(one) for one in step.changes],
    )


def _change(change: Change) -> HistoryChange:
    return HistoryChange(
        change.field, _shown(change.field, change.before), _shown(change.field, change.after)
    )


def _shown(field: str, value: Value) -> Value:
    return to_text(value) if field.endswith("_at") and isinstance(value, int) else value
