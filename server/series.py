"""Counts what happens to jobs over time, by queue and by organization.

Nothing is stored: the log is the truth. Every record is counted just before it is folded, so a job
still tells since when it has been where it is; a start counts what it replays (see ``startup``), and
`since_us` says from when on that, and so every figure, is whole. No clock is read; a record says when
it was. Queues that nothing happens to cost nothing, and of very many only those where something
happened last are kept.
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
from server.failures import Failures
from server.rings import FINE_US, Ring, bucket_of

QUEUES_MAX: Final = 1_000


class Series:
    """The figures of all queues of a state, from `since_us` on."""

    def __init__(self, state: State, since_us: int = 0) -> None:
        self.since_us = since_us
        self.failures = Failures()
        self._state = state
        self._jobs = state.tables.jobs
        self._orgs: dict[str, Ring] = {}
        self._queues: dict[tuple[str, str], Ring] = {}
        self._forgot_us = since_us
        """Up to when there may be a past that was forgotten of queues that are not here."""
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

    # -- reading

    def whole_since_us(self, may_see: Callable[[str], bool] | None) -> int:
        """Give the moment from which on the figures of these queues are whole."""
        return self.since_us if may_see is None else self._forgot_us

    def rings(self, org: str, may_see: Callable[[str], bool] | None) -> list[Ring]:
        """Give what is counted for the queues that may be seen; without a say, for all of them."""
        if may_see is None:
            ring = self._orgs.get(org)
            return [] if ring is None else [ring]
        return [ring for (of, queue), ring in self._queues.items() if of == org and may_see(queue)]

    def ring(self, org: str, queue: str) -> Ring:
        """Give what is counted for a queue, its last row up to date; an empty ring for nothing."""
        ring = self._queues.get((org, queue)) or self._new_ring(org, queue)
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
        of_org = self._orgs.get(org)
        if of_org is None:
            of_org = self._orgs[org] = Ring(self.since_us)
        ring = self._queues.get((org, queue))
        if ring is None:
            if len(self._queues) == QUEUES_MAX:
                self._drop_idle(at_us)
            ring = self._queues[org, queue] = self._new_ring(org, queue)
        number = at_us // FINE_US
        if of_org.number != number:
            of_org.open(number)
        if ring.number != number:
            ring.level = self._level(org, queue)
            ring.open(number)
        return of_org, ring

    def _new_ring(self, org: str, queue: str) -> Ring:
        """Make a ring: nothing has happened to the queue since its past was forgotten, if it was."""
        return Ring(self._forgot_us, self._level(org, queue))

    def _drop_idle(self, at_us: int) -> None:
        """Keep the three quarters where something happened last."""
        newest = sorted(self._queues.items(), key=lambda one: one[1].number)
        self._queues = dict(newest[QUEUES_MAX // 4 :])
        self._forgot_us = at_us

    def _level(self, org: str, queue: str) -> tuple[int, int]:
        """Give how many jobs are pending and processing."""
        return self._state.shelf(org, queue).level()


def _ran(of_org: Ring, ring: Ring, job: Job, at_us: int) -> None:
    assert job.started_at is not None
    ran_us = at_us - job.started_at
    bucket = bucket_of(ran_us)
    of_org.ran.observe(at_us, ran_us, bucket)
    ring.ran.observe(at_us, ran_us, bucket)


def counting(engine: Engine) -> Series:
    """Give figures that begin now."""
    series = Series(engine.state, engine.now_us())
    engine.before_fold.append(series.count)
    return series
