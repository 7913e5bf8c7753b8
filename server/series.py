"""Counts what happens to jobs over time, by queue and by organization.

The log is the truth. Every record is counted just before it is folded, so a job still tells since when
it has been where it is. Whoever folds, counts: the server as it goes and what a start replays, and the
process that makes a snapshot, which leaves its figures beside it (``figures``). `since_us` says from
when on every figure is whole. No clock is read; a record says when it was. Queues that nothing happens
to cost nothing, and of very many queues or organizations only those where something happened last are
kept.
"""

from collections.abc import Callable
from typing import Any, Final

from projections import bounds
from projections.entities import Job
from projections.events import (
    Event,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobCreated,
    JobDeleted,
    JobDue,
    JobExpired,
    JobFailed,
    JobLeaseExpired,
    JobReleased,
    JobRestored,
    JobRetried,
    JobReverted,
    Record,
)
from projections.state import State
from server.engine import Engine
from server.figures import Figures
from server.rings import COARSE_SPAN_US, FINE_US, Ring, bucket_of

_BACK_US: Final = COARSE_SPAN_US + 10 * bounds.MINUTE_US
"""A day, and the rest of the longest step in which it may begin."""


class Series:
    """The figures of all queues of a state, which go on with it."""

    def __init__(self, state: State, figures: Figures) -> None:
        self.figures = figures
        self.failures = figures.failures
        self._state = state
        self._jobs = state.tables.jobs
        self._orgs = figures.orgs
        self._queues = figures.queues
        self._counts: dict[type[Event], Callable[[Any, int], None]] = {
            JobCreated: self._created,
            JobClaimed: self._claimed,
            JobCompleted: self._completed,
            JobFailed: self._failed,
            JobLeaseExpired: self._failed,
            JobReverted: self._moved,
            JobRestored: self._restored,
            JobDue: self._moved,
            JobExpired: self._moved,
            JobCancelled: self._moved,
            JobReleased: self._moved,
            JobRetried: self._moved,
            JobDeleted: self._moved,
        }

    def count(self, record: Record) -> None:
        """Count a record that is about to be folded."""
        at_us, counts = record.at, self._counts
        for event in record.events:
            count = counts.get(type(event))
            if count is not None:
                count(event, at_us)

    def count_replayed(self, record: Record) -> None:
        """Count a record of the past that is about to be folded, unless it is too old to matter."""
        if record.at >= self.figures.since_us:
            self.count(record)

    # -- reading

    def whole_since_us(self, org: str, may_see: Callable[[str], bool] | None) -> int:
        """Give the moment from which on the figures of these queues are whole."""
        return self._queues.forgot_us if may_see is not None else self._orgs.since_us(org)

    def rings(self, org: str, may_see: Callable[[str], bool] | None) -> list[Ring]:
        """Give what is counted for the queues that may be seen; without a say, for all of them."""
        if may_see is None:
            ring = self._orgs.rings.get(org)
            return [] if ring is None else [ring]
        rings = self._queues.rings
        return [ring for (of, queue), ring in rings.items() if of == org and may_see(queue)]

    def ring(self, org: str, queue: str) -> Ring:
        """Give what is counted for a queue, its last row up to date; an empty ring for nothing."""
        ring = self._queues.rings.get((org, queue)) or self._new_ring(org, queue)
        ring.level = self._level(org, queue)
        return ring

    # -- counting

    def _created(self, event: JobCreated, at_us: int) -> None:
        of_org, ring = self._opened(event.org, event.queue, at_us)
        of_org.came += 1
        ring.came += 1

    def _claimed(self, event: JobClaimed, at_us: int) -> None:
        job = self._jobs.get(event.job)
        if job is not None:
            of_org, ring = self._opened(job.org, job.queue, at_us)
            waited_us = at_us - job.updated_at
            bucket = bucket_of(waited_us)
            of_org.waited.observe(at_us, waited_us, bucket)
            ring.waited.observe(at_us, waited_us, bucket)

    def _completed(self, event: JobCompleted, at_us: int) -> None:
        job = self._jobs.get(event.job)
        if job is not None:
            of_org, ring = self._opened(job.org, job.queue, at_us)
            of_org.left += 1
            ring.left += 1
            _ran(of_org, ring, job, at_us)

    def _failed(self, event: JobFailed | JobLeaseExpired, at_us: int) -> None:
        job = self._jobs.get(event.job)
        if job is None:
            return
        of_org, ring = self._opened(job.org, job.queue, at_us)
        if type(event) is JobFailed:
            _ran(of_org, ring, job, at_us)
        if not event.cancelled:
            of_org.failed += 1
            ring.failed += 1
            self.failures.add(at_us, job.org, job.queue, job.id, event.error)

    def _moved(
        self,
        event: JobDue
        | JobExpired
        | JobCancelled
        | JobReleased
        | JobRetried
        | JobReverted
        | JobDeleted,
        at_us: int,
    ) -> None:
        job = self._jobs.get(event.job)
        if job is not None:
            self._opened(job.org, job.queue, at_us)

    def _restored(self, event: JobRestored, at_us: int) -> None:
        self._opened(event.org, event.queue, at_us)

    def _opened(self, org: str, queue: str, at_us: int) -> tuple[Ring, Ring]:
        """Give the organization's ring and the queue's, ready to count what happens now."""
        of_org = self._orgs.rings.get(org)
        if of_org is None:
            self._orgs.make_room(at_us)
            of_org = self._orgs.rings[org] = Ring(self._orgs.forgot_us)
        ring = self._queues.rings.get((org, queue))
        if ring is None:
            self._queues.make_room(at_us)
            ring = self._queues.rings[org, queue] = self._new_ring(org, queue)
        number = at_us // FINE_US
        if of_org.number != number:
            of_org.open(number)
        if ring.number != number:
            ring.level = self._level(org, queue)
            ring.open(number)
        return of_org, ring

    def _new_ring(self, org: str, queue: str) -> Ring:
        """Make a ring: nothing has happened to the queue since its past was forgotten, if it was."""
        level = self._level(org, queue)
        return Ring(self._queues.forgot_us, level, level)

    def _level(self, org: str, queue: str) -> tuple[int, int]:
        """Give how many jobs are pending and processing."""
        return self._state.shelf(org, queue).level()


def _ran(of_org: Ring, ring: Ring, job: Job, at_us: int) -> None:
    assert job.started_at is not None
    ran_us = at_us - job.started_at
    bucket = bucket_of(ran_us)
    of_org.ran.observe(at_us, ran_us, bucket)
    ring.ran.observe(at_us, ran_us, bucket)


def going_on(state: State, kept: Figures | None, now_us: int) -> Series:
    """Go on from a snapshot's state with the figures that were kept beside it, if any were.

    Without them, or when they are of another day, the figures begin with the state, though not long
    before a day ago.
    """
    at_us, back_us = state.tables.at, now_us - _BACK_US
    if kept is None or at_us < back_us:
        kept = Figures.since(max(at_us, back_us))
    return Series(state, kept)


def counting(engine: Engine) -> Series:
    """Give figures that begin now."""
    series = Series(engine.state, Figures.since(engine.now_us()))
    engine.before_fold.append(series.count)
    return series
