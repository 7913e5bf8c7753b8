"""Which records of a log are asked for, and which of their events. Nothing here reads files.

Filters work on events; what they cost is kept low by looking at the bytes before decoding them:
`Wanted.sieve` gives what a record must hold to be worth it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct, json

from eventlog import Line, Sieve
from projections.events import Event, JobCreated, JobRestored, Record, WorkerRegistered, decode
from projections.feed import Fact, event_type
from spoolog.point import Point

_NOWHERE: Final = b"\xff"
"""In no record: those are UTF-8. An argument of a command may hold what is not."""


class Wanted(Struct, frozen=True):
    """What to show. `queue` covers the events of the jobs and workers of that queue."""

    start: Point | None = None
    end: Point | None = None
    types: frozenset[str] = frozenset()
    queue: str | None = None
    job: str | None = None
    by: str | None = None
    worker: str | None = None
    request_id: str | None = None

    @property
    def sieve(self) -> Sieve:
        """Give the bytes without which a record cannot hold what is wanted."""
        named = [self.job]
        groups: list[tuple[bytes, ...]] = []
        # Only the records that create jobs tell of which queue they are: none may be missed.
        if self.queue is None:
            named += [self.by, self.worker, self.request_id]
            if self.types:
                groups.append(tuple(map(_inside, sorted(self.types))))
        groups += [(_inside(text),) for text in named if text is not None]
        return Sieve(tuple(groups))

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
    sieve = wanted.sieve
    last = wanted.end.position if wanted.end is not None else None
    for line in lines:
        if last is not None and line.position > last:
            return
        if not sieve.passes(line.body):
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


def _inside(text: str) -> bytes:
    try:
        return json.encode(text)
    except UnicodeEncodeError:
        return _NOWHERE


def _in_range(line: Line, record: Record, wanted: Wanted) -> bool:
    if wanted.by is not None and record.by != wanted.by:
        return False
    if wanted.request_id is not None and record.req != wanted.request_id:
        return False
    return wanted.start is None or wanted.start.precedes(line.position, record.at)


def _matches(event: Event, wanted: Wanted, members: set[str]) -> bool:
    # The queue first, and whatever the rest says: it remembers who belongs to the queue.
    if wanted.queue is not None and not _in_queue(event, wanted.queue, members):
        return False
    if wanted.types and event_type(event) not in wanted.types:
        return False
    if wanted.worker is not None and getattr(event, "worker", None) != wanted.worker:
        return False
    return wanted.job is None or getattr(event, "job", None) == wanted.job


def _in_queue(event: Event, queue: str, members: set[str]) -> bool:
    subject = getattr(event, "job", None) or getattr(event, "worker", None)
    named = getattr(event, "queue", None)
    if isinstance(event, JobCreated | JobRestored | WorkerRegistered):
        assert subject is not None
        (members.add if named == queue else members.discard)(subject)
    return named == queue if named is not None else subject in members
