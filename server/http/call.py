"""One request on its way through the face: who asks, of which service, under which id.

Built once at the edge, so that handlers and ``wire`` look nothing up twice.
"""

from typing import Final

from aiohttp import web

from projections.decide import Caller
from server.engine import Engine
from server.http.ratelimit import Standing
from server.http.service import Service
from server.tokens import Claims

NOBODY: Final = Caller(org="", by="", request_id="", queues=frozenset({""}))


class Call:
    """A request with its service, id and caller; `caller` is nobody on open routes.

    `claims` are those of the token that the caller came with, if it was no API key. `standing` tells how much of its rate limit is left; nothing before the caller is known.
    """

    __slots__ = ("caller", "claims", "engine", "request", "request_id", "service", "standing")

    def __init__(self, request: web.Request, service: Service, request_id: str) -> None:
        self.request = request
        self.service = service
        self.engine: Engine = service.engine
        self.request_id = request_id
        self.caller = NOBODY
        self.claims: Claims | None = None
        self.standing: Standing | None = None

    @property
    def gone(self) -> bool:
        """Whether the client has hung up, as far as this machine was told."""
        transport = self.request.transport
        return transport is None or transport.is_closing()

    def path(self, name: str) -> str:
        """Give a part of the path, decoded."""
        return self.request.match_info[name]
