"""Handlers of health: open to everyone, and telling nothing of anyone's jobs."""

from typing import Any

from aiohttp import web

from server.http.call import Call
from server.http.wire import answer, reply
from server.settings import VERSION


async def health(call: Call) -> web.Response:
    """Give the overall state; `database` is the log, `cache` the projections."""
    service = call.service
    stat = service.engine.log.stat()
    view: dict[str, Any] = {
        "status": "degraded" if service.draining else "healthy",
        "database": True,
        "cache": True,
        "version": VERSION,
        "uptime_seconds": service.uptime_secs(),
        "sync": stat.sync,
        "position": stat.durable,
    }
    return await reply(call, view)


async def live(call: Call) -> web.Response:
    """Answer that the process runs, and waits for no disk."""
    return answer(call, 200)


async def ready(call: Call) -> web.Response:
    """Answer whether requests are welcome: 503 while the server is shutting down."""
    if call.service.draining:
        return await reply(call, {"status": "draining"}, status=503)
    return await reply(call, {"status": "ready", "position": call.engine.state.position})
