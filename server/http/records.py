"""Handlers of the log as a feed: a page of records, or all that come, a JSON object a line.

A line is a record, so whoever was cut off goes on behind the last whole line it has. What may be
seen is `server.feed`'s.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aiohttp import web

from eventlog import LogError
from projections import bounds, feed
from projections.errors import BadRequest, Conflict, Expired
from projections.events import Undecodable
from projections.specs import RecordsQuery
from server.console import fields
from server.feed import Page, Told, View, Wanted, follow, page
from server.http.answer import Answer, headers_of
from server.http.call import Call
from server.http.caller import still_admitted
from server.http.params import Query
from server.http.streams import abort, taken
from server.pace import Pace, reading_effort

RECORDS: Final = Query(RecordsQuery)
LINES: Final = "application/x-ndjson"
BATCH: Final = "application/cloudevents-batch+json"
NEXT_AFTER: Final = "X-Next-After"
IDLE_SECS: Final = 15.0
"""without anything to tell, after which a stream says how far it has come"""

_logger = logging.getLogger("spoolog.http")


async def records(call: Call) -> web.StreamResponse:
    """Give the records behind a position, a JSON object a line, or as a batch of CloudEvents.

    With `follow` it goes on as records become durable, until the client or the server leaves.
    """
    asked = RECORDS.read(call.request)
    log = call.engine.log
    after = log.first - 1 if asked.after is None else max(asked.after, 0)
    if after > log.durable_position:
        raise Conflict(f"The log ends at {log.durable_position}: after is of another log")
    if after < log.first - 1:
        raise Expired(f"Records before {log.first} have expired; without after it begins there")
    wanted = Wanted(
        types=frozenset(asked.type.split(",")) if asked.type else frozenset(),
        queue=asked.queue,
        job=asked.job,
    )
    view = View(call.engine.state, call.caller, wanted)
    limit = None if asked.limit is None else min(max(asked.limit, 1), bounds.PAGE_RECORDS_MAX)
    if asked.follow:
        if _wants_batch(call.request):
            raise BadRequest("A batch of CloudEvents has an end; it cannot be followed")
        return await _stream(call, view, after, limit)
    pace = Pace(call.service.reading_turn)
    found = await page(log, view, after, limit or bounds.PAGE_RECORDS_DEFAULT, pace)
    return await _page(call, found, pace)


async def _page(call: Call, found: Page, pace: Pace) -> Answer:
    log = call.engine.log
    kind = BATCH if _wants_batch(call.request) else LINES
    cluster = log.stat().cluster
    parts = []
    for told in found.told:
        parts.append(_lines([told]) if kind is LINES else _events(cluster, told))
        await pace.spend(reading_effort(parts[-1]))
    body = b"[%b]" % b",".join(parts) if kind is BATCH else b"".join(parts)
    has_more = found.reached < log.durable_position
    further = {"X-Has-More": "true" if has_more else "false", NEXT_AFTER: str(found.reached)}
    answer = Answer(call, 200, body, further, content_type=kind)
    # Whose queue an event is may have been looked up in a state that is ahead of the disk.
    await call.engine.durable(call.engine.state.position)
    return answer


async def _stream(call: Call, view: View, after: int, limit: int | None) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers_of(call) | {"X-Has-More": "true"})
    response.content_type = LINES
    await response.prepare(call.request)
    try:
        async with aclosing(_chunks(call, view, after, limit)) as chunks:
            async for chunk in chunks:
                await taken(call, response.write(chunk))
        await taken(call, response.write_eof())
    except (TimeoutError, ConnectionError):
        abort(call)
    except (LogError, Undecodable) as raised:
        # The head has been sent; a stream without its end tells the consumer to come again.
        told = fields(request_id=call.request_id)
        _logger.error("the feed broke off", exc_info=raised, extra=told)  # noqa: TRY400
        abort(call)
    return response


async def _chunks(
    call: Call, view: View, after: int, limit: int | None
) -> AsyncGenerator[bytes, None]:
    engine = call.engine
    leaving, pace = call.service.leaving, Pace(call.service.reading_turn)
    coming = follow(engine.log, view, after, leaving, idle_secs=IDLE_SECS, pace=pace)
    async with aclosing(coming) as pages:
        async for found in pages:
            if not still_admitted(call):
                return
            told = found.told if limit is None else found.told[:limit]
            chunk = _lines(told) if told else b'{"position":%d,"events":[]}\n' % found.reached
            await engine.durable(engine.state.position)  # as for a page
            yield chunk
            if limit is not None:
                limit -= len(told)
                if limit == 0:
                    return


def _lines(told: list[Told]) -> bytes:
    return b"".join(feed.record_line(one.record, one.facts) + b"\n" for one in told)


def _events(cluster: str, told: Told) -> bytes:
    return b",".join(feed.cloud_event(cluster, fact) for fact in told.facts)


def _wants_batch(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return any(part.partition(";")[0].strip().lower() == BATCH for part in accepted.split(","))
