"""Counts over the last hour and the last day, for one queue or a whole organization, in bounded memory.

Rows of whole numbers, one for each ten seconds and one for each minute in which anything happened;
and, for each five minutes of the last hour, how long jobs waited and ran, in buckets a few percent
wide, so that those of many queues can be added up. No clock: whoever counts says when.
"""

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from projections import bounds

FINE_US: Final = 10 * bounds.SECOND_US
FINE_SPAN_US: Final = bounds.HOUR_US
COARSE_US: Final = bounds.MINUTE_US
COARSE_SPAN_US: Final = bounds.DAY_US
TIMED_US: Final = 5 * bounds.MINUTE_US
TIMED_SPAN_US: Final = bounds.HOUR_US

NUMBER, CAME, LEFT, FAILED, PENDING, PROCESSING = range(6)
"""The columns of a row: which stretch of time it is, what happened in it, what was there at its end."""
WIDTH: Final = 6
UNKNOWN: Final = 0xFFFF_FFFF
"""Stands for a number of jobs that nobody knows any more."""

_UNIT_BITS: Final = 7
_FINER_BITS: Final = 3
_BUCKETS: Final = (48 - _UNIT_BITS - _FINER_BITS) << _FINER_BITS
"""Eight for each power of two, from 128 µs up to some years."""

Table = NDArray[np.int64]


class Rows:
    """Rows in order of their number; those older than `span_us` go, many at a time."""

    __slots__ = ("_kept", "_step_us", "_values")

    def __init__(self, step_us: int, span_us: int) -> None:
        self._step_us = step_us
        self._kept = span_us // step_us + 1
        self._values = array("I")

    def open(self, at_us: int) -> None:
        """Make the row of this moment the last one."""
        values, number = self._values, at_us // self._step_us
        if values and values[NUMBER - WIDTH] == number:
            return
        values.extend((number, 0, 0, 0, UNKNOWN, UNKNOWN))
        if len(values) > 2 * self._kept * WIDTH:
            del values[: -self._kept * WIDTH]

    def add(self, column: int) -> None:
        """Count one more in the last row."""
        self._values[column - WIDTH] += 1

    def level(self, pending: int, processing: int) -> None:
        """Note in the last row what is there now."""
        self._values[PENDING - WIDTH] = pending
        self._values[PROCESSING - WIDTH] = processing

    @property
    def step_us(self) -> int:
        """How long each row is."""
        return self._step_us

    def table(self) -> Table:
        """Give a copy of all rows."""
        return np.frombuffer(self._values, dtype=np.uint32).reshape(-1, WIDTH).astype(np.int64)


class _Timed:
    """Durations of five minutes: how many in each bucket, and their sum."""

    __slots__ = ("counts", "total_us")

    def __init__(self) -> None:
        self.counts = array("I", bytes(4 * _BUCKETS))
        self.total_us = 0


class Durations:
    """How long something took, of the last hour, by stretches of five minutes."""

    __slots__ = ("_timed",)

    def __init__(self) -> None:
        self._timed: dict[int, _Timed] = {}

    def observe(self, at_us: int, took_us: int) -> None:
        """Count one."""
        number = at_us // TIMED_US
        timed = self._timed.get(number)
        if timed is None:
            timed = self._timed[number] = _Timed()
            if len(self._timed) > TIMED_SPAN_US // TIMED_US + 1:
                del self._timed[min(self._timed)]
        timed.counts[bucket_of(took_us)] += 1
        timed.total_us += took_us

    def since(self, since_us: int) -> tuple[Table, int]:
        """Give the count of each bucket and the sum, from a moment on, to five minutes."""
        counts, total_us = np.zeros(_BUCKETS, dtype=np.int64), 0
        for number, timed in self._timed.items():
            if number >= since_us // TIMED_US:
                counts += np.frombuffer(timed.counts, dtype=np.uint32)
                total_us += timed.total_us
        return counts, total_us


def bucket_of(took_us: int) -> int:
    """Give the bucket of a duration."""
    units = max(took_us, 0) >> _UNIT_BITS
    shift = max(units.bit_length() - _FINER_BITS - 1, 0)
    return min((shift << _FINER_BITS) + (units >> shift), _BUCKETS - 1)


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


class Ring:
    """What is counted for one queue, or for all queues of an organization.

    It is whole from `since_us` on; `base` is what was pending and processing then.
    """

    __slots__ = ("base", "coarse", "fine", "last_us", "ran", "since_us", "waited")

    def __init__(self, since_us: int, base: tuple[int, int] = (UNKNOWN, UNKNOWN)) -> None:
        self.since_us = since_us
        self.base = base
        self.last_us = -1
        self.fine = Rows(FINE_US, FINE_SPAN_US)
        self.coarse = Rows(COARSE_US, COARSE_SPAN_US)
        self.waited = Durations()
        self.ran = Durations()

    def open(self, at_us: int) -> None:
        """Be ready to count what happens at this moment."""
        if at_us // FINE_US != self.last_us // FINE_US:
            self.fine.open(at_us)
            self.coarse.open(at_us)
        self.last_us = at_us

    def add(self, column: int) -> None:
        """Count one more."""
        self.fine.add(column)
        self.coarse.add(column)

    def level(self, pending: int, processing: int) -> None:
        """Note what is there now."""
        self.fine.level(pending, processing)
        self.coarse.level(pending, processing)

    def rows(self, window_us: int) -> Rows:
        """Give the finest rows that reach back so far."""
        return self.fine if window_us <= FINE_SPAN_US else self.coarse
