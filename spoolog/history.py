"""`History`: a data directory to read. Its events by filter, its state at any point, its proof.

May run beside a live server: nothing is locked, created or changed, and nothing is printed. Which
events match is said in ``spoolog.select``, how a state comes to be in ``spoolog.folding``.
"""

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, TypedDict, Unpack

from msgspec import structs

from eventlog import Reader, Verified, verify
from projections.entities import Job
from projections.events import DEFAULT_ORG, decode
from projections.feed import Fact
from projections.state import State
from spoolog.folding import Folded, beginning, fold_at, last_known, without_gc
from spoolog.point import Point, PointLike, point
from spoolog.select import Shown, Wanted, select

POLL_SECS: Final = 0.1

Progress = Callable[[int], None]
"""Hears the position that was reached."""


class Filters(TypedDict, total=False):
    """Which events are asked for: all that match every filter that is given."""

    start: PointLike | None
    """the first position or moment"""
    end: PointLike | None
    """the last one"""
    types: Collection[str]
    """such as ``job.failed``; any of them"""
    queue: str | None
    """events of the queue, of its jobs and of its workers"""
    job: str | None
    by: str | None
    """who did it: the id of an API key, or ``system``"""
    worker: str | None
    """events that name this worker"""
    request_id: str | None


class History:
    """The past in one data directory. Made by ``spoolog.open``.

    Every method may raise, besides what it says itself:

    - ``LogDamaged``: a record is not what was written; with file, byte and position.
    - ``Undecodable``: a record is of a newer version of Spoolog.
    - ``ValueError``: a point in the log is neither a position nor a time.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        """the bytes below"""

    @property
    def data_dir(self) -> Path:
        """Where it is."""
        return self.reader.data_dir

    @property
    def cluster(self) -> str:
        """The id that this log has had since it was begun."""
        return self.reader.identity.cluster

    @property
    def first(self) -> int:
        """The first position that is there: 1 unless older records have expired."""
        return self.reader.first

    @property
    def last(self) -> int:
        """The last position that is there by now; one before `first` in an empty log."""
        return self.reader.first_where(lambda _position, _body: False) - 1

    @property
    def last_known(self) -> int | None:
        """The last position as far as it is known at once, for progress bars."""
        return last_known(self.reader)

    def position(self, at: PointLike) -> int:
        """Give the last position that does not lie behind a point.

        That is one before `first` where all records do.
        """
        named = point(at)
        if named.position is not None:
            return min(named.position, self.last)
        return self._first_behind(named) - 1

    def records(
        self,
        *,
        chained: bool = False,
        progress: Progress | None = None,
        **filters: Unpack[Filters],
    ) -> Iterator[Shown]:
        """Give the records that hold wanted events, the oldest first, with those events.

        Each record on the way must have its checksum and its position. Without a filter each must
        also continue the hash chain. A filter by job, type, actor, worker or request leaves the
        chain out for speed, unless `chained`.

        Raises:
            LogExpired: the start is a position that is no longer there.

        """
        yield from self._select(self._wanted(filters), chained=chained, progress=progress)

    def events(
        self,
        *,
        chained: bool = False,
        progress: Progress | None = None,
        **filters: Unpack[Filters],
    ) -> Iterator[Fact]:
        """Give the wanted events one by one, each with its record and its place in it.

        Raises:
            LogExpired: the start is a position that is no longer there.

        """
        for shown in self.records(chained=chained, progress=progress, **filters):
            yield from shown.facts()

    def follow(
        self, *, wait: Callable[[], bool] | None = None, **filters: Unpack[Filters]
    ) -> Iterator[Shown]:
        """Give records as `records` does, and go on with those that are written from now on.

        They were written and may not yet be durable. `wait` is called when there is nothing new; it
        waits as long as it likes and says whether to go on. Without it, this never ends.

        Raises:
            LogExpired: the start is a position that is no longer there.

        """
        wanted = self._wanted(filters)
        after = beginning(self.reader, wanted)
        yield from select(self.reader.follow(after, wait or _poll), wanted)

    def fold(self, at: PointLike | None = None, progress: Progress | None = None) -> Folded:
        """Fold up to and including a point, else the end, from the nearest snapshot before it.

        Raises:
            LogExpired: the records that lead there are gone, and no snapshot tells of them.

        """
        return fold_at(self.reader, None if at is None else point(at), progress)

    def state(self, at: PointLike | None = None, progress: Progress | None = None) -> State:
        """Give the state at a point, else at the end: queues, jobs, workers and keys.

        Raises:
            LogExpired: the records that lead there are gone, and no snapshot tells of them.

        """
        return self.fold(at, progress).state

    def job(
        self, job_id: str, at: PointLike | None = None, progress: Progress | None = None
    ) -> Job | None:
        """Give one job as it was at a point, else as it is at the end; None when it is not there.

        Raises:
            LogExpired: the records that lead there are gone, and no snapshot tells of them.

        """
        return self.state(at, progress).job(DEFAULT_ORG, job_id)

    def verify(self, progress: Progress | None = None, *, processes: int = 1) -> Verified:
        """Check everything that can be checked: checksums, hash chain, seals, durable mark.

        With several processes, the program that calls must guard its main module, as the standard
        library's ``multiprocessing`` wants it.
        """
        with without_gc():
            return verify(self.data_dir, progress=progress, processes=processes)

    def _wanted(self, filters: Filters) -> Wanted:
        start, end = filters.get("start"), filters.get("end")
        return Wanted(
            start=None if start is None else point(start),
            end=None if end is None else point(end),
            types=frozenset(filters.get("types", ())),
            queue=filters.get("queue"),
            job=filters.get("job"),
            by=filters.get("by"),
            worker=filters.get("worker"),
            request_id=filters.get("request_id"),
        )

    def _select(
        self, wanted: Wanted, *, chained: bool, progress: Progress | None
    ) -> Iterator[Shown]:
        wanted = self._positioned(wanted)
        after, sieve = beginning(self.reader, wanted), wanted.sieve
        until = None if wanted.end is None else wanted.end.position
        if chained or not sieve.groups:
            lines = self.reader.lines(after, until=until, progress=progress)
        else:
            lines = self.reader.skim(after, sieve, until=until, progress=progress)
        yield from select(lines, wanted)

    def _positioned(self, wanted: Wanted) -> Wanted:
        """Name positions for moments, so that reading begins and ends there."""
        start, end = wanted.start, wanted.end
        if start is not None and start.at_us is not None:
            moment = start.at_us
            found = self.reader.first_where(lambda position, body: _at(position, body) >= moment)
            start = Point(position=found)
        if end is not None and end.at_us is not None:
            end = Point(position=self._first_behind(end) - 1)
        return structs.replace(wanted, start=start, end=end)

    def _first_behind(self, moment: Point) -> int:
        return self.reader.first_where(
            lambda position, body: not moment.includes(position, _at(position, body))
        )


def _at(position: int, body: bytes) -> int:
    return decode(position, body).at


def _poll() -> bool:
    time.sleep(POLL_SECS)
    return True


def open_history(data_dir: Path | str) -> History:
    """Open a data directory to read it; a server may be running on it.

    Raises:
        LogError: there is no log.
        LogDamaged: what says whose log it is cannot be read.

    """
    return History(Reader(Path(data_dir)))
