"""Handlers of the figures that a dashboard shows; the page itself lives elsewhere."""

from typing import Final

from msgspec.json import encode

from projections import bounds
from projections.errors import NotFound
from projections.moments import to_text
from projections.specs import SeriesQuery
from server import timeline
from server.http.answer import Answer
from server.http.call import Call
from server.http.params import Query
from server.http.queues import name_of
from server.http.views import dashboard as views
from server.http.wire import reply
from server.overview import look
from server.rings import TIMED_SPAN_US, Ring
from server.settings import VERSION

SERIES: Final = Query(SeriesQuery)
_SINCE_SECS_DEFAULT: Final = 3_600


async def dashboard(call: Call) -> Answer:
    """Give everything at a glance, at most a second old."""
    body = await call.service.gathering.body(call.caller, lambda: _gathered(call))
    answer = Answer(call, 200, body)
    await call.engine.durable(call.engine.state.position)
    return answer


async def series(call: Call) -> Answer:
    """Give what a queue has seen since a while ago, in even steps; at most a day."""
    asked = SERIES.read(call.request).since_secs
    since_secs = _SINCE_SECS_DEFAULT if asked is None else asked
    since_secs = min(max(since_secs, timeline.SINCE_SECS_MIN), timeline.SINCE_SECS_MAX)
    ring, now_us = _ring(call), call.engine.now_us()
    step_secs = timeline.step_secs(since_secs)
    since_us = max(now_us - since_secs * bounds.SECOND_US, ring.since_us)
    found = timeline.moments(ring, since_us, now_us, step_secs * bounds.SECOND_US)
    points = [views.point(moment) for moment in found]
    return await reply(call, views.QueueSeries(step_secs, points, points[0].at))


async def timings(call: Call) -> Answer:
    """Give how long a queue's jobs waited for a worker, and ran, in the last hour."""
    ring = _ring(call)
    since_us = call.engine.now_us() - TIMED_SPAN_US
    view = views.QueueTimings(
        window_secs=TIMED_SPAN_US // bounds.SECOND_US,
        wait_ms=views.quantiles(ring.waited, since_us),
        run_ms=views.quantiles(ring.ran, since_us),
        figures_since=to_text(max(ring.since_us, since_us)),
    )
    return await reply(call, view)


def _ring(call: Call) -> Ring:
    """Give what is counted for the queue in the path; nothing yet for one that does not exist."""
    name, caller = name_of(call), call.caller
    if not caller.may_use(name):
        raise NotFound("Queue not found")
    return call.service.series.ring(caller.org, name)


async def _gathered(call: Call) -> bytes:
    """Gather and encode; nothing happens between the last look at a queue's numbers and the end."""
    service, engine = call.service, call.engine
    found = await look(engine, service.series, call.caller)
    log, uptime_secs = engine.log.stat(), service.uptime_secs()
    return encode(
        views.Dashboard(
            system=views.System(
                version=VERSION,
                uptime_seconds=uptime_secs,
                started_at=to_text(found.now_us - uptime_secs * bounds.SECOND_US),
                database_status="unhealthy" if log.failed else "healthy",
                cache_status="healthy",
                environment="production",
            ),
            jobs=views.jobs(found),
            queues=[views.line(one) for one in found.by_name],
            workers=views.Workers(found.workers, found.healthy, found.workers - found.healthy),
            recent_activity=views.recent_activity(found),
            log=views.LogFigures(log.last, log.durable, log.sync, log.segments, log.bytes),
            throughput=views.throughput(found),
            failures=[views.failure(group) for group in found.failures],
            paused=[views.paused(queue) for queue in found.paused if queue.paused_at is not None],
            glance=[views.glance(one, found.now_us) for one in found.glance],
            oldest_claimable=views.oldest_claimable(found),
            figures_since=to_text(found.since_us),
        )
    )
