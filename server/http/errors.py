"""Refusal to HTTP: the one table of statuses, and the one shape of an error body.

``{"code", "message", "details"?, "error"?}`` as in contract section 1.2; ``details`` and ``error``
come with validation errors only.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from msgspec import ValidationError
from msgspec.json import Encoder

from projections import errors
from projections.errors import Invalid, Missing, Refused


class InvalidJson(Refused):
    """The body is not JSON."""

    code = "INVALID_JSON"


STATUS: Final[Mapping[type[Refused], int]] = {
    errors.BadRequest: 400,
    errors.Invalid: 400,
    InvalidJson: 400,
    errors.Unauthenticated: 401,
    errors.BadCredentials: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.LeaseExpired: 409,
    errors.TooLarge: 413,
    errors.Missing: 422,
}

_FRAMEWORK_CODES: Final = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}
_encode = Encoder().encode

_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?\Z", re.DOTALL)
_LACKING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_WRONG_TYPE: Final = re.compile(r"Expected `[^`]+`, got `[^`]+`")


def refusal(refused: Refused) -> web.Response:
    """Give the answer to a refused command."""
    body: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if isinstance(refused, Invalid):
        body |= {"error": "Validation failed", "details": refused.details}
    response = _answer(STATUS[type(refused)], body)
    if response.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def from_framework(raised: web.HTTPException) -> web.Response:
    """Give the answer to a request that reached no handler: unknown route, wrong method, too big."""
    code = _FRAMEWORK_CODES.get(raised.status, "BAD_REQUEST")
    response = _answer(raised.status, {"code": code, "message": raised.reason})
    if "Allow" in raised.headers:
        response.headers["Allow"] = raised.headers["Allow"]
    return response


def malformed(message: str) -> web.Response:
    """Give the answer to bytes that are not proper HTTP."""
    return _answer(400, {"code": "BAD_REQUEST", "message": message})


def internal() -> web.Response:
    """Give the answer to a fault of our own; the details are in the server's log only."""
    return _answer(500, {"code": "INTERNAL_ERROR", "message": "Internal error"})


def storage_failed() -> web.Response:
    """Give the answer when the log takes no more records: nothing can be promised any more."""
    message = "The log cannot be written; whether this request took effect is unknown"
    return _answer(503, {"code": "STORAGE_FAILED", "message": message})


def from_validation(error: ValidationError) -> Invalid:
    """Tell missing or mistyped (422) from a broken rule (400), which msgspec tells by its text."""
    found = _AT.match(str(error))
    assert found is not None, "the pattern matches any text"
    what, path = found["what"], found["path"] or ""
    lacking = _LACKING.fullmatch(what)
    if lacking is not None:
        field = f"{path}.{lacking['field']}".removeprefix(".")
        return Missing(field, "required")
    kind = Missing if _WRONG_TYPE.fullmatch(what) else Invalid
    return kind(path or "body", what)


def _answer(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(
        status=status, body=_encode(body), headers={"Content-Type": "application/json"}
    )
