"""Every endpoint, once: this table registers the handlers, describes the API, and the tests walk it.

Fixed paths stand before those with an id.
"""

from functools import partial
from typing import Any, Final

from aiohttp import web

from eventlog import LogStat
from projections.feed import CloudEvent
from server.http import (
    actions,
    audit,
    claims,
    dashboard,
    dashboard_figures,
    events,
    health,
    jobs,
    metrics,
    queues,
    records,
    reference,
    sessions,
    settlements,
    sockets,
    undo,
    workers,
)
from server.http.edge import unrouted, wrapped
from server.http.route import API, Route
from server.http.views import actions as action_views
from server.http.views import claims as claim_views
from server.http.views import dashboard as dashboard_views
from server.http.views import events as event_views
from server.http.views import jobs as job_views
from server.http.views import overall
from server.http.views import queues as queue_views
from server.http.views import sessions as session_views
from server.http.views import settlements as settlement_views
from server.http.views import workers as worker_views
from server.http.views.explain import Explanation
from server.http.views.history import HistoryEvent
from server.http.views.undo import Undone

_get = partial(Route, method="GET")
_post = partial(Route, method="POST")
_put = partial(Route, method="PUT")
_delete = partial(Route, method="DELETE")

_JOBS: Final = f"{API}/jobs"
_JOB: Final = f"{API}/jobs/{{id}}"
_QUEUES: Final = f"{API}/queues"
_QUEUE: Final = f"{API}/queues/{{name}}"
_WORKERS: Final = f"{API}/workers"
_WORKER: Final = f"{API}/workers/{{id}}"
_AUTH: Final = f"{API}/auth"
_EVENTS: Final = f"{API}/events"
_HTML: Final = "text/html"
_SCRIPT: Final = "text/javascript"
_TEXT: Final = "text/plain"

