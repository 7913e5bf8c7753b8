"""States of the past, and the way to them: forward from one that is kept, or from a snapshot.

Reads a data directory and changes nothing. Meant for a process of its own: a way may be long.
"""

import gc
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

from eventlog import Entry, LogExpired, Reader, SegmentInfo, SnapshotStore
from eventlog.walker import Walker
from projections.events import decode
from projections.fold import refold
from projections.state import State
from server.landmarks import Landmarks
from spoolog.folding import fold_at
from spoolog.point import Point


class Journey:
    """A state on its way through the log. It goes forward only."""

    def __init__(self, state: State, walker: Walker) -> None:
        self.state = state
        self._walker = walker
        self._ahead: list[Entry] = []
        """records that were read and lie behind the point where it stopped"""

    def may_reach(self, point: Point) -> bool:
        """Whether it has not gone beyond a point."""
        return point.includes(self.state.position, self.state.tables.at)

    def go(self, point: Point, upto: int, on_batch: Callable[[], None]) -> None:
        """Go on to a point; no record behind `upto` is read.

        Raises:
            LogExpired: the records on the way were removed.
            LogDamaged, Undecodable: one is not what was written; not one this version knows.

        """
        while self._ahead or self._read(upto):
            for index, (position, body) in enumerate(self._ahead):
                record = decode(position, body)
                if not point.includes(position, record.at):
                    del self._ahead[:index]
                    return
                refold(self.state, record)
            self._ahead = []
            on_batch()

    def _read(self, upto: int) -> bool:
        self._ahead = self._walker.next(upto) if self.state.position < upto else []
        return bool(self._ahead)


class Traveller:
    """Gives the state at any point, and keeps the last few on the way: the next is often near.

    `on_batch` is called now and then while records are folded.
    """

    def __init__(self, data_dir: Path, on_batch: Callable[[], None], kept_max: int = 2) -> None:
        self._reader = Reader(data_dir)
        self.landmarks = Landmarks(self._reader)
        self._on_batch = on_batch
        self._kept_max = kept_max
        self._kept: list[Journey] = []
        """the one that was used last is the last"""
        self._first_at: dict[int, int] = {}

    def forget(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
        gc.collect()

    def at(self, point: Point, upto: int) -> State:
        """Give the state at a point, to be read before the next one is asked for.

        Raises:
            LogExpired: the records that lead there have expired.
            LogDamaged, Undecodable: as `Journey.go`.

        """
        journey = self._kept_near(point, upto) or self._begun(point, upto)
        journey.go(point, upto, self._on_batch)
        first = self._reader.first
        if journey.state.position < first - 1:
            raise LogExpired(first)
        self._kept.append(journey)  # only now: one that failed on its way is of no use
        return journey.state

    def _kept_near(self, point: Point, upto: int) -> Journey | None:
        """Take the kept journey from which it is nearest, unless a snapshot saves most of its way."""
        reaching = [one for one in self._kept if one.may_reach(point)]
        if not reaching:
            return None
        best = max(reaching, key=lambda one: one.state.position)
        snapshot = self._snapshot_before(point, upto)
        # A record costs about as much to fold as a job to load.
        if snapshot - best.state.position > len(best.state.tables.jobs):
            return None
        self._kept.remove(best)
        return best

    def _begun(self, point: Point, upto: int) -> Journey:
        while len(self._kept) >= self._kept_max:
            del self._kept[0]
            gc.collect()
        reader = self._reader
        start = Point(position=self._snapshot_before(point, upto))
        state = fold_at(reader, start, lambda _: self._on_batch()).state
        journey = Journey(state, reader.walk(state.position))
        if state.position and not journey.may_reach(point):
            raise LogExpired(reader.first)
        return journey

    def _snapshot_before(self, point: Point, upto: int) -> int:
        """Give the position of the last snapshot that cannot be behind a point; 0 without one."""
        reader = self._reader
        positions = SnapshotStore(reader.data_dir, reader.identity.cluster).positions()
        last = upto if point.position is None else point.position
        if point.at_us is not None:
            # A snapshot ends where a segment ends: one is early enough if the next record is.
            segments = reader.segments()
            index = bisect_right(segments, point.at_us, key=self._began_at)
            last = segments[max(index - 1, 0)].base - 1
        return max((one for one in positions if one <= last), default=0)

    def _began_at(self, segment: SegmentInfo) -> int:
        """Give the time of a segment's first record; of one that has none yet, its own."""
        known = self._first_at.get(segment.base)
        if known is None:
            entry = self._reader.glimpse(segment)
            if entry is None:
                return segment.header.created_at_us
            known = self._first_at[segment.base] = decode(*entry).at
        return known
