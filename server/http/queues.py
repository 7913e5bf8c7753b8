"""Handlers of queues."""

import re
from typing import Final

from aiohttp import web

from projections import bounds
from projections.decide import queues
from projections.entities import Queue
from projections.errors import BadRequest, NotFound
from projections.queries.stats import queue_stats
from projections.specs import Pause, QueueConfig
from server.http import views
from server.http.caller import CALLER
from server.http.wire import Body, engine_of, reply

CONFIG = Body(QueueConfig, empty_ok=True)
PAUSE = Body(Pause, empty_ok=True)

_NAME: Final = re.compile(bounds.QUEUE_NAME_PATTERN)
_NAME_CHARACTERS_MAX: Final = 100


async def list_(request: web.Request) -> web.Response:
    """Give up to 100 queues by name."""
    engine, caller = engine_of(request), request[CALLER]
    mine = [queue for queue in engine.state.queues(caller.org) if caller.may_use(queue.name)]
    mine.sort(key=lambda queue: queue.name)
    policy = engine.policy
    view = [
        views.queue_summary(queue, policy.max_retries, policy.timeout_secs)
        for queue in mine[: bounds.LISTED_QUEUES_MAX]
    ]
    return await reply(request, view)


async def get(request: web.Request) -> web.Response:
    """Give one queue's configuration."""
    return await reply(request, _view(request, _found(request)))


async def configure(request: web.Request) -> web.Response:
    """Change a queue's configuration; what the body leaves out stays."""
    name = _name(request)
    spec = await CONFIG.read(request)
    engine_of(request).execute(queues.configure, request[CALLER], name, spec)
    return await reply(request, _view(request, _found(request)))


async def stats(request: web.Request) -> web.Response:
    """Give a queue's figures; zeros for one that does not exist."""
    name = _name(request)
    engine, caller = engine_of(request), request[CALLER]
    if not caller.may_use(name):
        raise NotFound("Queue not found")
    figures = queue_stats(engine.state, caller.org, name, engine.now_us())
    return await reply(request, views.queue_figures(name, figures))


async def pause(request: web.Request) -> web.Response:
    """Stop handing out jobs."""
    name = _name(request)
    spec = await PAUSE.read(request)
    engine_of(request).execute(queues.pause, request[CALLER], name, spec)
    detail = _view(request, _found(request))
    return await reply(request, views.Paused(name, True, detail.paused_at, detail.paused_reason))


async def resume(request: web.Request) -> web.Response:
    """Hand out jobs again."""
    name = _name(request)
    made = engine_of(request).execute(queues.resume, request[CALLER], name).answer
    return await reply(request, views.Resumed(name, True, made.paused_us // bounds.SECOND_US))


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if len(name) > _NAME_CHARACTERS_MAX or not _NAME.match(name):
        raise BadRequest("Invalid queue name in the path")
    return name


def _found(request: web.Request) -> Queue:
    name, caller = _name(request), request[CALLER]
    queue = engine_of(request).state.queue(caller.org, name)
    if queue is None or not caller.may_use(name):
        raise NotFound("Queue not found")
    return queue


def _view(request: web.Request, queue: Queue) -> views.QueueDetail:
    policy = engine_of(request).policy
    return views.queue(queue, policy.max_retries, policy.timeout_secs)
