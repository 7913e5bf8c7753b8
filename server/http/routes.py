"""Every endpoint, once: this table registers the handlers, and the tests walk it.

Fixed paths stand before those with an id.
"""

from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from server.http import actions, audit, claims, health, jobs, queues, settlements, workers
from server.http.edge import Handler, unrouted, wrapped
from server.http.wire import Body

API: Final = "/api/v1"


class Route(Struct, frozen=True):
    """One endpoint; `open` ones need no API key."""

    method: str
    path: str
    handler: Handler
    body: Body[Any] | None = None
    open: bool = False


ROUTES: Final = (
    Route("GET", "/health", health.health, open=True),
    Route("GET", "/health/live", health.live, open=True),
    Route("GET", "/health/ready", health.ready, open=True),
    Route("POST", f"{API}/jobs", jobs.create, jobs.NEW_JOB),
    Route("GET", f"{API}/jobs", jobs.list_),
    Route("POST", f"{API}/jobs/bulk", jobs.create_bulk, jobs.BULK_JOBS),
    Route(
        "POST", f"{API}/jobs/bulk/complete", settlements.complete_bulk, settlements.BULK_COMPLETION
    ),
    Route("POST", f"{API}/jobs/bulk/fail", settlements.fail_bulk, settlements.BULK_FAILURE),
    Route("POST", f"{API}/jobs/claim", claims.claim, claims.CLAIM),
    Route("POST", f"{API}/jobs/actions", actions.act, actions.JOB_ACTION),
    Route("GET", f"{API}/jobs/dlq", jobs.list_dead),
    Route("POST", f"{API}/jobs/dlq/retry", actions.retry_dead, actions.DEAD_RETRY),
    Route("POST", f"{API}/jobs/dlq/purge", actions.purge_dead, actions.DEAD_PURGE),
    Route("GET", f"{API}/jobs/stats", jobs.stats),
    Route("GET", f"{API}/jobs/status", jobs.batch_status),
    Route("GET", f"{API}/jobs/{{id}}", jobs.get),
    Route("DELETE", f"{API}/jobs/{{id}}", jobs.cancel),
    Route("POST", f"{API}/jobs/{{id}}/retry", jobs.retry),
    Route("POST", f"{API}/jobs/{{id}}/cancel", jobs.stop, jobs.CANCELLATION),
    Route("GET", f"{API}/jobs/{{id}}/history", jobs.history),
    Route("GET", f"{API}/jobs/{{id}}/explain", jobs.explain),
    Route("PUT", f"{API}/jobs/{{id}}/priority", jobs.set_priority, jobs.NEW_PRIORITY),
    Route("POST", f"{API}/jobs/{{id}}/complete", settlements.complete, settlements.COMPLETION),
    Route("POST", f"{API}/jobs/{{id}}/fail", settlements.fail, settlements.FAILURE),
    Route("POST", f"{API}/jobs/{{id}}/heartbeat", claims.extend, claims.EXTENSION),
    Route("GET", f"{API}/queues", queues.list_),
    Route("GET", f"{API}/queues/{{name}}", queues.get),
    Route("DELETE", f"{API}/queues/{{name}}", queues.delete),
    Route("PUT", f"{API}/queues/{{name}}/config", queues.configure, queues.CONFIG),
    Route("GET", f"{API}/queues/{{name}}/stats", queues.stats),
    Route("POST", f"{API}/queues/{{name}}/pause", queues.pause, queues.PAUSE),
    Route("POST", f"{API}/queues/{{name}}/resume", queues.resume),
    Route("GET", f"{API}/workers", workers.list_),
    Route("POST", f"{API}/workers/register", workers.register, workers.NEW_WORKER),
    Route("GET", f"{API}/workers/{{id}}", workers.get),
    Route("POST", f"{API}/workers/{{id}}/heartbeat", workers.heartbeat, workers.PULSE),
    Route("POST", f"{API}/workers/{{id}}/deregister", workers.deregister),
    Route("GET", f"{API}/log/stat", audit.log_stat),
    Route("GET", f"{API}/log/digest", audit.digest),
)


def register(app: web.Application) -> None:
    """Add every route to the application, and the answer to all that matches none."""
    for route in ROUTES:
        handler = wrapped(route.handler, open_to_all=route.open)
        app.router.add_route(route.method, route.path, handler)
    app.router.add_route("*", "/{path:.*}", unrouted(_methods_of))


def _methods_of(request: web.Request) -> set[str]:
    """Give the methods that some route takes on this very path."""
    parts = request.path.split("/")
    return {route.method for route in ROUTES if _matches(route.path.split("/"), parts)}


def _matches(pattern: list[str], parts: list[str]) -> bool:
    """Whether a path fits a route's pattern; a part in braces takes any text."""
    return len(pattern) == len(parts) and all(
        expected == part or (expected.startswith("{") and part != "")
        for expected, part in zip(pattern, parts, strict=True)
    )
