"""All that is derived about one queue: who is ready, who is in which status, what came and ended.

Never stored; ``State`` rebuilds it from the jobs. A job is on exactly one shelf, and every fold
takes it off, changes it, and puts it back.
"""

import heapq
from collections.abc import Iterator
from typing import Final

from projections import bounds
from projections.entities import Job
from projections.lazyheap import LazyHeap
from projections.lifecycle import REVIVABLE, Status

MINUTES_KEPT: Final = 25 * 60
"""Figures cover 24 hours."""
_HOUR: Final = 60
_RANK_SHIFT: Final = 48
_SEQ_MASK: Final = (1 << _RANK_SHIFT) - 1

# Every fold comes by here, and on Python 3.11 a member looked up in its class costs as much as a fold
# does elsewhere.
_PENDING: Final = Status.PENDING
_SCHEDULED: Final = Status.SCHEDULED


def ready_rank(job: Job) -> int:
    """Order of claims as one integer: higher priority first, then older (contract section 3.2)."""
    return ((bounds.PRIORITY_MAX - job.priority) << _RANK_SHIFT) + (job.place or job.seq)


class Outcomes:
    """What came and ended in one minute: counts, and the processing time of what completed."""

    __slots__ = ("completed", "created", "failed", "processing_us")

    def __init__(self) -> None:
        self.created = 0
        self.completed = 0
        self.failed = 0
        self.processing_us = 0

    def add(self, other: "Outcomes") -> None:
        """Add the counts of another stretch of time."""
        self.created += other.created
        self.completed += other.completed
        self.failed += other.failed
        self.processing_us += other.processing_us


