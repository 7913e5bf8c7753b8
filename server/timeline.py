"""One queue over time, from its ring, in even steps."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from msgspec import Struct

from server.rings import (
    CAME,
    FAILED,
    LEFT,
    NUMBER,
    PENDING,
    PROCESSING,
    Ring,
    Table,
)

POINTS_MAX: Final = 300
SINCE_SECS_MIN: Final = 60
SINCE_SECS_MAX: Final = 86_400
STEPS_SECS: Final = (10, 20, 60, 120, 300)
"""Each is a multiple of the rows it is made of, those of minutes from an hour on."""

assert STEPS_SECS[-1] * POINTS_MAX > SINCE_SECS_MAX


class Moment(Struct, frozen=True):
    """What happened in a step that begins `at_us`, and what was there at its end."""

    at_us: int
    pending: int
    processing: int
    came: int
    left: int
    failed: int


def step_secs(since_secs: int) -> int:
    """Give the shortest step that needs no more than 300 points."""
    return next(step for step in STEPS_SECS if since_secs < step * POINTS_MAX)


def moments(ring: Ring, since_us: int, now_us: int, step_us: int) -> Iterator[Moment]:
    """Give every step from the one in which `since_us` lies to the one that is not over."""
    rows = ring.rows(now_us - since_us)
    table = rows.table()
    first, last = since_us // step_us, now_us // step_us
    steps = table[:, NUMBER] * rows.step_us // step_us
    edges = np.searchsorted(steps, np.arange(first, last + 2)).tolist()
    # Rows go only when as many newer ones reach back as far: without an earlier row there was none.
    pending, processing = _level(table, edges[0]) if edges[0] else ring.base
    for step, (begin, end) in enumerate(pairwise(edges), start=first):
        if end > begin:
            pending, processing = _level(table, end)
        sums = table[begin:end].sum(axis=0)
        yield Moment(
            at_us=step * step_us,
            pending=pending,
            processing=processing,
            came=int(sums[CAME]),
            left=int(sums[LEFT]),
            failed=int(sums[FAILED]),
        )


def _level(table: Table, end: int) -> tuple[int, int]:
    return int(table[end - 1, PENDING]), int(table[end - 1, PROCESSING])
