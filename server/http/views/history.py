"""What happened to a job, as the API tells it."""

from typing import Any, Final

from msgspec import Struct, to_builtins

from projections.moments import to_text
from server.history import Told
from server.http.views.times import Time

# The job itself shows the large ones; a secret is shown nowhere.
_LEFT_OUT: Final = frozenset(
    {"type", "org", "job", "prev", "payload", "result", "tags", "completion_webhook_secret"}
)


class HistoryEvent(Struct, frozen=True, kw_only=True):
    """One event of a job: what, when, by whom, on which request, at which place in the log."""

    id: str
    job_id: str
    event_type: str
    worker_id: str | None
    details: dict[str, Any]
    created_at: Time
    position: int
    actor: str
    request_id: str


def event(told: Told) -> HistoryEvent:
    """Give one event; `details` are its own fields, times in microseconds."""
    record = told.record
    fields: dict[str, Any] = to_builtins(
        {
            name: getattr(told.event, name)
            for name in told.event.__struct_fields__
            if name not in _LEFT_OUT
        }
    )
    return HistoryEvent(
        id=f"{record.position}-{told.index}",
        job_id=told.event.job,
        event_type=str(told.event.__struct_config__.tag).removeprefix("job."),
        worker_id=fields.get("worker"),
        details={name: value for name, value in fields.items() if value is not None},
        created_at=to_text(record.at),
        position=record.position,
        actor=record.by,
        request_id=record.req,
    )