ROUTES: Final = (
    _get(path="/", handler=dashboard.page, answers={200: _HTML, 304: None}, open=True),
    _get(
        path="/dashboard/{file}",
        handler=dashboard.file,
        answers={200: {"text/css": str, "image/svg+xml": str}, 304: None},
        also=(404,),
        open=True,
    ),
    _get(
        path="/dashboard/js/{file}",
        handler=dashboard.script,
        answers={200: _SCRIPT, 304: None},
        also=(404,),
        open=True,
    ),
    _get(
        path="/dashboard/js/{folder}/{file}",
        handler=dashboard.part,
        answers={200: _SCRIPT, 304: None},
        also=(404,),
        open=True,
    ),
    _get(path="/health", handler=health.health, answers={200: overall.Health}, open=True),
    _get(path="/health/live", handler=health.live, answers={200: None}, open=True),
    _get(
        path="/health/ready",
        handler=health.ready,
        answers={200: overall.Ready, 503: (overall.NotReady, overall.ErrorBody)},
        open=True,
    ),
    _get(
        path="/openapi.json",
        handler=reference.openapi,
        answers={200: dict[str, Any]},
        open=True,
    ),
    _get(path="/docs", handler=reference.docs, answers={200: _HTML}, open=True),
    _get(
        path="/metrics",
        handler=metrics.metrics,
        answers={200: _TEXT},
        also=(401,),
        open=True,
    ),
    _post(
        path=f"{_AUTH}/login",
        handler=sessions.login,
        body=sessions.LOGIN,
        answers={200: session_views.LoggedIn},
        also=(401, 429, 503),
        open=True,
    ),
    _post(
        path=f"{_AUTH}/refresh",
        handler=sessions.refresh,
        body=sessions.REFRESH,
        answers={200: session_views.Refreshed},
        also=(401, 429, 503),
        open=True,
    ),
    _post(
        path=f"{_AUTH}/logout",
        handler=sessions.logout,
        body=sessions.LOGOUT,
        answers={204: None},
    ),
    _get(path=f"{_AUTH}/me", handler=sessions.me, answers={200: session_views.Me}),
    _post(
        path=f"{_AUTH}/validate",
        handler=sessions.validate,
        body=sessions.VALIDATION,
        answers={200: session_views.Validated},
        also=(503,),
        open=True,
    ),
    _post(
        path=_JOBS,
        handler=jobs.create,
        body=jobs.NEW_JOB,
        answers={200: job_views.Created, 201: job_views.Created},
        also=(403,),
    ),
    _get(
        path=_JOBS,
        handler=jobs.list_,
        past=True,
        query=jobs.JOB_LIST,
        answers={200: list[job_views.JobSummary]},
        paged=True,
    ),
    _post(
        path=f"{_JOBS}/bulk",
        handler=jobs.create_bulk,
        body=jobs.BULK_JOBS,
        answers={200: job_views.BulkCreated},
        also=(403,),
    ),
    _post(
        path=f"{_JOBS}/bulk/complete",
        handler=settlements.complete_bulk,
        body=settlements.BULK_COMPLETION,
        answers={200: settlement_views.BulkSettled},
    ),
    _post(
        path=f"{_JOBS}/bulk/fail",
        handler=settlements.fail_bulk,
        body=settlements.BULK_FAILURE,
        answers={200: settlement_views.BulkSettled},
    ),
    _post(
        path=f"{_JOBS}/claim",
        handler=claims.claim,
        body=claims.CLAIM,
        answers={200: claim_views.Claimed},
        also=(403,),
    ),
    _post(
        path=f"{_JOBS}/actions",
        handler=actions.act,
        body=actions.JOB_ACTION,
        answers={200: action_views.Performed},
        also=(403,),
    ),
    _get(
        path=f"{_JOBS}/dlq",
        handler=jobs.list_dead,
        past=True,
        query=jobs.DEAD_LIST,
        answers={200: list[job_views.JobSummary]},
        paged=True,
    ),
    _post(
        path=f"{_JOBS}/dlq/retry",
        handler=actions.retry_dead,
        body=actions.DEAD_RETRY,
        answers={200: action_views.DeadRetried},
        also=(403,),
    ),
    _post(
        path=f"{_JOBS}/dlq/purge",
        handler=actions.purge_dead,
        body=actions.DEAD_PURGE,
        answers={200: action_views.DeadPurged},
        also=(403,),
    ),
    _get(path=f"{_JOBS}/stats", handler=jobs.stats, answers={200: overall.JobCounts}, past=True),
    _get(
        path=f"{_JOBS}/status",
        handler=jobs.batch_status,
        query=jobs.BATCH_STATUS,
        answers={200: list[job_views.BatchStatus]},
    ),
    _get(path=_JOB, handler=jobs.get, answers={200: job_views.JobDetail}, also=(404,), past=True),
    _delete(path=_JOB, handler=jobs.cancel, answers={204: None}, also=(404, 409)),
    _post(
        path=f"{_JOB}/cancel",
        handler=jobs.stop,
        body=jobs.CANCELLATION,
        answers={200: job_views.Stopping, 202: job_views.Stopping},
        also=(404, 409),
    ),
    _get(
        path=f"{_JOB}/history",
        handler=jobs.history,
        query=jobs.HISTORY,
        answers={200: list[HistoryEvent]},
        also=(404,),
        paged=True,
    ),
    _get(
        path=f"{_JOB}/explain",
        handler=jobs.explain,
        answers={200: Explanation},
        also=(404,),
        past=True,
    ),
    _post(
        path=f"{_JOB}/retry",
        handler=jobs.retry,
        answers={200: job_views.JobDetail},
        also=(404, 409),
    ),
    _put(
        path=f"{_JOB}/priority",
        handler=jobs.set_priority,
        body=jobs.NEW_PRIORITY,
        answers={200: job_views.PriorityChanged},
        also=(404,),
    ),
    _post(
        path=f"{_JOB}/complete",
        handler=settlements.complete,
        body=settlements.COMPLETION,
        answers={200: settlement_views.Settled},
        also=(404, 409),
    ),
    _post(
        path=f"{_JOB}/fail",
        handler=settlements.fail,
        body=settlements.FAILURE,
        answers={200: settlement_views.FailedAttempt},
        also=(404, 409),
    ),
    _post(
        path=f"{_JOB}/heartbeat",
        handler=claims.extend,
        body=claims.EXTENSION,
        answers={200: claim_views.Extended},
        also=(404, 409),
    ),
    _get(
        path=_QUEUES, handler=queues.list_, answers={200: list[queue_views.QueueSummary]}, past=True
    ),
    _get(
        path=_QUEUE,
        handler=queues.get,
        answers={200: queue_views.QueueDetail},
        also=(404,),
        past=True,
    ),
    _delete(
        path=_QUEUE,
        handler=queues.delete,
        query=queues.DELETION,
        answers={204: None},
        also=(403, 404, 409),
    ),
    _put(
        path=f"{_QUEUE}/config",
        handler=queues.configure,
        body=queues.CONFIG,
        answers={200: queue_views.QueueDetail},
        also=(403,),
    ),
    _get(
        path=f"{_QUEUE}/stats",
        handler=queues.stats,
        past=True,
        answers={200: queue_views.QueueFigures},
        also=(404,),
    ),
    _get(
        path=f"{_QUEUE}/series",
        handler=dashboard_figures.series,
        query=dashboard_figures.SERIES,
        answers={200: dashboard_views.QueueSeries},
        also=(404,),
    ),
    _get(
        path=f"{_QUEUE}/timings",
        handler=dashboard_figures.timings,
        answers={200: dashboard_views.QueueTimings},
        also=(404,),
    ),
    _post(
        path=f"{_QUEUE}/pause",
        handler=queues.pause,
        body=queues.PAUSE,
        answers={200: queue_views.Paused},
        also=(403,),
    ),
    _post(
        path=f"{_QUEUE}/resume",
        handler=queues.resume,
        answers={200: queue_views.Resumed},
        also=(403, 404),
    ),
    _get(
        path=_WORKERS,
        handler=workers.list_,
        answers={200: list[worker_views.WorkerDetail]},
        past=True,
    ),
    _get(
        path=f"{API}/claimants",
        handler=workers.claimants,
        answers={200: list[worker_views.Claimant]},
    ),
    _post(
        path=f"{_WORKERS}/register",
        handler=workers.register,
        body=workers.NEW_WORKER,
        answers={201: worker_views.Registered},
        also=(403, 409),
    ),
    _get(
        path=_WORKER,
        handler=workers.get,
        answers={200: worker_views.WorkerDetail},
        also=(404,),
        past=True,
    ),
    _post(
        path=f"{_WORKER}/heartbeat",
        handler=workers.heartbeat,
        body=workers.PULSE,
        answers={200: None},
        also=(404,),
    ),
    _post(
        path=f"{_WORKER}/deregister",
        handler=workers.deregister,
        answers={204: None},
        also=(404,),
    ),
    _get(
        path=f"{API}/dashboard",
        handler=dashboard_figures.dashboard,
        answers={200: dashboard_views.Dashboard},
    ),
    _get(
        path=_EVENTS,
        handler=events.organization,
        query=events.EVENTS,
        answers={200: {events.STREAM: event_views.ServerSentEvent}},
        also=(403,),
        token_in_query=True,
    ),
    _get(
        path=f"{_EVENTS}/jobs/{{id}}",
        handler=events.job,
        query=events.EVENTS,
        answers={200: {events.STREAM: event_views.ServerSentEvent}},
        token_in_query=True,
    ),
    _get(
        path=f"{_EVENTS}/queues/{{name}}",
        handler=events.queue,
        query=events.EVENTS,
        answers={200: {events.STREAM: event_views.ServerSentEvent}},
        also=(404,),
        token_in_query=True,
    ),
    _get(
        path=f"{API}/ws",
        handler=sockets.socket,
        query=events.EVENTS,
        answers={101: None},
        also=(403, 426),
        token_in_query=True,
    ),
    _get(path=f"{API}/log/stat", handler=audit.log_stat, answers={200: LogStat}),
    _get(
        path=f"{API}/log/records",
        handler=records.records,
        query=records.RECORDS,
        answers={200: {records.LINES: str, records.BATCH: list[CloudEvent]}},
        also=(409, 410),
        paged=True,
        headers=(records.NEXT_AFTER,),
    ),
    _get(path=f"{API}/log/segments", handler=audit.segments, answers={200: overall.LogFiles}),
    _get(path=f"{API}/log/span", handler=audit.span, answers={200: overall.LogSpan}),
    _post(
        path=f"{API}/log/undo",
        handler=undo.undo,
        body=undo.UNDO,
        answers={200: Undone},
        also=(403, 404, 409, 410),
    ),
    _get(path=f"{API}/log/digest", handler=audit.digest, answers={200: overall.StateDigest}),
)


def register(app: web.Application) -> None:
    """Add every route to the application, and the answer to all that matches none."""
    for route in ROUTES:
        handler = wrapped(
            route.handler,
            (route.method, route.path),
            open_to_all=route.open,
            token_in_query=route.token_in_query,
        )
        for method in route.methods:
            app.router.add_route(method, route.path, handler)
    app.router.add_route("*", "/{path:.*}", unrouted(_methods_of))


def _methods_of(request: web.Request) -> set[str]:
    """Give the methods that some route takes on this very path; a fixed path is meant as such."""
    path = request.path
    parts = path.split("/")
    fixed = [route for route in ROUTES if route.path == path]
    found = fixed or [route for route in ROUTES if _matches(route.path.split("/"), parts)]
    return {method for route in found for method in route.methods}


def _matches(pattern: list[str], parts: list[str]) -> bool:
    """Whether a path fits a route's pattern; a part in braces takes any text."""
    return len(pattern) == len(parts) and all(
        expected == part or (expected.startswith("{") and part != "")
        for expected, part in zip(pattern, parts, strict=True)
    )
