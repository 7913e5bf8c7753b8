"""Handlers of health: open to everyone, telling only of what is durable, and never waiting.

A stuck disk must not keep a probe from its answer.
"""

from server.http import errors
from server.http.answer import Answer
from server.http.call import Call
from server.http.service import Service
from server.http.views.overall import Health, NotReady, Ready
from server.http.wire import at_once
from server.settings import VERSION


async def health(call: Call) -> Answer:
    """Give the overall state; `database` is the log, `cache` the projections."""
    service = call.service
    stat = service.engine.log.stat()
    view = Health(
        status=_status(service, failed=stat.failed),
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
    """Answer whether requests are welcome: 503 while it shuts down, or its disk is full or stuck."""
    stat = call.engine.log.stat()
    if stat.failed:
        return errors.storage_failed(call)
    reason = _not_ready(call.service)
    if reason is not None:
        return at_once(call, NotReady(reason), status=503)
    return at_once(call, Ready("ready", stat.durable))


def _not_ready(service: Service) -> str | None:
    if service.draining:
        return "draining"
    if service.pressure.storage_full:
        return "storage_full"
    if service.pressure.stuck:
        return "stuck_disk"
    return None


def _status(service: Service, *, failed: bool) -> str:
    if failed:
        return "unhealthy"
    degraded = _not_ready(service) is not None or service.pressure.overloaded
    return "degraded" if degraded else "healthy"
