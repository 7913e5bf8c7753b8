"""What time alone brings about: leases that end, jobs that become due or expire, lost workers.

The timekeeper asks when ``agenda.next_due`` has come; the answer says how many were due, so that a
full batch is followed by another.
"""

from itertools import islice

from projections.agenda import Duty
from projections.decide import Context, Decision
from projections.decide.claims import lease_ran_out
from projections.events import Event, JobDue, JobExpired, WorkerLost
from projections.state import State

EXPIRED = "Expired before start"


def due(state: State, ctx: Context, limit: int) -> Decision[int]:
    """Take up to `limit` of what is due; each subject at most once, the rest comes next time."""
    events: dict[str, Event] = {}
    for duty, subject in islice(state.agenda.due(ctx.now_us), limit):
        if subject not in events:
            events[subject] = _event(state, duty, subject)
    return Decision(tuple(events.values()), len(events))


def _event(state: State, duty: Duty, subject: str) -> Event:
    if duty is Duty.LOSE_WORKER:
        worker = state.tables.workers[subject]
        return WorkerLost(org=worker.org, worker=worker.id)
    job = state.tables.jobs[subject]
    match duty:
        case Duty.EXPIRE_JOB:
            return JobExpired(org=job.org, job=job.id, error=EXPIRED)
        case Duty.EXPIRE_LEASE:
            return lease_ran_out(job)
        case Duty.PROMOTE:
            return JobDue(org=job.org, job=job.id)
