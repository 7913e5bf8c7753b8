"""What one endpoint is: enough to register it, to describe it and to test it."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from server.http.edge import Handler
from server.http.params import Query
from server.http.wire import Body

API: Final = "/api/v1"
_OF_EVERY_ROUTE: Final = (400, 500)
_OF_A_CLOSED_ROUTE: Final = (401, 429, 503)
_OF_A_BODY: Final = (408, 413, 422)
_OF_A_COMMAND: Final = (507,)
_OF_THE_PAST: Final = (409, 410)


class Route(Struct, frozen=True, kw_only=True):
    """One endpoint.

    `answers` gives what each success status comes with: the type of its JSON, or several, the
    media type of a text, types by media type, or nothing. `also` names the refusals that do not
    follow from the rest. `open` ones need no API key; `paged` ones tell whether more follows.
        `headers` names what else an answer carries. With `past` it answers for a moment of the past as
    well, when `at` asks it to. Where `token_in_query`, a token may be a parameter.
    """

    method: str
    path: str
    handler: Handler
    answers: Mapping[int, Any]
    body: Body[Any] | None = None
    query: Query[Any] | None = None
    also: tuple[int, ...] = ()
    paged: bool = False
    open: bool = False
    token_in_query: bool = False
    headers: tuple[str, ...] = ()
    past: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it takes: probes and browsers may ask what is open by HEAD as well."""
        return (self.method, "HEAD") if self.open and self.method == "GET" else (self.method,)

    @property
    def refusals(self) -> list[int]:
        """Every error status that it may answer with."""
        found = {*_OF_EVERY_ROUTE, *self.also}
        if not self.open:
            found.update(_OF_A_CLOSED_ROUTE)
            if self.method != "GET":
                found.update(_OF_A_COMMAND)
        if self.past:
            found.update(_OF_THE_PAST)
        if self.body is not None:
            found.update(_OF_A_BODY)
        return sorted(found - set(self.answers))

    @property
    def summary(self) -> str:
        """The first sentence of its handler's docstring."""
        text = " ".join((inspect.getdoc(self.handler) or "").split())
        return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]

    @property
    def tag(self) -> str:
        """The noun it is about."""
        parts = self.path.removeprefix(API).strip("/").split("/")
        if "dlq" in parts:
            return "dead letters"
        return parts[0].partition(".")[0] or "dashboard"

    @property
    def operation(self) -> str:
        """Its unique name: noun and verb."""
        module = self.handler.__module__.rpartition(".")[2]
        name = getattr(self.handler, "__name__", "").strip("_")
        return f"{module}_{name}"
