"""Query strings into structs, as ``wire`` does with bodies: the struct is the validation.

Empty text counts as left out; a parameter that is given twice counts once, the first; unknown ones
are ignored (contract section 1.6).
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from aiohttp import web
from msgspec import ValidationError, convert
from msgspec.structs import fields

from projections.errors import Invalid
from projections.specs import Spec
from server.http.validation import from_validation

S = TypeVar("S", bound=Spec)


class Query(Generic[S]):
    """Reads one kind of query string; made once per route."""

    def __init__(self, spec: type[S]) -> None:
        self.spec = spec
        self._names = [field.encode_name for field in fields(spec)]
        self._times = {field.encode_name for field in fields(spec) if "datetime" in str(field.type)}

    def read(self, request: web.Request) -> S:
        """Give the request's parameters as a checked spec.

        Raises:
            Invalid: one is missing, or not of its type, or breaks a rule.

        """
        given = request.query
        found: dict[str, Any] = {name: text for name in self._names if (text := given.get(name))}
        for name in self._times & found.keys():
            found[name] = _time(name, found[name])
        try:
            return convert(found, self.spec, strict=False)
        except ValidationError as reason:
            refused = from_validation(reason)
            detail = refused.details[0]
            raise Invalid(detail["field"], detail["message"]) from reason


def _time(name: str, text: str) -> datetime:
    """Read a time strictly: a bare number is none."""
    try:
        return convert(text, datetime)
    except ValidationError as reason:
        raise Invalid(name, "must be an RFC 3339 time") from reason
