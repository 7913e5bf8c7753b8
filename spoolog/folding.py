"""A data directory, read only, folded up to a point: the offline twin of ``server.startup``.

May run beside a live server. Nothing is locked, created or changed, and nothing is printed.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from msgspec import Struct, structs

from eventlog import Entry, LogExpired, Reader, SnapshotStore, newest_sound
from eventlog.recovery import Recovery
from eventlog.walker import Walker
from projections.events import decode
from projections.fold import refold
from projections.state import State
from spoolog import restore
from spoolog.point import Point
from spoolog.select import Wanted


class Folded(Struct, frozen=True):
    """A state and what it was made of.

    `began_at` is the position of the snapshot that it began with; 0 is the log's beginning. `torn`
    is an unfinished last write behind it.
    """

    state: State
    began_at: int
    events: int
    elapsed_us: int
    torn: Recovery | None
    passed_over: tuple[str, ...] = ()
    """snapshots that could not be used"""

    @property
    def records(self) -> int:
        """How many records were folded."""
        return self.state.position - self.began_at


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep the cycle collector off while millions of objects that hold no cycles come to be."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def last_known(reader: Reader) -> int | None:
    """Give the last position as far as it is known without reading the log."""
    segments = reader.segments()
    known = max([reader.mark(), *(part.footer.last for part in segments if part.footer)])
    return known or None


def beginning(reader: Reader, wanted: Wanted) -> int:
    """Give the position behind which to read: from the first record that is there, if not later.

    Raises:
        LogExpired: what is wanted begins before it by name.

    """
    first = reader.first
    start = None if wanted.start is None else wanted.start.position
    if start is not None and start < first > 1:
        raise LogExpired(first)
    return max(wanted.after, first - 1)


def fold_log(
    reader: Reader,
    until: Point | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    hashed: bool = False,
    stops: Mapping[int, Callable[[State], None]] = MappingProxyType({}),
) -> Folded:
    """Fold the log from its beginning up to and including `until`.

    Where the beginning has expired, that is the oldest snapshot that still can be gone on from.
    `hashed` also checks every sealed segment against the hash in its footer. `stops` are shown the
    state at their positions, which must be in the log.

    Raises:
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.
        LogExpired: no snapshot tells what the expired records came to, or only behind `until`.

    """
    began_us = _monotonic_us()
    state = _beginning_state(reader)
    if until is not None and state.position and not _reaches(until, state):
        raise LogExpired(reader.first)
    return _fold_on(reader, state, began_us, until, progress, hashed=hashed, stops=stops)


def fold_at(
    reader: Reader, until: Point | None = None, progress: Callable[[int], None] | None = None
) -> Folded:
    """Fold the log up to and including `until`, from the nearest snapshot that is not behind it.

    Without such a snapshot, it is folded from its beginning.

    Raises:
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.
        LogExpired: the records that lead there have expired, and no snapshot tells of them.

    """
    began_us = _monotonic_us()
    nearest = _nearest(reader, until)
    folded = _fold_on(reader, nearest.state, began_us, until, progress)
    return structs.replace(folded, passed_over=tuple(nearest.passed_over))


def _nearest(reader: Reader, until: Point | None) -> restore.Restored:
    """Load the newest snapshot that is not behind `until`; an empty state where there is none."""
    store = SnapshotStore(reader.data_dir, reader.identity.cluster)
    first = reader.first
    # One that is made meanwhile would seem to be behind the end of the log.
    upto = newest = max(store.positions(), default=0)
    if until is not None and until.position is not None:
        upto = min(upto, until.position)
    while True:
        restored = restore.newest(
            store, reader.state_after, last=newest, upto=upto, since=first - 1
        )
        state = restored.state
        if until is None or not state.position or _reaches(until, state):
            break
        upto = state.position - 1  # only what it holds tells of which time it is
    if state.position < first - 1:
        raise LogExpired(first)
    return restored


def _reaches(until: Point, state: State) -> bool:
    return until.includes(state.position, state.tables.at)


def _fold_on(
    reader: Reader,
    state: State,
    began_us: int,
    until: Point | None,
    progress: Callable[[int], None] | None,
    *,
    hashed: bool = False,
    stops: Mapping[int, Callable[[State], None]] = MappingProxyType({}),
) -> Folded:
    began_at, events = state.position, 0
    # A hash over a whole segment needs its first record, where a snapshot also ends.
    walker = reader.walk(began_at, hashed=hashed)
    with without_gc():
        for batch in _with_stops(walker, state, stops):
            for position, body in batch:
                record = decode(position, body)
                if until is not None and not until.includes(position, record.at):
                    return Folded(state, began_at, events, _monotonic_us() - began_us, None)
                refold(state, record)
                events += len(record.events)
            if progress is not None:
                progress(state.position)
    torn = None if walker.segment is None else Recovery.of(walker.segment.path, walker.torn)
    return Folded(state, began_at, events, _monotonic_us() - began_us, torn)


def _beginning_state(reader: Reader) -> State:
    """Give the state before the first record that is there."""
    first = reader.first
    if first == 1:
        return State()
    store = SnapshotStore(reader.data_dir, reader.identity.cluster)
    sound = list(newest_sound(store, lambda _: None))
    for snapshot in reversed(sound):
        if snapshot.position >= first - 1:
            last, oldest = sound[0].position, snapshot.position
            return restore.newest(store, reader.state_after, last=last, upto=oldest).state
    raise LogExpired(first)


def _with_stops(
    walker: Walker, state: State, stops: Mapping[int, Callable[[State], None]]
) -> Iterator[list[Entry]]:
    """Give batches that end at each stop, and show it the state once that batch is folded."""
    for position in sorted(stops):
        if position < state.position:
            continue  # before the beginning that is left
        while batch := walker.next(position):
            yield batch
        stops[position](state)
    while batch := walker.next():
        yield batch


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1_000
