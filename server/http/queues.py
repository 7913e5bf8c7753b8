"""Handlers of queues."""

import asyncio
import re
from typing import Final

from projections import bounds
from projections.decide import queues
from projections.errors import BadRequest
from projections.specs import Pause, QueueConfig, QueueDeletion
from server import questions as asks
from server.http.answer import Answer
from server.http.at import answered
from server.http.call import Call
from server.http.params import Query
from server.http.telling import queue_of
from server.http.views import queues as views
from server.http.wire import Body, done, reply

CONFIG = Body(QueueConfig, empty_ok=True)
PAUSE = Body(Pause, empty_ok=True)
DELETION = Query(QueueDeletion)

_NAME: Final = re.compile(bounds.QUEUE_NAME_PATTERN)


async def list_(call: Call) -> Answer:
    """Give up to 100 queues by name."""
    return await answered(call, asks.QueueList())


async def get(call: Call) -> Answer:
    """Give one queue's configuration."""
    return await answered(call, asks.OneQueue(name_of(call)))


async def configure(call: Call) -> Answer:
    """Change a queue's configuration; what the body leaves out stays."""
    name = name_of(call)
    spec = await CONFIG.read(call.request)
    call.engine.execute(queues.configure, call.caller, name, spec)
    return await reply(call, _view(call, name))


async def delete(call: Call) -> Answer:
    """Delete a queue; with `delete_jobs=true` all its jobs as well."""
    name, engine = name_of(call), call.engine
    delete_jobs = bool(DELETION.read(call.request).delete_jobs)
    action_id = engine.new_id()
    gone, first = False, 0
    while not gone:
        # In parts, so that a queue of a million jobs holds up nobody.
        made = engine.execute(
            queues.delete,
            call.caller,
            name,
            delete_jobs=delete_jobs,
            jobs_max=bounds.JOBS_PER_RECORD_MAX,
            action_id=action_id,
            first=first,
        )
        gone, first = made.answer, first or made.position
        await asyncio.sleep(0)
    return await done(call)


async def stats(call: Call) -> Answer:
    """Give a queue's figures; zeros for one that does not exist."""
    return await answered(call, asks.FiguresOfQueue(name_of(call)))


async def pause(call: Call) -> Answer:
    """Stop handing out jobs."""
    name = name_of(call)
    spec = await PAUSE.read(call.request)
    call.engine.execute(queues.pause, call.caller, name, spec)
    detail = _view(call, name)
    return await reply(call, views.Paused(name, True, detail.paused_at, detail.paused_reason))


async def resume(call: Call) -> Answer:
    """Hand out jobs again."""
    name = name_of(call)
    made = call.engine.execute(queues.resume, call.caller, name).answer
    return await reply(call, views.Resumed(name, True, made.paused_us // bounds.SECOND_US))


def name_of(call: Call) -> str:
    """Give the queue's name in the path.

    Raises:
        BadRequest: it cannot be one.

    """
    name = call.path("name")
    if len(name) > bounds.QUEUE_NAME_CHARACTERS_MAX or not _NAME.match(name):
        raise BadRequest("Invalid queue name in the path")
    return name


def _view(call: Call, name: str) -> views.QueueDetail:
    policy = call.engine.policy
    queue = queue_of(call.engine.state, call.caller, name)
    return views.queue(queue, policy.max_retries, policy.timeout_secs)
