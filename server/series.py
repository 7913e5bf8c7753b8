"""Counts what happens to jobs over time, by queue and by organization: a listener of the engine.

Nothing is stored: the log is the truth. A start lets this hear what it replays (see ``startup``);
`since_us` says from when on that, and so every figure, is whole. No clock is read; a record says
when it was. Queues that nothing happens to cost nothing, and of very many only those where
something happened last are kept.
"""

from collections.abc import Callable
from typing import Any, Final

from projections.entities import Job
from projections.events import (
    Event,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobCreated,
    JobDue,
    JobExpired,
    JobFailed,
    JobLeaseExpired,
    JobReleased,
    JobRestored,
    JobRetried,
    JobReverted,
    JobUnblocked,
    Record,
)
from projections.lifecycle import Status
from projections.state import State
from server.engine import Engine
from server.failures import Failures
from server.rings import Ring, bucket_of

QUEUES_MAX: Final = 1_000
_RETURNED_MAX: Final = 10_000


class Series:
    """The figures of all queues of a state, from `since_us` on."""

    def __init__(self, state: State, since_us: int = 0) -> None:
        self.since_us = since_us
        self.failures = Failures()
        self._state = state
        self._orgs: dict[str, Ring] = {}
        self._queues: dict[tuple[str, str], Ring] = {}
        self._forgetful = False
        """Whether queues were left aside, so that one that is not here may have a past."""
        self._forgot_us = 0
        """When that was last done to queues that were counted."""
        self._levels: dict[tuple[str, str], tuple[int, int]] | None = None
        self._returned: dict[str, int] = {}
        """When jobs that were ready before became so again, until they are claimed."""
        self._counts: dict[type[Event], Callable[[Any, int], None]] = {
            JobCreated: self._created,
            JobClaimed: self._claimed,
            JobCompleted: self._completed,
            JobFailed: self._failed,
            JobLeaseExpired: self._lease_expired,
            JobReleased: self._came_back,
            JobRetried: self._came_back,
            JobUnblocked: self._came_back,
            JobReverted: self._came_back,
            JobRestored: self._came_back,
            JobDue: self._moved,
            JobExpired: self._moved,
            JobCancelled: self._moved,
        }

    def begin(self) -> None:
        """Note what is there at `since_us`: called once, before the first record behind it is folded."""
        if self._levels is not None:
            return
        self._levels = {}
        for org, shelves in self._state.shelves.items():
            for name in shelves:
                level = _level(self._state, org, name)
                if any(level):
                    self._levels[org, name] = level
                if len(self._levels) == QUEUES_MAX:
                    self._forgetful = True
                    return

    def heard(self, record: Record) -> None:
        """Count a record that was folded."""
        at_us, counts = record.at, self._counts
        for event in record.events:
            count = counts.get(type(event))
            if count is not None:
                count(event, at_us)

    # -- reading

    def whole_since_us(self, may_see: Callable[[str], bool] | None) -> int:
        """Give the moment from which on the figures of these queues are whole."""
        return self.since_us if may_see is None else max(self.since_us, self._forgot_us)

    def rings(self, org: str, may_see: Callable[[str], bool] | None) -> list[Ring]:
        """Give what is counted for the queues that may be seen; without a say, for all of them."""
        if may_see is None:
            ring = self._orgs.get(org)
            return [] if ring is None else [ring]
        return [ring for (of, queue), ring in self._queues.items() if of == org and may_see(queue)]

    def ring(self, org: str, queue: str) -> Ring:
        """Give what is counted for a queue; an empty ring when that is nothing."""
        return self._queues.get((org, queue)) or self._new_ring(org, queue, self._state.tables.at)

    # -- counting

    def _created(self, event: JobCreated, at_us: int) -> None:
        of_org, ring = self._opened(event.org, event.queue, at_us)
        of_org.came += 1
        ring.came += 1

    def _claimed(self, event: JobClaimed, at_us: int) -> None:
        job = self._state.tables.jobs.get(event.job)
        returned_us = self._returned.pop(event.job, None)
        if job is None:
            return
        if returned_us is None:
            returned_us = job.created_at if job.scheduled_at is None else _ready_us(job)
        waited_us = at_us - returned_us
        of_org, ring = self._opened(job.org, job.queue, at_us)
        bucket = bucket_of(waited_us)
        of_org.waited.observe(at_us, waited_us, bucket)
        ring.waited.observe(at_us, waited_us, bucket)

    def _completed(self, event: JobCompleted, at_us: int) -> None:
        job = self._state.tables.jobs.get(event.job)
        if job is not None:
            of_org, ring = self._ran(job, at_us)
            of_org.left += 1
            ring.left += 1

    def _failed(self, event: JobFailed, at_us: int) -> None:
        job = self._state.tables.jobs.get(event.job)
        if job is not None:
            rings = self._ran(job, at_us)
            if not event.cancelled:
                self._failure(rings, job, event.error, at_us)

    def _lease_expired(self, event: JobLeaseExpired, at_us: int) -> None:
        job = self._state.tables.jobs.get(event.job)
        if job is not None:
            rings = self._opened(job.org, job.queue, at_us)
            if not event.cancelled:
                self._failure(rings, job, event.error, at_us)
            self._ready_again(job, at_us)

    def _came_back(
        self,
        event: JobReleased | JobRetried | JobUnblocked | JobReverted | JobRestored,
        at_us: int,
    ) -> None:
        job = self._state.tables.jobs.get(event.job)
        if job is not None:
            self._opened(job.org, job.queue, at_us)
            self._ready_again(job, at_us)

    def _moved(self, event: JobDue | JobExpired | JobCancelled, at_us: int) -> None:
        job = self._state.tables.jobs.get(event.job)
        if job is not None:
            self._opened(job.org, job.queue, at_us)

    def _ran(self, job: Job, at_us: int) -> tuple[Ring, Ring]:
        assert job.started_at is not None
        ran_us = at_us - job.started_at
        of_org, ring = rings = self._opened(job.org, job.queue, at_us)
        bucket = bucket_of(ran_us)
        of_org.ran.observe(at_us, ran_us, bucket)
        ring.ran.observe(at_us, ran_us, bucket)
        return rings

    def _failure(self, rings: tuple[Ring, Ring], job: Job, error: str, at_us: int) -> None:
        for ring in rings:
            ring.failed += 1
        self.failures.add(at_us, job.org, job.queue, job.id, error)

    def _ready_again(self, job: Job, at_us: int) -> None:
        if job.status is not Status.PENDING or job.due_at is not None or job.blocked:
            return
        self._returned[job.id] = at_us
        if len(self._returned) > _RETURNED_MAX:
            del self._returned[next(iter(self._returned))]

    def _opened(self, org: str, queue: str, at_us: int) -> tuple[Ring, Ring]:
        """Give the organization's ring and the queue's, which is told how many jobs are there."""
        of_org = self._orgs.get(org)
        if of_org is None:
            of_org = self._orgs[org] = Ring(self.since_us)
        ring = self._queues.get((org, queue))
        if ring is None:
            if len(self._queues) == QUEUES_MAX:
                self._drop_idle(at_us)
            ring = self._queues[org, queue] = self._new_ring(org, queue, at_us)
        of_org.open(at_us)
        ring.open(at_us)
        ring.pending, ring.processing = _level(self._state, org, queue)
        return of_org, ring

    def _new_ring(self, org: str, queue: str, at_us: int) -> Ring:
        """Make a ring; one of a queue that may have been here before knows nothing of that time."""
        levels = self._levels or {}
        known = levels.get((org, queue))
        if known is None and self._forgetful:
            return Ring(at_us)
        return Ring(self.since_us, known or (0, 0))

    def _drop_idle(self, at_us: int) -> None:
        """Keep the three quarters where something happened last."""
        newest = sorted(self._queues.items(), key=lambda one: one[1].last_us)
        self._queues = dict(newest[QUEUES_MAX // 4 :])
        self._levels = {}
        self._forgetful, self._forgot_us = True, at_us


def _ready_us(job: Job) -> int:
    """Give when a job that had to wait for its time was ready first."""
    assert job.scheduled_at is not None
    return max(job.created_at, job.scheduled_at)


def _level(state: State, org: str, queue: str) -> tuple[int, int]:
    shelf = state.shelf(org, queue)
    return shelf.count(Status.PENDING), shelf.count(Status.PROCESSING)


def listening(engine: Engine) -> Series:
    """Give figures that begin now."""
    series = Series(engine.state, engine.now_us())
    series.begin()
    engine.listeners.append(series.heard)
    return series
