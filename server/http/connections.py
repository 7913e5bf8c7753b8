"""Connections: how many there may be, how long one may dawdle, and what becomes of a client that does not read.

The framework's own timer ends idle connections. Everything else is looked at about once a second,
by one task for all connections, so that a request costs a comparison and no timer.
"""

import asyncio
from typing import Any, Final, cast

from aiohttp import web

from server.http import errors
from server.http.answer import STANDARD_HEADERS
from server.http.service import SERVICE, Service
from server.settings import Settings

TURNED_AWAY_SECS: Final = 1.0
TURNED_AWAY_MAX: Final = 256
"""Connections over the limit that are given an answer; more are cut off."""
BACKLOG: Final = 1_024
_LOOK_SECS_MAX: Final = 1.0
_LOOKS_PER_SLICE: Final = 1_000


class Connection(web.RequestHandler):
    """One client's connection: the framework's, with an eye on heads that do not come to an end."""

    __slots__ = ("_doors", "_head_of", "_head_since", "_unread", "_unread_since", "wire")

    def __init__(self, doors: "Doors", **options: Any) -> None:
        super().__init__(doors, **options)
        self.wire: asyncio.Transport | None = None
        """the transport, until it is lost; the framework forgets it earlier"""
        self._doors = doors
        self._head_of = -1
        self._head_since = 0.0
        self._unread = 0
        self._unread_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[explicit-override]  # typing.override is of 3.12
        """Begin."""
        self.wire = cast("asyncio.Transport", transport)  # uvloop's is none by descent
        self._doors.opened(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:  # type: ignore[explicit-override]
        """End."""
        self.wire = None
        self._doors.lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:  # type: ignore[explicit-override]
        """Take bytes, and note when a head has begun and has not ended."""
        requests = self._request_count
        super().data_received(data)
        if self._request_count == requests != self._head_of and self._waiter is not None:
            self._head_of = requests
            self._head_since = self._loop.time()

    def handle_error(  # type: ignore[explicit-override]
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not proper HTTP, in the shape of every error."""
        if status != web.HTTPBadRequest.status_code:
            return super().handle_error(request, status, exc, message)
        # The framework's words may span lines and quote what was sent: the first says enough.
        told = (message or "").strip().partition("\n")[0] or "This is not proper HTTP"
        answer = web.Response(
            status=status,
            body=errors.body("BAD_REQUEST", told),
            headers={**STANDARD_HEADERS, **errors.stranger_headers(self._doors.service)},
            content_type="application/json",
        )
        answer.force_close()
        return answer

    def head_is_late(self, now: float, secs: float) -> bool:
        """Whether a request's head has been on its way for too long."""
        return self._head_of == self._request_count and now - self._head_since > secs

    def is_unread(self, now: float, waiting: int, secs: float) -> bool:
        """Whether the client has taken nothing of what waits for it, for too long."""
        if waiting == 0 or waiting < self._unread or self._unread == 0:
            self._unread_since = now
        self._unread = waiting
        return now - self._unread_since > secs


class Doors(web.Server):
    """Makes a connection of each that comes, as long as there is room, and looks after them."""

    def __init__(self, plain: web.Server, service: Service, settings: Settings) -> None:
        self._own_loop = asyncio.get_running_loop()
        super().__init__(
            plain.request_handler, request_factory=plain.request_factory, loop=self._own_loop
        )
        self.service = service
        self.turned_away: set[TurnedAway] = set()
        self._settings = settings
        self._open: set[Connection] = set()

    def __call__(self) -> Any:  # type: ignore[explicit-override]  # any protocol will do
        """Give the protocol of a new connection."""
        if len(self._open) >= self._settings.connections_max:
            return TurnedAway(self)
        return Connection(
            self,
            loop=self._own_loop,
            access_log=None,
            keepalive_timeout=self._settings.idle_secs,
            lingering_time=0.0,  # answers see to bodies that nobody reads
        )

    def opened(self, connection: Connection) -> None:
        """Note a connection that begins."""
        self._open.add(connection)
        self.service.traffic.connections = len(self._open)

    def lost(self, connection: Connection) -> None:
        """Note a connection that has ended."""
        self._open.discard(connection)
        self.service.traffic.connections = len(self._open)

    async def look_after(self) -> None:
        """Look at every connection, again and again, until cancelled."""
        every_secs = min(_LOOK_SECS_MAX, self._settings.head_secs / 4)
        while True:
            for number, connection in enumerate(list(self._open), start=1):
                self._look_at(connection, self._own_loop.time())
                if number % _LOOKS_PER_SLICE == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(every_secs)

    def _look_at(self, connection: Connection, now: float) -> None:
        wire, settings, traffic = connection.wire, self._settings, self.service.traffic
        if wire is None:
            return
        if connection.head_is_late(now, settings.head_secs) and not wire.is_closing():
            traffic.late_heads += 1
            told = "The request's head did not arrive in time"
            wire.write(errors.outright(self.service, 408, "REQUEST_TIMEOUT", told))
            connection.force_close()
        elif connection.is_unread(now, wire.get_write_buffer_size(), settings.idle_secs):
            traffic.unread_aborts += 1
            wire.abort()


class TurnedAway(asyncio.Protocol):
    """A connection too many: told so, and closed.

    The answer waits for the first bytes: a close on top of bytes that were not read may lose it.
    """

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[explicit-override]
        """Wait for the first bytes, though not for long."""
        self._doors.service.traffic.turned_away += 1
        if len(self._doors.turned_away) >= TURNED_AWAY_MAX:
            cast("asyncio.Transport", transport).abort()
            return
        self._doors.turned_away.add(self)
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TURNED_AWAY_SECS, self._end)

    def data_received(self, data: bytes) -> None:  # type: ignore[explicit-override]  # noqa: ARG002
        """Answer; what comes after that is dropped."""
        if self._transport is not None and not self._transport.is_closing():
            self._answer(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[explicit-override]  # noqa: ARG002
        """End."""
        self._transport = None
        self._doors.turned_away.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _answer(self, transport: asyncio.Transport) -> None:
        told = "Too many connections are open; wait as long as Retry-After says."
        service = self._doors.service
        transport.write(errors.outright(service, 503, "OVERLOADED", told, retry_after_secs=1))
        transport.close()

    def _end(self) -> None:
        if self._transport is not None:
            self._answer(self._transport)


class Runner(web.AppRunner):
    """Runs an application behind `Doors`."""

    def __init__(self, app: web.Application, settings: Settings, **options: Any) -> None:
        super().__init__(app, **options)
        self._settings = settings

    async def setup(self) -> None:  # type: ignore[explicit-override]
        """Make everything ready to listen, and begin to look after what will come."""
        await super().setup()
        assert isinstance(self.server, Doors)
        looking = asyncio.create_task(self.server.look_after())
        self.app[SERVICE].background.append(looking)

    async def _make_server(self) -> web.Server:  # type: ignore[explicit-override]
        plain = await super()._make_server()
        return Doors(plain, self.app[SERVICE], self._settings)
