"""The one middleware: request id, API version, standard headers, and errors as answers.

A refusal tells something of the state as well, so it too waits until that is durable.
"""

import logging
import re
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from aiohttp.web_exceptions import HTTPException

from eventlog import LogError
from projections.errors import BadRequest, Refused
from server.http import errors
from server.http.service import SERVICE
from server.http.wire import engine_of

REQUEST_ID = web.RequestKey("request_id", str)
API_VERSION: Final = "1"

_logger = logging.getLogger("spoolog.http")
_SANE_ID: Final = re.compile(r"^[\x21-\x7e]{1,128}\Z")
_WELL_FORMED_VERSION: Final = re.compile(r"^[A-Za-z0-9.]{1,16}\Z")
_STANDARD_HEADERS: Final = {
    "X-API-Version": API_VERSION,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Wrap every request, also those that no route takes."""
    asked = request.headers.get("X-Request-Id")
    sane = asked is not None and _SANE_ID.match(asked)
    request_id = asked if asked is not None and sane else request.app[SERVICE].engine.new_id()
    request[REQUEST_ID] = request_id
    response = await _answer(request, handler)
    headers = response.headers
    headers["X-Request-Id"] = request_id
    headers.update(_STANDARD_HEADERS)
    return response


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _check_version(request)
        return await handler(request)
    except Refused as refused:
        return await _refusal(request, refused)
    except HTTPException as raised:
        return errors.from_framework(raised)
    except HttpProcessingError as raised:
        return errors.malformed(raised.message)
    except web.RequestPayloadError:
        return errors.malformed("The body cannot be read as its headers describe it")
    except LogError:
        _logger.exception("request %s: the log failed", request[REQUEST_ID])
        return errors.storage_failed()
    except Exception:
        _logger.exception("request %s: %s %s", request[REQUEST_ID], request.method, request.path)
        return errors.internal()


async def _refusal(request: web.Request, refused: Refused) -> web.StreamResponse:
    engine = engine_of(request)
    response = errors.refusal(refused)
    try:
        await engine.durable(engine.state.position)
    except LogError:
        return errors.storage_failed()
    return response


def _check_version(request: web.Request) -> None:
    asked = request.headers.get("X-API-Version")
    if asked is not None and asked != API_VERSION and _WELL_FORMED_VERSION.match(asked):
        raise BadRequest(f"API version {asked} is not supported; this server speaks {API_VERSION}")
