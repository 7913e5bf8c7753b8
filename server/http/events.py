"""Handlers of server-sent events: all of an organization, one job's, one queue's figures.

Frames have no `event:` line, since a browser's `onmessage` would not see them. An `id:` line comes
with all that a client can go on from. Each stream has a beat, so that a dead connection is noticed.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from aiohttp import web

from eventlog import LogError
from projections.entities import Job
from projections.errors import NotFound
from projections.events import Undecodable
from projections.frames import STATUS, Frame
from projections.lifecycle import TERMINAL, Status
from projections.specs import EventsQuery
from server.http.answer import headers_of
from server.http.call import Call
from server.http.listening import Client, mark_of, passing, wanted_by
from server.http.params import Query
from server.http.queues import name_of
from server.http.streams import abort, taken

EVENTS: Final = Query(EventsQuery)
STREAM: Final = "text/event-stream"
HEALTH_SECS: Final = 10.0
FIGURES_SECS: Final = 5.0
PING_SECS: Final = 15.0
STREAM_SECS_MAX: Final = 1_800.0
"""after which a client has to come again"""
_PING: Final = b": ping\n\n"
_PINGS: Final = [_PING]

Chunks = AsyncGenerator[list[bytes], None]
"""Events to send together."""
Beat = Callable[[], Awaitable[list[bytes]]]

_logger = logging.getLogger("spoolog.http")


async def organization(call: Call) -> web.StreamResponse:
    """Tell what happens in the organization, as server-sent events, until the client leaves."""
    asked = EVENTS.read(call.request)
    wanted = wanted_by(call, asked)
    client = Client(call, wanted, mark_of(call, asked), secs_max=STREAM_SECS_MAX)

    async def health() -> list[bytes]:
        healthy = not call.engine.log.stat().failed
        return [_event(client, passing(call, "SystemHealth", database=healthy, redis=True))]

    if wanted.names_one("system.health"):
        chunks = _chunks(client, health, HEALTH_SECS)
    else:
        chunks = _chunks(client, _ping, PING_SECS)
    return await _stream(call, client, chunks, asked.limit)


async def job(call: Call) -> web.StreamResponse:
    """Tell the status of one job and each change of it, as server-sent events, until it has ended."""
    asked = EVENTS.read(call.request)
    job_id = call.path("id")
    wanted = wanted_by(call, EventsQuery(job_id=job_id, events=STATUS))
    client = Client(call, wanted, mark_of(call, asked), secs_max=STREAM_SECS_MAX)
    return await _stream(call, client, _of_job(client, job_id), asked.limit)


async def queue(call: Call) -> web.StreamResponse:
    """Tell the figures of one queue every five seconds, as server-sent events."""
    asked = EVENTS.read(call.request)
    name = name_of(call)
    if not call.caller.may_use(name):
        raise NotFound("Queue not found")
    client = Client(call, None, secs_max=STREAM_SECS_MAX)

    async def figures() -> list[bytes]:
        shelf = call.engine.state.shelf(call.caller.org, name)
        content = passing(
            call,
            "QueueStats",
            queue_name=name,
            pending=shelf.count(Status.PENDING) + shelf.count(Status.SCHEDULED),
            processing=shelf.count(Status.PROCESSING),
            completed=shelf.count(Status.COMPLETED),
            failed=shelf.count(Status.FAILED) + shelf.count(Status.DEADLETTER),
        )
        await call.engine.durable(call.engine.state.position)
        return [_event(client, content)]

    return await _stream(call, client, _chunks(client, figures, FIGURES_SECS), asked.limit)


async def _stream(
    call: Call, client: Client, chunks: Chunks, limit: int | None
) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers_of(call) | {"X-Accel-Buffering": "no"})
    response.content_type = STREAM
    await response.prepare(call.request)
    try:
        await taken(call, response.write(_PING))  # the head goes out with the first bytes
        async with aclosing(_limited(chunks, limit)) as coming:
            async for chunk in coming:
                await taken(call, response.write(b"".join(chunk)))
        await taken(call, response.write_eof())
    except (TimeoutError, ConnectionError):
        abort(call)
    except (LogError, Undecodable) as raised:
        # The head has been sent; a stream without its end tells the client to come again.
        _logger.error("request %s: the events broke off", call.request_id, exc_info=raised)  # noqa: TRY400
        abort(call)
    finally:
        client.leave()
    return response


async def _limited(chunks: Chunks, limit: int | None) -> Chunks:
    """Give no more than so many events; comments do not count."""
    limit = None if limit is None else max(limit, 1)
    async with aclosing(chunks) as coming:
        async for chunk in coming:
            if limit is None or chunk is _PINGS:
                yield chunk
                continue
            yield chunk[:limit]
            limit -= len(chunk)
            if limit <= 0:
                return


async def _chunks(client: Client, beat: Beat, beat_secs: float) -> Chunks:
    async with aclosing(client.told(beat_secs)) as told:
        async for one in told:
            match one:
                case None:
                    yield await beat()
                case str():
                    yield [_event(client, passing(client.call, "Error", message=one))]
                case _:
                    yield [frame.line for frame in one]


async def _of_job(client: Client, job_id: str) -> Chunks:
    """Give a job's status, unless the client goes on from an earlier one, then all changes."""
    if not client.comes_again:
        client.listen()
        yield await _status(client, job_id)
        if _ended(client, job_id):
            return
    async with aclosing(client.told(PING_SECS)) as told:
        async for one in told:
            if isinstance(one, list):
                last = next((at for at, frame in enumerate(one, start=1) if _is_last(frame)), None)
                yield [frame.line for frame in one[:last]]
                if last is not None:
                    return
            elif one is None and not _ended(client, job_id):
                yield _PINGS
            else:
                yield await _status(client, job_id)
                if _ended(client, job_id):
                    return


def _ended(client: Client, job_id: str) -> bool:
    """Whether the job is gone, or the client was told all that ever happened to it."""
    found = _job(client.call, job_id)
    if found is None:
        return True
    position = client.position
    return found.status in TERMINAL and position is not None and position >= found.position


async def _status(client: Client, job_id: str) -> list[bytes]:
    call = client.call
    found, position = _job(call, job_id), call.engine.state.position
    if found is None:
        content = passing(call, "Error", message="Job not found")
    else:
        content = passing(
            call,
            "JobStatusChange",
            job_id=job_id,
            queue_name=found.queue,
            old_status="",
            new_status=found.status,
        )
    await call.engine.durable(position)
    return [b"id: %d\ndata: %b\n\n" % (position, content)]


def _job(call: Call, job_id: str) -> Job | None:
    found = call.engine.state.job(call.caller.org, job_id)
    return found if found is not None and call.caller.may_use(found.queue) else None


def _is_last(frame: Frame) -> bool:
    return frame.data["new_status"] in TERMINAL


async def _ping() -> list[bytes]:
    return _PINGS


def _event(client: Client, content: bytes) -> bytes:
    """Give a frame that tells of no record, with an id if the client can go on from here."""
    position = client.position
    told = b"" if position is None else b"id: %d\n" % position
    return b"%bdata: %b\n\n" % (told, content)
