"""What is different about a thing between two moments: its fields, before and after.

Left out is what never changes in a life, and what changes with every record and tells nothing.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from msgspec import UNSET, Struct

from projections.entities import ApiKey, Job, Queue, Worker
from projections.lifecycle import Status
from projections.moments import to_text

E = TypeVar("E", Job, Queue, Worker, ApiKey)
Row = tuple[Any, ...]

_FIXED: Final = frozenset({"id", "org", "name", "created_at", "hash", "prefix", "bootstrap"})
_BOOKKEEPING: Final = frozenset({"updated_at", "position", "trail", "seq"})
_OF_A_JOB: Final = frozenset(
    {
        "queue",
        "payload",
        "tags",
        "idempotency_key",
        "parent",
        "completion_webhook",
        "completion_webhook_secret",
        "max_retries",
        "timeout_secs",
    }
)
_OF_EVERY_CLAIM: Final = frozenset({"last_claimed_at", "paid_until_ns"})
_OF_EVERY_HEARTBEAT: Final = frozenset({"last_heartbeat", "offline_at"})


class Watched(Struct, Generic[E], frozen=True):
    """The fields of a kind of thing that are compared, and how to take them all at once."""

    names: tuple[str, ...]
    row: Callable[[E], Row]

    def between(self, before: Row, after: Row) -> dict[str, list[Any]]:
        """Give the fields that differ, each as it was and as it is, for people and programs."""
        if before == after:
            return {}
        return {
            name: [told(name, was), told(name, now)]
            for name, was, now in zip(self.names, before, after, strict=True)
            if was != now
        }


def _watched(kind: type[E], left_out: frozenset[str]) -> Watched[E]:
    names = tuple(
        name
        for name in kind.__struct_fields__
        if name not in _FIXED and name not in _BOOKKEEPING and name not in left_out
    )
    return Watched(names, attrgetter(*names))


JOB: Final = _watched(Job, _OF_A_JOB)
QUEUE: Final = _watched(Queue, _OF_EVERY_CLAIM)
WORKER: Final = _watched(Worker, _OF_EVERY_HEARTBEAT)
KEY: Final = _watched(ApiKey, frozenset())


def told(name: str, value: Any) -> Any:
    """Give a field's value as it is shown: times as text, nothing where there is nothing."""
    if value is UNSET:
        return None
    if isinstance(value, Status):
        return value.value
    if isinstance(value, int) and name.endswith(("_at", "_until")):
        return to_text(value)
    return value


def different(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Give the facts of two moments that differ; one that is missing there counts as nothing."""
    return {
        name: [before.get(name), after.get(name)]
        for name in (*before, *(name for name in after if name not in before))
        if before.get(name) != after.get(name)
    }
