"""Handlers of workers."""

from projections import bounds
from projections.decide import workers
from projections.decide.workers import found
from projections.specs import NewWorker, WorkerPulse
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import workers as views
from server.http.wire import Body, done, reply

NEW_WORKER = Body(NewWorker)
PULSE = Body(WorkerPulse)


async def list_(call: Call) -> Answer:
    """Give up to 100 workers, the last heard of first."""
    caller = call.caller
    everyone = call.engine.state.tables.workers.values()
    mine = [one for one in everyone if one.org == caller.org and caller.may_use(one.queue)]
    mine.sort(key=lambda worker: (-worker.last_heartbeat, worker.id))
    return await reply(call, [views.worker(one) for one in mine[: bounds.LISTED_WORKERS_MAX]])


async def register(call: Call) -> Answer:
    """Announce a worker."""
    spec = await NEW_WORKER.read(call.request)
    worker_id = call.engine.execute(workers.register, call.caller, spec).answer
    view = views.Registered(
        worker_id, spec.queue_name, bounds.LEASE_SECS_DEFAULT, bounds.WORKER_HEARTBEAT_SECS
    )
    return await reply(call, view, status=201)


async def get(call: Call) -> Answer:
    """Give one worker."""
    state = call.engine.state
    return await reply(call, views.worker(found(state, call.caller, call.path("id"))))


async def heartbeat(call: Call) -> Answer:
    """Note that a worker lives."""
    spec = await PULSE.read(call.request)
    worker_id = call.path("id")
    call.engine.execute(workers.heartbeat, call.caller, worker_id, spec)
    return await done(call, 200)


async def deregister(call: Call) -> Answer:
    """Take a worker off the list of the living."""
    call.engine.execute(workers.deregister, call.caller, call.path("id"))
    return await done(call)
