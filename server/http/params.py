"""Query strings into structs, as ``wire`` does with bodies: the struct is the validation.

Empty text counts as left out where text is asked for; a parameter that is given twice counts once, the first; unknown ones
are ignored (contract section 1.6).
"""

from types import NoneType
from typing import Any, Final, Generic, TypeVar, get_args

from aiohttp import web
from msgspec import ValidationError, convert
from msgspec.structs import fields

from projections.errors import Invalid
from projections.specs import Spec

S = TypeVar("S", bound=Spec)

_WANTED: Final = {int: "must be an integer", bool: "must be true or false"}


class Query(Generic[S]):
    """Reads one kind of query string; made once per route."""

    def __init__(self, spec: type[S]) -> None:
        self.spec = spec
        self._kinds = {field.encode_name: _kind(field.type) for field in fields(spec)}

    def read(self, request: web.Request) -> S:
        """Give the request's parameters as a checked spec.

        Raises:
            Invalid: one is not of its type.

        """
        given = request.query
        found = {}
        for name, kind in self._kinds.items():
            text = given.get(name)
            if text is not None and (text or not _is_text(kind)):
                found[name] = _value(name, text, kind)
        return self.spec(**found)


def _kind(annotation: Any) -> Any:
    """Give what a parameter is when it is there."""
    return next((one for one in get_args(annotation) if one is not NoneType), annotation)


def _is_text(kind: Any) -> bool:
    return kind is str or get_args(kind)[:1] == (str,)


def _value(name: str, text: str, kind: Any) -> Any:
    try:
        # Strict for times, or a bare number would count as one.
        return convert(text, kind, strict=kind is not int and kind is not bool)
    except ValidationError as reason:
        told = str(reason) if _is_text(kind) else _WANTED.get(kind, "must be an RFC 3339 time")
        raise Invalid(name, told) from reason
