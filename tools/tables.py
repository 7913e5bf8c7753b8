"""What the log and its state look like as tables: columns, their types, and the row of one thing.

The events' columns are those of an exported CSV or Parquet file as well. Documents (payloads,
results, tags) stay text in the client's own spelling, since a number such as 2.50 or 2**70 would
not survive being read. Nothing here reads the log or knows a database.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from msgspec import UNSET, Raw, Struct
from msgspec.json import Encoder

from projections.entities import Job, Queue
from projections.feed import SECRETS, Fact, event_type
from projections.state import State

TIME: Final = "TIMESTAMP"
"""A moment in UTC; in a row it is microseconds since the Unix epoch."""
_TEXT: Final = "VARCHAR"
_NUMBER: Final = "BIGINT"

Row = tuple[object, ...]
"""Values in the order of the columns: text, numbers, truth or nothing."""

_encode = Encoder().encode
_EVENT_TEXTS: Final = ("org", "job", "queue", "worker", "error")
_EVENT_DOCUMENTS: Final = ("payload", "result")
_NOT_DETAILS: Final = SECRETS.union(_EVENT_TEXTS, _EVENT_DOCUMENTS)


class Table(Struct, frozen=True):
    """A table's name, its columns with their types (DuckDB's words), and how one row comes to be."""

    name: str
    columns: Mapping[str, str]
    row: Callable[[Any], Row]


def _event_row(fact: Fact) -> Row:
    record, event = fact.record, fact.event
    return (
        record.position,
        fact.index,
        record.at,
        record.by,
        record.req,
        event_type(event),
        *(getattr(event, name, None) for name in _EVENT_TEXTS),
        *(_document(getattr(event, name, None)) for name in _EVENT_DOCUMENTS),
        _details(event),
    )


def _details(event: Struct) -> str:
    """Give an event's other fields that say something, as a JSON object."""
    found = {name: getattr(event, name) for name in _detail_names(type(event))}
    return _encode(
        {name: value for name, value in found.items() if value is not None and value is not UNSET}
    ).decode()


@cache
def _detail_names(kind: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name not in _NOT_DETAILS)


def _document(value: object) -> str | None:
    return bytes(value).decode() if isinstance(value, Raw) else None


def _shown(value: object) -> object:
    if value is UNSET:
        return None
    return bytes(value).decode() if isinstance(value, Raw) else value


def _reader(columns: Mapping[str, str], **sources: str) -> Callable[[Any], Row]:
    """Make the row of an entity whose fields are named as the columns, but for `sources`."""
    names = [sources.get(column, column) for column in columns]
    return lambda entity: tuple(_shown(getattr(entity, name)) for name in names)


EVENTS: Final = Table(
    "events",
    {
        "position": _NUMBER,
        "index": "INTEGER",
        "time": TIME,
        "actor": _TEXT,
        "request_id": _TEXT,
        "type": _TEXT,
        "org": _TEXT,
        "job": _TEXT,
        "queue": _TEXT,
        "worker": _TEXT,
        "error": _TEXT,
        "payload": _TEXT,
        "result": _TEXT,
        "details": _TEXT,
    },
    _event_row,
)

_JOB_COLUMNS: Final = {
    "id": _TEXT,
    "org": _TEXT,
    "queue": _TEXT,
    "status": _TEXT,
    "priority": "INTEGER",
    "retry_count": "INTEGER",
    "max_retries": "INTEGER",
    "timeout_secs": "INTEGER",
    "worker": _TEXT,
    "last_error": _TEXT,
    "payload": _TEXT,
    "result": _TEXT,
    "tags": _TEXT,
    "idempotency_key": _TEXT,
    "parent": _TEXT,
    "blocked": "BOOLEAN",
    "created_at": TIME,
    "updated_at": TIME,
    "scheduled_at": TIME,
    "started_at": TIME,
    "completed_at": TIME,
    "expires_at": TIME,
    "lease_until": TIME,
    "position": _NUMBER,
}
JOBS: Final = Table("jobs", _JOB_COLUMNS, _reader(_JOB_COLUMNS))

_QUEUE_COLUMNS: Final = {
    "org": _TEXT,
    "queue": _TEXT,
    "max_retries": "INTEGER",
    "default_timeout_secs": "INTEGER",
    "rate_limit": "INTEGER",
    "concurrency_limit": "INTEGER",
    "settings": _TEXT,
    "paused_at": TIME,
    "paused_by": _TEXT,
    "paused_reason": _TEXT,
    "last_claimed_at": TIME,
    "created_at": TIME,
    "updated_at": TIME,
}
QUEUES: Final = Table("queues", _QUEUE_COLUMNS, _reader(_QUEUE_COLUMNS, queue="name"))


def jobs_in(state: State) -> Iterable[Job]:
    """Give the jobs of all organizations, in order of creation."""
    return state.tables.jobs.values()


def queues_in(state: State) -> Iterable[Queue]:
    """Give the queues of all organizations."""
    return (queue for queues in state.tables.queues.values() for queue in queues.values())
