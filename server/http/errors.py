"""Refusal to HTTP: the one table of statuses, and the one shape of an error body.

``{"code", "message", "details"?, "error"?}`` as in contract section 1.2; ``details`` and ``error``
come with validation errors only.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from msgspec.json import Encoder

from projections import errors
from projections.errors import Invalid, Refused
from server.http.answer import Answer, closing
from server.http.call import Call
from server.http.intake import TooSlow
from server.http.ratelimit import TooManyRequests
from server.http.service import Service
from server.http.streams import UpgradeRequired
from server.http.validation import InvalidJson
from server.past import PastBusy, PastNotYet, PastUnavailable
from server.pressure import Busy, Overloaded, StorageFull

STATUS: Final[Mapping[type[Refused], int]] = {
    errors.BadRequest: 400,
    errors.Invalid: 400,
    InvalidJson: 400,
    errors.Unauthenticated: 401,
    errors.BadCredentials: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    TooSlow: 408,
    errors.Conflict: 409,
    errors.LeaseExpired: 409,
    errors.Expired: 410,
    errors.TooLarge: 413,
    errors.Missing: 422,
    UpgradeRequired: 426,
    TooManyRequests: 429,
    Overloaded: 503,
    PastBusy: 503,
    PastNotYet: 503,
    PastUnavailable: 503,
    StorageFull: 507,
}

_FRAMEWORK_CODES: Final = {413: "PAYLOAD_TOO_LARGE"}
_encode = Encoder().encode


def refusal(call: Call, refused: Refused) -> Answer:
    """Give the answer to a refused command."""
    body: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if isinstance(refused, Invalid):
        body |= {"error": "Validation failed", "details": refused.details}
    status = STATUS[type(refused)]
    further = None
    if status == web.HTTPUnauthorized.status_code:
        further = {"WWW-Authenticate": "Bearer"}
    elif isinstance(refused, UpgradeRequired):
        further = {"Upgrade": "websocket", "Connection": "Upgrade"}
    elif isinstance(refused, Busy):
        further = {"Retry-After": str(refused.retry_after_secs)}
    answer = _answer(call, status, body, further)
    if isinstance(refused, TooSlow):
        answer.force_close()
    return answer


def from_framework(call: Call, raised: web.HTTPException) -> Answer:
    """Give the answer to a request that aiohttp itself refused, such as one that is too big."""
    code = _FRAMEWORK_CODES.get(raised.status, "BAD_REQUEST")
    return _answer(call, raised.status, {"code": code, "message": raised.reason})


def wrong_method(call: Call, allowed: set[str]) -> Answer:
    """Give the answer to a method that a known path does not take."""
    methods = ", ".join(sorted(allowed))
    body = {"code": "METHOD_NOT_ALLOWED", "message": f"This path takes {methods}"}
    return _answer(call, web.HTTPMethodNotAllowed.status_code, body, {"Allow": methods})


def malformed(call: Call, message: str) -> Answer:
    """Give the answer to bytes that are not proper HTTP."""
    return _answer(call, 400, {"code": "BAD_REQUEST", "message": message})


def outright(
    service: Service, status: int, code: str, message: str, *, retry_after_secs: int | None = None
) -> bytes:
    """Give a whole answer to what never became a request; the connection ends with it."""
    further = stranger_headers(service)
    if retry_after_secs is not None:
        further["Retry-After"] = str(retry_after_secs)
    return closing(service, status, body(code, message), further)


def stranger_headers(service: Service) -> dict[str, str]:
    """Give the headers that vary, for an answer without a call."""
    standing = service.limiter.unlimited(service.engine.now_us())
    return {"X-Request-Id": service.engine.new_id(), **standing.headers()}


def body(code: str, message: str) -> bytes:
    """Give the body of an error."""
    return _encode({"code": code, "message": message})


def internal(call: Call) -> Answer:
    """Give the answer to a fault of our own; the details are in the server's log only."""
    return _answer(call, 500, {"code": "INTERNAL_ERROR", "message": "Internal error"})


def storage_failed(call: Call) -> Answer:
    """Give the answer when the log takes no more records: nothing can be promised any more."""
    message = "The log cannot be written; whether this request took effect is unknown"
    return _answer(call, 503, {"code": "STORAGE_FAILED", "message": message})


def _answer(
    call: Call, status: int, body: dict[str, Any], further: dict[str, str] | None = None
) -> Answer:
    return Answer(call, status, _encode(body), further)
