"""The log as a feed: what of it a caller may see and asked for, page by page or as it grows.

Only durable records are told. What an event looks like is `projections.feed`'s, and HTTP somebody
else's.
"""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Final

from msgspec import Struct, json

from eventlog import Entry, Log
from projections.decide import Caller
from projections.events import Event, Record, decode
from projections.feed import Fact, event_type
from projections.state import State
from server.pace import Pace, reading_effort

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""of records in a page; one larger record is a page of its own"""
PAGE_LOOKED_MAX: Final = 50_000
"""records that a page looks at before it says where to go on"""
_PART_RECORDS: Final = 100
_PART_BYTES: Final = 128 * 1024
"""of records that are told of together, while they are followed"""


class Wanted(Struct, frozen=True):
    """Which events are asked for."""

    types: frozenset[str] = frozenset()
    queue: str | None = None
    job: str | None = None


class Told(Struct, frozen=True):
    """A record with those of its events that are told."""

    record: Record
    facts: list[Fact]


class Page(Struct, frozen=True):
    """Part of the log: what is told of it, and the last position that was looked at."""

    told: list[Told]
    reached: int


class View:
    """The log as one caller sees it, as far as it was asked for.

    Most events name a job or worker and not its queue: that is looked up in the state as it is now,
    so an event of one that is gone is of no known queue.
    """

    def __init__(self, state: State, caller: Caller, wanted: Wanted) -> None:
        self._state = state
        self._caller = caller
        self._wanted = wanted
        self._hints = [json.encode(kind) for kind in sorted(wanted.types)]
        self._job_hint = b"" if wanted.job is None else json.encode(wanted.job)

    def of(self, entry: Entry) -> Told | None:
        """Give what is told of a record, if anything is.

        Raises:
            Undecodable: it is of a version that this one does not know.

        """
        position, body = entry
        if self._job_hint not in body:
            return None
        if self._hints and not any(hint in body for hint in self._hints):
            return None
        record = decode(position, body)
        facts = [
            Fact(record, index, event)
            for index, event in enumerate(record.events)
            if self._shows(event)
        ]
        return Told(record, facts) if facts else None

    def _shows(self, event: Event) -> bool:
        wanted, caller = self._wanted, self._caller
        if event.org != caller.org:
            return False
        if wanted.types and event_type(event) not in wanted.types:
            return False
        if wanted.job is not None and getattr(event, "job", None) != wanted.job:
            return False
        if wanted.queue is None and caller.unrestricted:
            return True
        queue = self._queue_of(event)
        if wanted.queue is not None and queue != wanted.queue:
            return False
        return caller.unrestricted or (queue is not None and caller.may_use(queue))

    def _queue_of(self, event: Event) -> str | None:
        named = getattr(event, "queue", None)
        if named is not None:
            return str(named)
        tables = self._state.tables
        subject = tables.jobs.get(getattr(event, "job", "")) or tables.workers.get(
            getattr(event, "worker", "")
        )
        return subject.queue if subject is not None and subject.org == event.org else None


async def page(log: Log, view: View, after: int, limit: int, pace: Pace) -> Page:
    """Give up to `limit` records behind `after` that hold something to tell.

    Raises:
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.

    """
    told: list[Told] = []
    size = looked = 0
    async for batch in log.read(after):
        for entry in batch:
            found = view.of(entry)
            after = entry[0]
            looked += 1
            if found is not None:
                told.append(found)
                size += len(entry[1])
            if len(told) >= limit or size >= PAGE_BYTES_MAX or looked >= PAGE_LOOKED_MAX:
                return Page(told, after)
            await pace.spend(1 if found is None else reading_effort(entry[1]))
    return Page(told, after)


async def follow(
    log: Log, view: View, after: int, leaving: asyncio.Event, *, idle_secs: float, pace: Pace
) -> AsyncGenerator[Page, None]:
    """Give what is told as it becomes durable, until the log is closed or `leaving` is set.

    A page with nothing says how far it has come, when there was long nothing to tell.

    Raises:
        LogFailed: no further record will become durable.
        LogDamaged, Undecodable: as `page`.

    """
    looked = 0
    async with aclosing(_batches(log, after, leaving, idle_secs)) as batches:
        async for batch in batches:
            if not batch:
                yield Page([], after)
            for entries in _parts(batch):
                told = [found async for found in _told(view, entries, pace)]
                after = entries[-1][0]
                looked += len(entries)
                if told or looked >= PAGE_LOOKED_MAX:
                    yield Page(told, after)
                    looked = 0
                if leaving.is_set():
                    return


async def _told(view: View, entries: list[Entry], pace: Pace) -> AsyncIterator[Told]:
    for entry in entries:
        found = view.of(entry)
        if found is not None:
            yield found
        await pace.spend(1 if found is None else reading_effort(entry[1]))


def _parts(batch: list[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    size = 0
    for entry in batch:
        part.append(entry)
        size += len(entry[1])
        if len(part) == _PART_RECORDS or size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


async def _batches(
    log: Log, after: int, leaving: asyncio.Event, idle_secs: float
) -> AsyncGenerator[list[Entry], None]:
    """Give the log's batches as they come; an empty one when none has come for `idle_secs`."""
    batches = log.follow(after)
    left = asyncio.create_task(leaving.wait())
    coming: asyncio.Task[list[Entry] | None] | None = None
    try:
        while not leaving.is_set():
            coming = coming or asyncio.create_task(_next(batches))
            either: set[asyncio.Task[Any]] = {coming, left}
            await asyncio.wait(either, timeout=idle_secs, return_when=FIRST_COMPLETED)
            if coming.done():
                batch, coming = coming.result(), None
                if batch is None:
                    return
                yield batch
            elif not left.done():
                yield []
    finally:
        left.cancel()
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})


async def _next(batches: AsyncIterator[list[Entry]]) -> list[Entry] | None:
    return await anext(batches, None)
