"""Handlers of jobs in a worker's hands."""

from projections.decide import claims
from projections.moments import to_text, to_text_or_none
from projections.specs import Claim, Completion, Extension, Failure
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import jobs as views
from server.http.wire import Body, reply

CLAIM = Body(Claim)
COMPLETION = Body(Completion)
FAILURE = Body(Failure)
EXTENSION = Body(Extension)


async def claim(call: Call) -> Answer:
    """Hand out ready jobs; nothing while the server is shutting down."""
    spec = await CLAIM.read(call.request)
    if call.service.draining:
        return await reply(call, views.Claimed([]))
    engine = call.engine
    claimed = engine.execute(claims.claim, call.caller, spec).answer
    jobs = engine.state.tables.jobs
    return await reply(call, views.Claimed([views.claimed(jobs[job_id]) for job_id in claimed]))


async def complete(call: Call) -> Answer:
    """Finish a job."""
    spec = await COMPLETION.read(call.request)
    job_id = call.path("id")
    call.engine.execute(claims.complete, call.caller, job_id, spec)
    return await reply(call, views.Settled())


async def fail(call: Call) -> Answer:
    """Report a failed attempt."""
    spec = await FAILURE.read(call.request)
    job_id = call.path("id")
    engine = call.engine
    failed = engine.execute(claims.fail, call.caller, job_id, spec).answer
    status = engine.state.tables.jobs[job_id].status
    retry_at = to_text_or_none(failed.retry_at)
    return await reply(call, views.FailedAttempt(True, failed.will_retry, status, retry_at))


async def extend(call: Call) -> Answer:
    """Extend a lease."""
    spec = await EXTENSION.read(call.request)
    job_id = call.path("id")
    until = call.engine.execute(claims.extend, call.caller, job_id, spec).answer
    return await reply(call, views.Extended(True, to_text(until)))
