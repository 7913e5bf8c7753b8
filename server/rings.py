"""Counts over the last hour and the last day, for one queue or a whole organization, in bounded memory.

Rows of whole numbers, one for each ten seconds and one for each minute in which anything happened;
and, for each five minutes of the last hour, how long jobs waited and ran, in buckets a few percent
wide, so that those of many queues can be added up. No clock: whoever counts says when. All of it are
plain values, so that it can be kept (``figures``).
"""

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from projections import bounds

FINE_US: Final = 10 * bounds.SECOND_US
FINE_SPAN_US: Final = bounds.HOUR_US
COARSE_US: Final = bounds.MINUTE_US
COARSE_SPAN_US: Final = bounds.DAY_US
TIMED_US: Final = 5 * bounds.MINUTE_US
TIMED_SPAN_US: Final = bounds.HOUR_US
_TIMED_MAX: Final = TIMED_SPAN_US // TIMED_US + 1

NUMBER, CAME, LEFT, FAILED, PENDING, PROCESSING = range(6)
"""The columns of a row: which stretch of time it is, what happened in it, what was there at its end."""
WIDTH: Final = 6

_UNIT_BITS: Final = 7
_FINER_BITS: Final = 3
_BUCKETS: Final = (48 - _UNIT_BITS - _FINER_BITS) << _FINER_BITS
"""Eight for each power of two, from 128 µs up to some years."""

Table = NDArray[np.int64]
if TYPE_CHECKING:
    Numbers = array[int]
else:
    Numbers = array  # without a parameter before Python 3.12


def _none() -> Numbers:
    return array("I")


class Rows(Struct):
    """Rows in order of their number, `step_us` long; those older than `span_us` go, many at a time."""

    step_us: int
    span_us: int
    values: Numbers = field(default_factory=_none)

    def put(self, at_us: int, counts: tuple[int, int, int], level: tuple[int, int]) -> None:
        """Add to the row of this moment, which is the last one or comes next, what was counted."""
        values, number = self.values, at_us // self.step_us
        if values and values[NUMBER - WIDTH] == number:
            for column, count in enumerate(counts, start=CAME - WIDTH):
                values[column] += count
            values[PENDING - WIDTH :] = array("I", level)
            return
        values.extend((number, *counts, *level))
        kept = (self.span_us // self.step_us + 1) * WIDTH
        if len(values) > 2 * kept:
            del values[:-kept]

    def table(self) -> Table:
        """Give a copy of all rows."""
        return np.frombuffer(self.values, dtype=np.uint32).reshape(-1, WIDTH).astype(np.int64)


def _buckets() -> Numbers:
    return array("I", bytes(4 * _BUCKETS))


class Timed(Struct):
    """Durations of five minutes: how many in each bucket, and their sum."""

    number: int
    total_us: int = 0
    counts: Numbers = field(default_factory=_buckets)


class Durations(Struct):
    """How long something took, of the last hour, by stretches of five minutes."""

    timed: list[Timed] = field(default_factory=list)

    def observe(self, at_us: int, took_us: int, bucket: int) -> None:
        """Count one, which belongs into this bucket."""
        timed, number = self.timed, at_us // TIMED_US
        if timed and timed[-1].number == number:
            last = timed[-1]
        else:
            last = Timed(number)
            timed.append(last)
            del timed[:-_TIMED_MAX]
        last.counts[bucket] += 1
        last.total_us += took_us

    def since(self, since_us: int) -> tuple[Table, int]:
        """Give the count of each bucket and the sum, from a moment on, to five minutes."""
        counts, total_us = np.zeros(_BUCKETS, dtype=np.int64), 0
        for timed in self.timed:
            if timed.number >= since_us // TIMED_US:
                counts += np.frombuffer(timed.counts, dtype=np.uint32)
                total_us += timed.total_us
        return counts, total_us


def bucket_of(took_us: int) -> int:
    """Give the bucket of a duration."""
    units = took_us >> _UNIT_BITS
    shift = units.bit_length() - _FINER_BITS - 1
    if shift > 0:
        units = (shift << _FINER_BITS) + (units >> shift)
    return units if units < _BUCKETS else _BUCKETS - 1


def middle_us(bucket: int) -> float:
    """Give the middle of a bucket."""
    shift = max((bucket >> _FINER_BITS) - 1, 0)
    units = bucket - (shift << _FINER_BITS)
    return (units + 0.5) * float(1 << (shift + _UNIT_BITS))


def quantile_us(counts: Table, share: float) -> float | None:
    """Give what a share of all durations does not exceed, to a few percent; nothing of nothing."""
    total = int(counts.sum())
    if not total:
        return None
    return middle_us(int(np.searchsorted(np.cumsum(counts), share * total)))


class Ring(Struct):
    """What is counted for one queue, or for all queues of an organization.

    It is whole from `since_us` on; `base` is what was pending and processing then, `level` what is
    now. What is counted goes into plain attributes, and from there into rows when ten seconds are
    over, or somebody asks.
    """

    since_us: int
    base: tuple[int, int] = (0, 0)
    level: tuple[int, int] = (0, 0)
    came: int = 0
    left: int = 0
    failed: int = 0
    number: int = -1
    """of the ten seconds in which something happened last"""
    waited: Durations = field(default_factory=Durations)
    ran: Durations = field(default_factory=Durations)
    fine: Rows = field(default_factory=lambda: Rows(FINE_US, FINE_SPAN_US))
    coarse: Rows = field(default_factory=lambda: Rows(COARSE_US, COARSE_SPAN_US))

    def open(self, number: int) -> None:
        """Go on with other ten seconds."""
        self._close()
        self.number = number

    def rows(self, window_us: int) -> Rows:
        """Give the finest rows that reach back so far."""
        self._close()
        return self.fine if window_us <= FINE_SPAN_US else self.coarse

    def _close(self) -> None:
        if self.number >= 0:
            counts, at_us = (self.came, self.left, self.failed), self.number * FINE_US
            self.fine.put(at_us, counts, self.level)
            self.coarse.put(at_us, counts, self.level)
            self.came = self.left = self.failed = 0
