"""Handlers of jobs in a worker's hands."""

from aiohttp import web

from projections.decide import claims
from projections.moments import to_text
from projections.specs import Claim, Completion, Extension, Failure
from server.http import views
from server.http.caller import CALLER
from server.http.service import SERVICE
from server.http.wire import Body, engine_of, reply

CLAIM = Body(Claim)
COMPLETION = Body(Completion)
FAILURE = Body(Failure)
EXTENSION = Body(Extension)


async def claim(request: web.Request) -> web.Response:
    """Hand out ready jobs; nothing while the server is shutting down."""
    spec = await CLAIM.read(request)
    if request.app[SERVICE].draining:
        return await reply(request, views.Claimed([]))
    engine = engine_of(request)
    claimed = engine.execute(claims.claim, request[CALLER], spec).answer
    jobs = engine.state.tables.jobs
    return await reply(request, views.Claimed([views.claimed(jobs[job_id]) for job_id in claimed]))


async def complete(request: web.Request) -> web.Response:
    """Finish a job."""
    spec = await COMPLETION.read(request)
    job_id = request.match_info["id"]
    engine_of(request).execute(claims.complete, request[CALLER], job_id, spec)
    return await reply(request, views.Settled())


async def fail(request: web.Request) -> web.Response:
    """Report a failed attempt."""
    spec = await FAILURE.read(request)
    job_id = request.match_info["id"]
    engine = engine_of(request)
    failed = engine.execute(claims.fail, request[CALLER], job_id, spec).answer
    status = engine.state.tables.jobs[job_id].status
    retry_at = None if failed.retry_at is None else to_text(failed.retry_at)
    return await reply(request, views.FailedAttempt(True, failed.will_retry, status, retry_at))


async def extend(request: web.Request) -> web.Response:
    """Extend a lease."""
    spec = await EXTENSION.read(request)
    job_id = request.match_info["id"]
    until = engine_of(request).execute(claims.extend, request[CALLER], job_id, spec).answer
    return await reply(request, views.Extended(True, to_text(until)))
