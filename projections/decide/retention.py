"""How long finished jobs stay: those of long ago leave the state, their history stays in the log.

Finished is completed or cancelled. Dead letters wait for somebody to look at them and never leave
by themselves. Only the timekeeper asks, after all that is due: no command waits for this.
"""

from itertools import islice

from projections.decide import Context, Decision, Policy
from projections.events import JobRetired
from projections.state import State


def retire(state: State, ctx: Context, limit: int) -> Decision[int]:
    """Retire up to `limit` jobs that are over age or over the count, those first that ended first."""
    surplus = _surplus(state, ctx.policy)
    events: list[JobRetired] = []
    for completed_at, job_id in islice(state.finished.in_order(), limit):
        if len(events) >= surplus and not _over_age(completed_at, ctx):
            break
        job = state.tables.jobs[job_id]
        events.append(JobRetired(org=job.org, job=job.id, prev=job.trail))
    return Decision(tuple(events), len(events))


def next_retirement(state: State, policy: Policy) -> int | None:
    """Give the moment from which a job is to be retired, in microseconds; past if there are too many."""
    oldest = state.finished.first_rank()
    if oldest is None or _surplus(state, policy):
        return oldest
    return None if policy.keep_finished_us is None else oldest + policy.keep_finished_us


def _surplus(state: State, policy: Policy) -> int:
    return max(len(state.finished) - policy.keep_finished_jobs, 0)


def _over_age(completed_at: int, ctx: Context) -> bool:
    keep_us = ctx.policy.keep_finished_us
    return keep_us is not None and completed_at + keep_us <= ctx.now_us
