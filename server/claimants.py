"""Workers as their jobs tell of them: who claims, settles and keeps leases, announced or not.

What they hold now is in the state. What they did is counted in memory as it happens, and begins anew
with each start. Nothing here knows how it is shown.
"""

from typing import Final

from msgspec import Struct

from projections.decide import Caller
from projections.entities import Job
from projections.events import (
    Event,
    JobClaimed,
    JobCompleted,
    JobFailed,
    JobLeaseExpired,
    JobLeaseExtended,
    Record,
)
from projections.lifecycle import Status
from server.engine import Engine
from server.pace import Pace

KEPT_MAX: Final = 2_000
"""workers by queue whose doings are remembered; those heard of longest ago are forgotten"""
LISTED_MAX: Final = 100
_JOB_EFFORT: Final = 1
_TELLING: Final = frozenset(
    {JobClaimed, JobCompleted, JobFailed, JobLeaseExpired, JobLeaseExtended}
)

Who = tuple[str, str, str]
"""organization, queue, worker"""


class Doings(Struct):
    """What a worker did with the jobs of a queue since it was first heard of here."""

    last_at: int = 0
    claimed: int = 0
    completed: int = 0
    failed: int = 0
    lost: int = 0


class Claimant(Struct, frozen=True):
    """A worker and a queue: how many jobs it holds, since when the oldest, and its doings."""

    queue: str
    worker: str
    holding: int
    oldest_at: int | None
    doings: Doings


class Claimants:
    """Hears of every record before it is folded."""

    def __init__(self, engine: Engine) -> None:
        self._jobs = engine.state.tables.jobs
        self._state = engine.state
        self._known: dict[Who, Doings] = {}
        """those heard of last at the end"""
        engine.before_fold.append(self._recorded)

    async def listed(self, caller: Caller) -> list[Claimant]:
        """Give those whose queues the caller may see, the last heard of first."""
        found = {
            who: Claimant(who[1], who[2], 0, None, doings)
            for who, doings in self._known.items()
            if who[0] == caller.org and caller.may_use(who[1])
        }
        pace = Pace()
        for queue in list(self._state.shelves.get(caller.org, {})):
            if caller.may_use(queue):
                running = self._state.shelf(caller.org, queue).by_status[Status.PROCESSING]
                for job in list(running.values()):
                    await pace.spend(_JOB_EFFORT)
                    if job.status is Status.PROCESSING:
                        _hold(found, job)
        return sorted(found.values(), key=_heard_last)[:LISTED_MAX]

    def _recorded(self, record: Record) -> None:
        for event in record.events:
            if type(event) in _TELLING:
                job = self._jobs.get(event.job)  # type: ignore[union-attr]  # events of jobs all
                if job is not None:
                    self._note(event, job, record.at)

    def _note(self, event: Event, job: Job, at_us: int) -> None:
        match event:
            case JobClaimed():
                self._doings(job, event.worker, at_us).claimed += 1
            case JobCompleted():
                self._doings(job, event.worker, at_us).completed += 1
            case JobFailed():
                self._doings(job, event.worker, at_us).failed += 1
            case JobLeaseExtended() if job.worker is not None:
                self._doings(job, job.worker, at_us)
            case JobLeaseExpired():
                # Its worker did nothing: that is why it ended.
                known = self._known.get((job.org, job.queue, event.worker))
                if known is not None:
                    known.lost += 1
            case _:
                pass  # an extension of a job that has no worker

    def _doings(self, job: Job, worker: str, at_us: int) -> Doings:
        """Give a worker's doings in the job's queue, heard of just now."""
        who = (job.org, job.queue, worker)
        doings = self._known.pop(who, None)
        if doings is None:
            doings = Doings()
            if len(self._known) == KEPT_MAX:
                del self._known[next(iter(self._known))]
        self._known[who] = doings
        doings.last_at = at_us
        return doings


def _hold(found: dict[Who, Claimant], job: Job) -> None:
    """Count a running job for who holds it."""
    assert job.worker is not None
    assert job.started_at is not None
    who = (job.org, job.queue, job.worker)
    known = found.get(who)
    if known is None:
        known = Claimant(job.queue, job.worker, 0, None, Doings(last_at=job.updated_at))
    oldest_at = job.started_at if known.oldest_at is None else min(known.oldest_at, job.started_at)
    found[who] = Claimant(job.queue, job.worker, known.holding + 1, oldest_at, known.doings)


def _heard_last(claimant: Claimant) -> tuple[int, str, str]:
    return -claimant.doings.last_at, claimant.queue, claimant.worker
