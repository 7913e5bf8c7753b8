"""Records as lines: which ones are asked for, and how one reads.

Filters work on events; what they cost is kept low by looking at the bytes before decoding them.
Nothing here reads files or prints.
"""

from collections.abc import Iterable, Iterator

import click
import msgspec
from msgspec import Struct, json

from eventlog import Line
from projections.events import (
    Event,
    JobCreated,
    JobRestored,
    Record,
    WorkerRegistered,
    decode,
)
from projections.feed import Fact, event_type
from projections.moments import to_text
from tools.options import Point
from tools.output import printable

_VALUE_CHARACTERS_MAX = 120
_COLOURS = {"failed": "red", "expired": "red", "refused": "red", "completed": "green"}


class Wanted(Struct, frozen=True):
    """What to show. `queue` covers the events of the jobs and workers of that queue."""

    start: Point | None = None
    end: Point | None = None
    types: frozenset[str] = frozenset()
    queue: str | None = None
    job: str | None = None
    by: str | None = None

    @property
    def after(self) -> int:
        """The position behind which reading must begin."""
        # Most events name a job and not its queue, so a queue needs the log from its beginning.
        if self.queue is not None or self.start is None or self.start.position is None:
            return 0
        return max(0, self.start.position - 1)


class Shown(Struct, frozen=True):
    """A record with those of its events that were asked for, and their places in it."""

    line: Line
    record: Record
    events: tuple[Event, ...]
    indexes: tuple[int, ...]

    def facts(self) -> Iterator[Fact]:
        """Give the events one by one."""
        for index, event in zip(self.indexes, self.events, strict=True):
            yield Fact(self.record, index, event)


def select(lines: Iterable[Line], wanted: Wanted) -> Iterator[Shown]:
    """Give the records that hold what is wanted, up to its end."""
    members: set[str] = set()
    hints = _hints(wanted)
    last = wanted.end.position if wanted.end is not None else None
    for line in lines:
        if last is not None and line.position > last:
            return
        if not all(hint in line.body for hint in hints):
            continue
        record = decode(line.position, line.body)
        if wanted.end is not None and not wanted.end.includes(line.position, record.at):
            return
        found = {
            index: event
            for index, event in enumerate(record.events)
            if _matches(event, wanted, members)
        }
        if found and _in_range(line, record, wanted):
            yield Shown(line, record, tuple(found.values()), tuple(found))


def document(line: Line) -> bytes:
    """Give a record as one JSON object with its position in front; the rest is as stored."""
    return b'{"pos":%d,%b' % (line.position, line.body[1:])


def readable(shown: Shown) -> Iterator[str]:
    """Give one coloured line for each event."""
    record = shown.record
    for event in shown.events:
        kind = event_type(event)
        words = [
            click.style(f"{record.position:>9}", dim=True),
            to_text(record.at),
            click.style(f"{kind:<22}", fg=_COLOURS.get(kind.rpartition(".")[2].split("_")[-1])),
            *(f"{name}={value}" for name, value in fields(event)),
            click.style(f"by={printable(record.by)}", dim=True),
        ]
        if record.req:
            words.append(click.style(f"req={printable(record.req)}", dim=True))
        yield " ".join(words)


def fields(event: Event) -> Iterator[tuple[str, str]]:
    """Give an event's fields that say something, as short text."""
    for name, value in msgspec.to_builtins(event, builtin_types=(msgspec.Raw,)).items():
        if name != "type" and value is not None:
            yield name, _short(name, value)


def _short(name: str, value: object) -> str:
    if name.endswith(("_at", "_until")) and isinstance(value, int):
        return to_text(value)
    if isinstance(value, msgspec.Raw):
        text = bytes(value).decode()
    elif isinstance(value, str) and " " not in value and value:
        text = value
    else:
        text = json.encode(value).decode()
    text = printable(text)
    return text if len(text) <= _VALUE_CHARACTERS_MAX else text[:_VALUE_CHARACTERS_MAX] + "…"


def _hints(wanted: Wanted) -> list[bytes]:
    """Give bytes that a record must hold to be worth decoding."""
    hints = []
    if wanted.job is not None:
        hints.append(_inside(wanted.job))
    if wanted.by is not None:
        hints.append(_inside(wanted.by))
    if len(wanted.types) == 1 and wanted.queue is None:
        hints.append(_inside(next(iter(wanted.types))))
    return hints


def _inside(text: str) -> bytes:
    return json.encode(text)


def _in_range(line: Line, record: Record, wanted: Wanted) -> bool:
    if wanted.by is not None and record.by != wanted.by:
        return False
    return wanted.start is None or wanted.start.precedes(line.position, record.at)


def _matches(event: Event, wanted: Wanted, members: set[str]) -> bool:
    # The queue first, and whatever the rest says: it remembers who belongs to the queue.
    if wanted.queue is not None and not _in_queue(event, wanted.queue, members):
        return False
    if wanted.types and event_type(event) not in wanted.types:
        return False
    return wanted.job is None or getattr(event, "job", None) == wanted.job


def _in_queue(event: Event, queue: str, members: set[str]) -> bool:
    subject = getattr(event, "job", None) or getattr(event, "worker", None)
    named = getattr(event, "queue", None)
    if isinstance(event, JobCreated | JobRestored | WorkerRegistered):
        assert subject is not None
        (members.add if named == queue else members.discard)(subject)
    return named == queue if named is not None else subject in members
