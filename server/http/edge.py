"""The edge of the face: every request gets its id, its caller, an answer in shape, and is counted.

It wraps the handlers themselves, since a chain of framework middlewares would cost more than the
rest of a request. What reaches no route ends in ``unrouted``, so that too answers in shape.

A refusal tells something of the state as well, so it waits until that is durable.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler as WebHandler

from eventlog import LogError, LogExpired
from projections.errors import BadRequest, Expired, NotFound, Refused
from server.clock import monotonic_ns
from server.console import fields
from server.http import errors
from server.http.answer import API_VERSION, Answer
from server.http.call import Call
from server.http.caller import admitted
from server.http.ratelimit import TooManyRequests
from server.http.service import SERVICE, Service
from server.pressure import Busy

Handler = Callable[[Call], Awaitable[web.StreamResponse]]
Label = tuple[str, str]
"""The method and the path that requests are counted under: a route's, never a request's own."""

_logger = logging.getLogger("spoolog.http")
_access = logging.getLogger("spoolog.access")
_SANE_ID: Final = re.compile(r"^[\x21-\x7e]{1,128}\Z")
_UNROUTED: Final[Label] = ("other", "other")
_WELL_FORMED_VERSION: Final = re.compile(r"^[A-Za-z0-9.]{1,16}\Z")


def wrapped(
    handler: Handler, label: Label, *, open_to_all: bool, token_in_query: bool = False
) -> WebHandler:
    """Give the aiohttp handler of a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        began_ns = monotonic_ns()
        service = request.app[SERVICE]
        call = Call(request, service, _request_id(request.headers, service))
        try:
            _check_version(request.headers)
            if not open_to_all:
                call.caller = admitted(call, token_in_query=token_in_query)
                _count(call)
            answer = await handler(call)
        except Refused as refused:
            answer = await _refusal(call, refused)
        except Exception as raised:  # noqa: BLE001 - whatever it was, it becomes an answer
            answer = _failure(call, raised)
        took_ns = monotonic_ns() - began_ns
        service.requests[label].count(answer.status, took_ns)
        if service.access_log:
            _tell(call, label, answer.status, took_ns)
        return answer

    return handle


def unrouted(methods_of: Callable[[web.Request], set[str]]) -> WebHandler:
    """Give the handler of all that no route takes: 405 for a known path, else 404."""

    async def refuse(call: Call) -> Answer:
        allowed = methods_of(call.request)
        if allowed:
            return errors.wrong_method(call, allowed)
        raise NotFound("No such route")

    return wrapped(refuse, _UNROUTED, open_to_all=True)


def _tell(call: Call, label: Label, status: int, took_ns: int) -> None:
    """Tell of an answered request; not its query, which may hold a token.

    The path is told as it was sent: blanks in it would look like the fields behind it.
    """
    request = call.request
    told = fields(
        request_id=call.request_id,
        route=label[1],
        status=status,
        ms=round(took_ns / 1e6, 3),
        actor=call.caller.by,
        remote=request.remote or "",
    )
    _access.info("%s %s", request.method, request.rel_url.raw_path, extra=told)


def _count(call: Call) -> None:
    """Count the request against its organization.

    Raises:
        TooManyRequests: it is one too many.

    """
    standing = call.service.limiter.take(call.caller.org, call.engine.now_us())
    call.standing = standing
    if standing.retry_after_secs is not None:
        raise TooManyRequests(standing.retry_after_secs)


def _request_id(headers: Mapping[str, str], service: Service) -> str:
    asked = headers.get("X-Request-Id")
    if asked is not None and _SANE_ID.match(asked):
        return asked
    return service.engine.new_id()


def _check_version(headers: Mapping[str, str]) -> None:
    asked = headers.get("X-API-Version")
    if asked is not None and asked != API_VERSION and _WELL_FORMED_VERSION.match(asked):
        raise BadRequest(f"API version {asked} is not supported; this server speaks {API_VERSION}")


async def _refusal(call: Call, refused: Refused) -> Answer:
    engine = call.engine
    response = errors.refusal(call, refused)
    if isinstance(refused, Busy):
        return response  # it tells nothing of the state, and the log may be stuck
    try:
        await engine.durable(engine.state.position)
    except LogError as raised:
        return _failure(call, raised)
    return response


def _failure(call: Call, raised: Exception) -> Answer:
    """Answer what no rule of ours refused: the framework's refusals, the log's end, our faults."""
    match raised:
        case web.HTTPException():
            return errors.from_framework(call, raised)
        case HttpProcessingError():
            return errors.malformed(call, raised.message)
        case web.RequestPayloadError():
            return errors.malformed(call, "The body cannot be read as its headers describe it")
        case LogExpired():
            return errors.refusal(call, Expired(str(raised)))
        case LogError():
            told = fields(request_id=call.request_id)
            _logger.error("the log failed under a request", exc_info=raised, extra=told)
            return errors.storage_failed(call)
        case _:
            asked = f"{call.request.method} {call.request.path}"
            told = fields(request_id=call.request_id)
            _logger.error("a defect of ours: %s", asked, exc_info=raised, extra=told)
            return errors.internal(call)
