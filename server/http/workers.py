"""Handlers of workers."""

from projections import bounds
from projections.decide import workers
from projections.specs import NewWorker, WorkerPulse
from server import questions as asks
from server.http.answer import Answer
from server.http.at import answered
from server.http.call import Call
from server.http.views import workers as views
from server.http.wire import Body, done, reply

NEW_WORKER = Body(NewWorker)
PULSE = Body(WorkerPulse)


async def list_(call: Call) -> Answer:
    """Give up to 100 workers, the last heard of first."""
    return await answered(call, asks.WorkerList())


async def claimants(call: Call) -> Answer:
    """Give up to 100 workers as their jobs tell of them, the last heard of first."""
    found = await call.service.claimants.listed(call.caller)
    return await reply(call, [views.claimant(one) for one in found])


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
    return await answered(call, asks.OneWorker(call.path("id")))


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
