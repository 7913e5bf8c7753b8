"""The WebSocket: events as text messages, and commands that say which.

Without a subscription everything is told that the address asks for; with some, what fits one of
them. Subscriptions are about what happens; what the client missed is told as the address asks.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Final

from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import DecodeError, Meta, Struct, structs
from msgspec.json import Decoder

from eventlog import LogError
from projections import bounds
from projections.events import Undecodable
from projections.frames import identified
from server.http.answer import headers_of
from server.http.call import Call
from server.http.caller import still_admitted
from server.http.events import EVENTS
from server.http.listening import Client, mark_of, passing, wanted_by
from server.http.ratelimit import Limiter, TooManyRequests
from server.http.streams import UpgradeRequired, abort, taken

PING_SECS: Final = 30.0
SOCKETS_MAX: Final = 100
"""of one organization"""
SUBSCRIPTIONS_MAX: Final = 100
"""of one socket"""
MESSAGE_BYTES_MAX: Final = 16 * 1024
"""of a command"""
MESSAGES_PER_SEC: Final = 100
"""that a client may send in the long run, protocol pings among them; who sends more is cut off"""
MESSAGES_AT_ONCE: Final = 1_000
_CLOSE_SECS: Final = 2.0
"""for which the other end may take leave"""

_logger = logging.getLogger("spoolog.http")


class Command(Struct, frozen=True):
    """What a client may send: Subscribe and Unsubscribe, to a queue, a job or both, and Ping."""

    cmd: str
    queue: Annotated[str, Meta(max_length=bounds.QUEUE_NAME_CHARACTERS_MAX)] | None = None
    job_id: Annotated[str, Meta(max_length=bounds.JOB_ID_CHARACTERS_MAX)] | None = None


_decode: Final = Decoder(Command).decode


async def socket(call: Call) -> web.StreamResponse:
    """Tell what happens in the organization over a WebSocket, and take commands that say what."""
    asked = EVENTS.read(call.request)
    client = Client(call, wanted_by(call, asked), mark_of(call, asked), secs_max=None)
    ws = web.WebSocketResponse(
        compress=False, max_msg_size=MESSAGE_BYTES_MAX, timeout=_CLOSE_SECS, autoping=False
    )
    if not ws.can_prepare(call.request):
        raise UpgradeRequired
    async with _a_place(call):
        ws.headers.update(headers_of(call))
        await ws.prepare(call.request)
        try:
            await _serve(ws, client)
        except (TimeoutError, ConnectionError):
            abort(call)
        except (LogError, Undecodable) as raised:
            _logger.error("request %s: the events broke off", call.request_id, exc_info=raised)  # noqa: TRY400
            await ws.close(code=WSCloseCode.INTERNAL_ERROR)
    return ws


@asynccontextmanager
async def _a_place(call: Call) -> AsyncIterator[None]:
    """Count a socket of the organization.

    Raises:
        TooManyRequests: there are too many.

    """
    sockets, org = call.service.sockets, call.caller.org
    if sockets[org] >= SOCKETS_MAX:
        raise TooManyRequests(1, f"The organization has {SOCKETS_MAX} WebSockets open")
    sockets[org] += 1
    try:
        yield
    finally:
        sockets[org] -= 1


async def _serve(ws: web.WebSocketResponse, client: Client) -> None:
    call = client.call
    reading = asyncio.create_task(_read(ws, client))
    try:
        async with aclosing(client.told(PING_SECS)) as told:
            async for one in told:
                match one:
                    case None:
                        await taken(client.call, ws.send_str(_ping(client)))
                    case str():
                        await taken(call, ws.send_str(_error(call, one)))
                    case _:
                        for frame in one:
                            await taken(call, ws.send_str(frame.message))
        await ws.close(code=_reason(call))
    finally:
        client.leave()
        reading.cancel()
        await asyncio.wait({reading})


async def _read(ws: web.WebSocketResponse, client: Client) -> None:
    """Obey commands until the other end leaves, or sends more than anybody needs to."""
    allowance = Limiter(MESSAGES_PER_SEC, MESSAGES_AT_ONCE)
    call = client.call
    try:
        async for message in ws:
            if allowance.take("", call.engine.now_us()).retry_after_secs is not None:
                abort(call)  # empty messages are read without bound, and answering costs more
                return
            if message.type is WSMsgType.TEXT:
                await _obey(ws, client, message.data)
            elif message.type is WSMsgType.PING:
                await taken(call, ws.pong(message.data))
            await asyncio.sleep(0)  # what has arrived already is read without a pause
    except (TimeoutError, ConnectionError):
        abort(call)
    finally:
        client.leave()


async def _obey(ws: web.WebSocketResponse, client: Client, text: str) -> None:
    try:
        command = _decode(text)
    except (DecodeError, UnicodeEncodeError, RecursionError):
        await taken(client.call, ws.send_str(_error(client.call, "This is no command")))
        return
    match command.cmd.lower():
        case "ping":
            await taken(client.call, ws.send_str(_ping(client)))
        case "subscribe":
            if not _subscribe(client, command):
                told = f"A socket has at most {SUBSCRIPTIONS_MAX} subscriptions"
                await taken(client.call, ws.send_str(_error(client.call, told)))
        case "unsubscribe":
            _change(client, _either(client) - {_pair(command)})
        case _:
            pass  # of a later version, perhaps


def _subscribe(client: Client, command: Command) -> bool:
    either = _either(client) | {_pair(command)}
    if len(either) > SUBSCRIPTIONS_MAX:
        return False
    _change(client, either)
    return True


def _either(client: Client) -> frozenset[tuple[str | None, str | None]]:
    return frozenset() if client.wanted is None else client.wanted.either


def _change(client: Client, either: frozenset[tuple[str | None, str | None]]) -> None:
    if client.wanted is not None:
        client.wanted = structs.replace(client.wanted, either=either)
        if client.listener is not None:
            client.call.service.live.retune(client.listener, client.wanted)


def _pair(command: Command) -> tuple[str | None, str | None]:
    return command.queue or None, command.job_id or None


def _ping(client: Client) -> str:
    content, position = passing(client.call, "Ping"), client.position
    return content.decode() if position is None else identified(content, str(position))


def _error(call: Call, message: str) -> str:
    return passing(call, "Error", message=message).decode()


def _reason(call: Call) -> WSCloseCode:
    if call.service.leaving.is_set():
        return WSCloseCode.GOING_AWAY
    return WSCloseCode.OK if still_admitted(call) else WSCloseCode.POLICY_VIOLATION