class Shelf:
    """One queue's jobs by status, in ready order, and their outcomes by minute."""

    __slots__ = (
        "_hours",
        "_newest_minute",
        "_oldest",
        "_pending",
        "_processing",
        "_ready_since",
        "_scheduled",
        "by_status",
        "minutes",
        "ready",
    )

    def __init__(self) -> None:
        self.ready: LazyHeap[str] = LazyHeap()
        self.by_status: dict[Status, dict[int, Job]] = {status: {} for status in Status}
        self._pending = self.by_status[_PENDING]
        self._scheduled = self.by_status[_SCHEDULED]
        self._processing = self.by_status[Status.PROCESSING]
        self.minutes: dict[int, Outcomes] = {}
        self._hours: dict[int, Outcomes] = {}
        self._newest_minute = 0
        self._oldest: list[int] = []
        self._ready_since: list[int] = []

    def add(self, job: Job) -> None:
        """Put a job in its places."""
        status = job.status
        self.by_status[status][job.seq] = job
        if status is _PENDING or status is _SCHEDULED:
            heapq.heappush(self._oldest, job.seq)
            if _is_ready(job):
                self.ready.add(ready_rank(job), job.id)
                heapq.heappush(self._ready_since, (job.updated_at << _RANK_SHIFT) + job.seq)
        else:
            self._count(job, 1)

    def remove(self, job: Job) -> None:
        """Take a job, unchanged since it was added, out of its places."""
        status = job.status
        del self.by_status[status][job.seq]
        if status is _PENDING or status is _SCHEDULED:
            if _is_ready(job):
                self.ready.discard(job.id)
                self._drop_taken()
            self._drop_gone()
        else:
            self._count(job, -1)

    def enter(self, job: Job) -> None:
        """Count a job that came into this queue."""
        self._minute(job.created_at).created += 1

    def leave(self, job: Job) -> None:
        """Count it no more: it was deleted."""
        self._minute(job.created_at).created -= 1

    def is_empty(self) -> bool:
        """Whether no job of any status is here."""
        return not any(self.by_status.values())

    def count(self, status: Status) -> int:
        """How many jobs are in this status."""
        return len(self.by_status[status])

    def level(self) -> tuple[int, int]:
        """How many jobs are pending, and how many processing."""
        return len(self._pending), len(self._processing)

    def oldest_waiting(self) -> Job | None:
        """Give the job that was created first among those not yet started."""
        return self._waiting(self._oldest[0]) if self._oldest else None

    def longest_ready(self) -> Job | None:
        """Give the job that has been ready, and left as it is, for the longest time."""
        return self._ready(self._ready_since[0]) if self._ready_since else None

    def since(self, since_us: int, until_us: int) -> Outcomes:
        """Sum the outcomes of the minutes from `since_us` to `until_us`."""
        total = Outcomes()
        for part in self._parts(since_us // bounds.MINUTE_US, until_us // bounds.MINUTE_US):
            total.created += part.created
            total.completed += part.completed
            total.failed += part.failed
            total.processing_us += part.processing_us
        return total

    def _parts(self, minute: int, last: int) -> Iterator[Outcomes]:
        """Give the outcomes from a minute to the last one, those of whole hours as one."""
        minutes = self.minutes
        if len(minutes) < _HOUR:
            # Most queues have few minutes in which anything happened.
            yield from (one for at, one in minutes.items() if minute <= at <= last)
            return
        while minute <= last:
            if minute % _HOUR == 0 and minute + _HOUR <= last:
                yield self._hours.get(minute // _HOUR) or self._sum_up(minute // _HOUR)
                minute += _HOUR
            else:
                if (found := minutes.get(minute)) is not None:
                    yield found
                minute += 1

    def _sum_up(self, hour: int) -> Outcomes:
        """Note the outcomes of an hour, until one of its minutes changes."""
        total = self._hours[hour] = Outcomes()
        for minute in range(hour * _HOUR, (hour + 1) * _HOUR):
            if (found := self.minutes.get(minute)) is not None:
                total.add(found)
        return total

    def _count(self, job: Job, by: int) -> None:
        if job.status is Status.COMPLETED:
            assert job.completed_at is not None
            assert job.started_at is not None
            outcomes = self._minute(job.completed_at)
            outcomes.completed += by
            outcomes.processing_us += by * (job.completed_at - job.started_at)
        elif job.status in REVIVABLE:
            self._minute(job.updated_at).failed += by

    def _minute(self, at_us: int) -> Outcomes:
        """Give the counts of a minute; of one too old to be asked for, some that nobody keeps."""
        minute = at_us // bounds.MINUTE_US
        if self._hours:
            self._hours.pop(minute // _HOUR, None)
        outcomes = self.minutes.get(minute)
        if outcomes is None:
            outcomes = Outcomes()
            if minute > self._newest_minute - MINUTES_KEPT:
                self.minutes[minute] = outcomes
            if minute > self._newest_minute:
                self._newest_minute = minute
                self._drop_old_minutes()
        return outcomes

    def _drop_old_minutes(self) -> None:
        """Forget minutes that no figure covers, many at a time."""
        if len(self.minutes) > 2 * MINUTES_KEPT:
            oldest = self._newest_minute - MINUTES_KEPT
            self.minutes = {at: one for at, one in self.minutes.items() if at > oldest}
            self._hours.clear()

    def _waiting(self, seq: int) -> Job | None:
        return self._pending.get(seq) or self._scheduled.get(seq)

    def _ready(self, rank: int) -> Job | None:
        """Give the job of an entry, if it has been ready ever since."""
        job = self._pending.get(rank & _SEQ_MASK)
        if job is None or job.updated_at != rank >> _RANK_SHIFT or not _is_ready(job):
            return None
        return job

    def _drop_taken(self) -> None:
        """Keep the job that has been ready longest on top, and the heap in bounds."""
        since = self._ready_since
        while since and self._ready(since[0]) is None:
            heapq.heappop(since)
        if len(since) > 2 * len(self.ready) + 64:
            self._ready_since = sorted({rank for rank in since if self._ready(rank) is not None})

    def _drop_gone(self) -> None:
        """Keep the oldest waiting job on top; a job that returned may stand in the heap twice."""
        oldest, pending, scheduled = self._oldest, self._pending, self._scheduled
        while oldest and oldest[0] not in pending and oldest[0] not in scheduled:
            heapq.heappop(oldest)
        if len(oldest) > 2 * (len(pending) + len(scheduled)) + 64:
            self._oldest = sorted([*pending, *scheduled])


def _is_ready(job: Job) -> bool:
    return job.due_at is None and not job.blocked and job.status is _PENDING
