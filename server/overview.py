"""What a dashboard shows of the queues that somebody may see, gathered in slices; no job is looked at.

The number of queues has no bound, so requests are let in between; parts are then of slightly
different moments, as in ``stock``. Nothing here knows how it is shown.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

import numpy as np
from msgspec import Struct, field

from projections import bounds
from projections.decide import Caller
from projections.eligibility import oldest_claimable
from projections.entities import Queue
from projections.lifecycle import Status
from projections.moments import LATEST_US
from projections.shelf import Outcomes, Shelf
from projections.state import State
from server.engine import Engine
from server.failures import Group
from server.pace import Pace
from server.rings import (
    CAME,
    COARSE_US,
    FAILED,
    FINE_SPAN_US,
    FINE_US,
    LEFT,
    NUMBER,
    WIDTH,
    Ring,
)
from server.series import Series

LISTED_MAX: Final = 20
GLANCED_MAX: Final = 100
FAILURES_MAX: Final = 20
_HEALTHY_US: Final = bounds.MINUTE_US
WINDOWS_US: Final = (bounds.MINUTE_US, bounds.HOUR_US, bounds.DAY_US)

T = TypeVar("T")


class Best(Generic[T]):
    """The few items with the lowest keys of all that are shown to it; keys differ."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[tuple[Any, T]] = []

    def show(self, key: Any, item: T) -> None:
        """Keep an item if it is among the first."""
        kept = self._kept
        if len(kept) == self._limit:
            if key >= kept[-1][0]:
                return
            kept.pop()
        insort(kept, (key, item), key=_first)

    def __iter__(self) -> Iterator[T]:
        return (item for _, item in self._kept)


class Glanced(Struct, frozen=True):
    """A queue, what is derived about its jobs, and the one that could have been claimed longest."""

    queue: Queue
    shelf: Shelf
    job: str | None
    ready_us: int


class Rate(Struct, frozen=True):
    """How many jobs came, how many left and how many attempts failed, a second."""

    came: float
    left: float
    failed: float


class Overview(Struct):
    """Everything at a glance, as of `now_us`, or a little later."""

    now_us: int
    jobs: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    day: Outcomes = field(default_factory=Outcomes)
    hour: Outcomes = field(default_factory=Outcomes)
    by_name: Best[Glanced] = field(default_factory=lambda: Best(LISTED_MAX))
    glance: Best[Glanced] = field(default_factory=lambda: Best(GLANCED_MAX))
    paused: Best[Queue] = field(default_factory=lambda: Best(GLANCED_MAX))
    workers: int = 0
    healthy: int = 0
    rates: dict[int, Rate] = field(default_factory=dict)
    waited: int = 0
    waited_us: int = 0
    failures: list[Group] = field(default_factory=list)
    since_us: int = 0


async def look(engine: Engine, series: Series, caller: Caller) -> Overview:
    """Gather."""
    found, pace = Overview(engine.now_us()), Pace()
    await _queues(found, engine.state, caller, pace)
    await _workers(found, engine.state, caller, pace)
    may_see = None if caller.unrestricted else caller.may_use
    whole_us = series.whole_since_us(caller.org, may_see)
    found.since_us = max(whole_us, found.now_us - bounds.DAY_US)
    await _rates(found, series.rings(caller.org, may_see), pace)
    found.failures = series.failures.groups(caller.org, caller.may_use, found.now_us)[:FAILURES_MAX]
    return found


async def _queues(found: Overview, state: State, caller: Caller, pace: Pace) -> None:
    for queue in list(state.queues(caller.org)):
        if caller.may_use(queue.name):
            _glance(found, queue, state.shelf(caller.org, queue.name))
        await pace.spend(2)
    for name, shelf in list(state.shelves.get(caller.org, {}).items()):
        if caller.may_use(name):
            for status, jobs in shelf.by_status.items():
                found.jobs[status] += len(jobs)
            found.day.add(shelf.since(found.now_us - bounds.DAY_US, found.now_us))
            found.hour.add(shelf.since(found.now_us - bounds.HOUR_US, found.now_us))
        await pace.spend(5 + len(shelf.minutes) // 30)


def _glance(found: Overview, queue: Queue, shelf: Shelf) -> None:
    """See whether a queue is worth showing: where a job could have been claimed longest, first."""
    oldest = oldest_claimable(queue, shelf)
    if oldest is None:
        glanced = Glanced(queue, shelf, None, LATEST_US)
    else:
        glanced = Glanced(queue, shelf, oldest.id, oldest.updated_at)
    waiting = shelf.count(Status.PENDING) + shelf.count(Status.SCHEDULED)
    found.by_name.show(queue.name, glanced)
    found.glance.show((glanced.ready_us, -waiting, queue.name), glanced)
    if queue.paused_at is not None:
        found.paused.show(queue.name, queue)


async def _workers(found: Overview, state: State, caller: Caller, pace: Pace) -> None:
    for worker in list(state.tables.workers.values()):
        if worker.org == caller.org and worker.status != "offline" and caller.may_use(worker.queue):
            found.workers += 1
            found.healthy += worker.last_heartbeat > found.now_us - _HEALTHY_US
        await pace.spend(1)


async def _rates(found: Overview, rings: list[Ring], pace: Pace) -> None:
    """Add up what happened; the stretch of time that is not over counts as far as it has got."""
    counts = {window_us: np.zeros(WIDTH, dtype=np.int64) for window_us in WINDOWS_US}
    for ring in rings:
        for window_us in WINDOWS_US:
            rows = ring.rows(window_us)
            table = rows.table()
            begin_us = _begin_us(found, window_us, rows.step_us)
            counts[window_us] += table[table[:, NUMBER] >= begin_us // rows.step_us].sum(axis=0)
        waited, waited_us = ring.waited.since(found.now_us - bounds.HOUR_US)
        found.waited += int(waited.sum())
        found.waited_us += waited_us
        await pace.spend(100)
    for window_us, sums in counts.items():
        step_us = FINE_US if window_us <= FINE_SPAN_US else COARSE_US
        secs = max(found.now_us - _begin_us(found, window_us, step_us), bounds.SECOND_US)
        per_sec = sums / (secs / bounds.SECOND_US)
        found.rates[window_us] = Rate(
            came=float(per_sec[CAME]), left=float(per_sec[LEFT]), failed=float(per_sec[FAILED])
        )


def _begin_us(found: Overview, window_us: int, step_us: int) -> int:
    """Give where the first whole row of a window begins, or what is known of it."""
    begin_us = ((found.now_us - window_us) // step_us + 1) * step_us
    return max(begin_us, found.since_us)


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]
