"""Handlers of actions on many jobs, dead letters among them."""

from typing import Final

from projections.decide import actions
from projections.specs import DeadPurge, DeadRetry, JobAction
from server.actions import perform, rehearse
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import actions as views
from server.http.wire import Body, reply

JOB_ACTION = Body(JobAction)
DEAD_RETRY = Body(DeadRetry, empty_ok=True)
DEAD_PURGE = Body(DeadPurge)

_IDS_SHOWN_MAX: Final = 100


async def act(call: Call) -> Answer:
    """Cancel, retry, purge or reprioritise all jobs that match; `dry_run` only counts."""
    spec = await JOB_ACTION.read(call.request)
    action = actions.of_request(call.caller, spec)
    dry_run = bool(spec.dry_run)
    carry_out = rehearse if dry_run else perform
    made = await carry_out(call.engine, call.caller, action)
    affected = len(made.job_ids)
    view = views.Performed(
        action=spec.action,
        dry_run=dry_run,
        action_id=made.action_id,
        matched=made.matched,
        affected=affected,
        skipped=made.matched - affected,
        job_ids=made.job_ids[:_IDS_SHOWN_MAX],
    )
    return await reply(call, view)


async def retry_dead(call: Call) -> Answer:
    """Send dead letters back to their queues: by id, of a queue, or all, oldest first."""
    spec = await DEAD_RETRY.read(call.request)
    action = actions.of_dead_retry(call.caller, spec)
    made = await perform(call.engine, call.caller, action)
    view = views.DeadRetried(
        retried_count=len(made.job_ids), retried_jobs=made.job_ids, skipped_jobs=[]
    )
    return await reply(call, view)


async def purge_dead(call: Call) -> Answer:
    """Delete dead letters; their history stays in the log."""
    spec = await DEAD_PURGE.read(call.request)
    action = actions.of_dead_purge(call.caller, spec)
    made = await perform(call.engine, call.caller, action)
    return await reply(call, views.DeadPurged(purged_count=len(made.job_ids)))
