"""Handlers of health: open to everyone, and telling nothing of anyone's jobs."""

from typing import Any

from aiohttp import web

from server.http.service import SERVICE
from server.http.wire import engine_of, reply
from server.settings import VERSION


async def health(request: web.Request) -> web.Response:
    """Give the overall state; `database` is the log, `cache` the projections."""
    service = request.app[SERVICE]
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
    return await reply(request, view)


async def live(_: web.Request) -> web.Response:
    """Answer that the process runs."""
    return web.Response(status=200)


async def ready(request: web.Request) -> web.Response:
    """Answer whether requests are welcome: 503 while the server is shutting down."""
    if request.app[SERVICE].draining:
        return await reply(request, {"status": "draining"}, status=503)
    return await reply(request, {"status": "ready", "position": engine_of(request).state.position})
