"""What is counted while the server works: plain numbers, cheap enough to stand on every request.

``server.metrics`` makes samples of them when somebody asks; nothing here knows how. Each object has
one thread that counts; from another, a value may be seen in its bucket and not yet in the sum.
"""

from bisect import bisect_left
from collections import defaultdict
from typing import Final, get_args

from projections.events import (
    Event,
    JobCompleted,
    JobFailed,
    JobLeaseExpired,
    JobRetried,
    Record,
)
from server.clock import monotonic_ns
from server.engine import Engine

NS_PER_SEC: Final = 1_000_000_000
US_PER_SEC: Final = 1_000_000
_MS_NS: Final = 1_000_000
_KIB: Final = 1_024
_SETTLING: Final = frozenset({JobCompleted, JobFailed, JobLeaseExpired, JobRetried})

_REQUEST_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000)
_JOB_BOUNDS_MS: Final = (
    *(5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000),
    *(60_000, 300_000, 900_000, 3_600_000, 14_400_000),
)
_SYNC_BOUNDS_US: Final = (
    *(50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000),
    *(50_000, 100_000, 500_000, 1_000_000, 5_000_000),
)


class Histogram:
    """How many values, whole numbers, fell into each bucket, and their sum.

    A bucket takes values up to and with its bound; the last has none. `scale` values make one unit
    of what is published.
    """

    __slots__ = ("bounds", "counts", "scale", "total")

    def __init__(self, bounds: tuple[int, ...], scale: int = 1) -> None:
        self.bounds = bounds
        self.scale = scale
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def observe(self, value: int) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class JobTally:
    """What has happened to jobs, by the engine's records."""

    def __init__(self, engine: Engine) -> None:
        self.events: dict[type[Event], int] = dict.fromkeys(get_args(Event), 0)
        self.retried = 0
        self.deadlettered = 0
        self.durations = Histogram(_scaled(_JOB_BOUNDS_MS, 1_000), US_PER_SEC)
        self._tables = engine.state.tables
        engine.listeners.append(self._recorded)

    def _recorded(self, record: Record) -> None:
        events = self.events
        for event in record.events:
            kind = type(event)
            events[kind] += 1
            if kind in _SETTLING:
                self._settled(event)

    def _settled(self, event: Event) -> None:
        match event:
            case JobCompleted():
                job = self._tables.jobs[event.job]
                assert job.started_at is not None
                assert job.completed_at is not None
                self.durations.observe(job.completed_at - job.started_at)
            case JobFailed(cancelled=True) | JobLeaseExpired(cancelled=True):
                pass  # neither tried again nor dead
            case JobFailed(retry_at=None) | JobLeaseExpired(deadletter=True):
                self.deadlettered += 1
            case _:
                self.retried += 1


class RouteTally:
    """The requests of one route: how many got which status, and how long they took."""

    __slots__ = ("durations", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.durations = Histogram(_scaled(_REQUEST_BOUNDS_MS, _MS_NS), NS_PER_SEC)

    def count(self, status: int, took_ns: int) -> None:
        """Count an answer."""
        statuses = self.statuses
        statuses[status] = statuses.get(status, 0) + 1
        self.durations.observe(took_ns)


Requests = defaultdict[tuple[str, str], RouteTally]
"""by the method and the path of a route, not of a request: so there are only so many"""


class LogMeter:
    """What the log's writer tells of each batch (`eventlog.Meter`)."""

    def __init__(self) -> None:
        self.batch_records = Histogram(tuple(4**power for power in range(7)))
        self.batch_bytes = Histogram(tuple(_KIB * 4**power for power in range(7)))
        self.syncs = Histogram(_scaled(_SYNC_BOUNDS_US, 1_000), NS_PER_SEC)

    def now_ns(self) -> int:
        """Give nanoseconds from an arbitrary start."""
        return monotonic_ns()

    def wrote(self, records: int, size: int) -> None:
        """Count a batch."""
        self.batch_records.observe(records)
        self.batch_bytes.observe(size)

    def synced(self, took_ns: int) -> None:
        """Count a sync."""
        self.syncs.observe(took_ns)


def _scaled(bounds: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(bound * by for bound in bounds)
