"""Handlers of health: open to everyone, telling only of what is durable, and never waiting.

A stuck disk must not keep a probe from its answer.
"""

from server.http import errors
from server.http.answer import Answer
from server.http.call import Call
from server.http.views.overall import Draining, Health, Ready
from server.http.wire import at_once
from server.settings import VERSION


async def health(call: Call) -> Answer:
    """Give the overall state; `database` is the log, `cache` the projections."""
    service = call.service
    stat = service.engine.log.stat()
    view = Health(
        status=_status(service.draining, stat.failed),
        database=not stat.failed,
        cache=True,
        version=VERSION,
        uptime_seconds=service.uptime_secs(),
        sync=stat.sync,
        position=stat.durable,
    )
    return at_once(call, view)


async def live(call: Call) -> Answer:
    """Answer that the process runs, and waits for no disk."""
    return Answer(call, 200)


async def ready(call: Call) -> Answer:
    """Answer whether requests are welcome: 503 while the server is shutting down."""
    stat = call.engine.log.stat()
    if stat.failed:
        return errors.storage_failed(call)
    if call.service.draining:
        return at_once(call, Draining("draining"), status=503)
    return at_once(call, Ready("ready", stat.durable))


def _status(draining: bool, failed: bool) -> str:
    if failed:
        return "unhealthy"
    return "degraded" if draining else "healthy"
