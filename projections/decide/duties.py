"""What time alone brings about: leases that end, jobs that become due or expire, lost workers.

The timekeeper asks when ``agenda.next_due`` has come; the answer says how many were due, so that a
full batch is followed by another.
"""

from collections.abc import Iterator
from itertools import islice

from projections.agenda import Duty
from projections.decide import Context, Decision, dependants
from projections.decide.queues import Reviving
from projections.decide.settlements import lease_ran_out
from projections.events import Event, JobDue, JobExpired, WorkerLost
from projections.state import State

EXPIRED = "Expired before start"


def due(state: State, ctx: Context, limit: int) -> Decision[int]:
    """Take up to `limit` of what is due; each subject at most once, the rest comes next time."""
    batch = _Batch(state, ctx)
    duties = 0
    for duty, subject in islice(state.agenda.due(ctx.now_us), limit):
        duties += 1
        if subject not in batch.taken and subject not in batch.ended:
            batch.taken.add(subject)
            batch.events.extend(batch.perform(duty, subject))
    return Decision(tuple(batch.events), duties)


def perform(state: State, ctx: Context, duty: Duty, subject: str) -> Decision[None]:
    """Do one thing that is due now."""
    return Decision(tuple(_Batch(state, ctx).perform(duty, subject)), None)


class _Batch:
    """Events so far, the subjects whose duty was taken, and the jobs that these events end."""

    def __init__(self, state: State, ctx: Context) -> None:
        self.events: list[Event] = []
        self.taken: set[str] = set()
        self.ended: set[str] = set()
        self._state = state
        self._reviving = Reviving(state, ctx)

    def perform(self, duty: Duty, subject: str) -> Iterator[Event]:
        state = self._state
        if duty is Duty.LOSE_WORKER:
            worker = state.tables.workers[subject]
            yield WorkerLost(org=worker.org, worker=worker.id)
            return
        job = state.tables.jobs[subject]
        match duty:
            case Duty.EXPIRE_LEASE:
                yield from lease_ran_out(state, job, self.ended)
            case Duty.EXPIRE_JOB:
                yield JobExpired(org=job.org, job=job.id, prev=job.trail, error=EXPIRED)
                yield from dependants.give_up(state, job, self.ended)
            case Duty.PROMOTE:
                yield from self._reviving.queue_of(job)
                yield JobDue(org=job.org, job=job.id, prev=job.trail)
