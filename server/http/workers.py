"""Handlers of workers."""

from aiohttp import web

from projections import bounds
from projections.decide import workers
from projections.decide.workers import found
from projections.specs import NewWorker, WorkerPulse
from server.http import views
from server.http.caller import CALLER
from server.http.wire import Body, done, engine_of, reply

NEW_WORKER = Body(NewWorker)
PULSE = Body(WorkerPulse)


async def list_(request: web.Request) -> web.Response:
    """Give up to 100 workers, the last heard of first."""
    caller = request[CALLER]
    everyone = engine_of(request).state.tables.workers.values()
    mine = [one for one in everyone if one.org == caller.org and caller.may_use(one.queue)]
    mine.sort(key=lambda worker: (-worker.last_heartbeat, worker.id))
    return await reply(request, [views.worker(one) for one in mine[: bounds.LISTED_WORKERS_MAX]])


async def register(request: web.Request) -> web.Response:
    """Announce a worker."""
    spec = await NEW_WORKER.read(request)
    worker_id = engine_of(request).execute(workers.register, request[CALLER], spec).answer
    view = views.Registered(
        worker_id, spec.queue_name, bounds.LEASE_SECS_DEFAULT, bounds.WORKER_HEARTBEAT_SECS
    )
    return await reply(request, view, status=201)


async def get(request: web.Request) -> web.Response:
    """Give one worker."""
    state = engine_of(request).state
    return await reply(
        request, views.worker(found(state, request[CALLER], request.match_info["id"]))
    )


async def heartbeat(request: web.Request) -> web.Response:
    """Note that a worker lives."""
    spec = await PULSE.read(request)
    worker_id = request.match_info["id"]
    engine_of(request).execute(workers.heartbeat, request[CALLER], worker_id, spec)
    return await done(request, 200)


async def deregister(request: web.Request) -> web.Response:
    """Take a worker off the list of the living."""
    engine_of(request).execute(workers.deregister, request[CALLER], request.match_info["id"])
    return await done(request)
