"""Answers that go on: sending at the pace of who takes them, and cutting off who takes nothing."""

import asyncio
from collections.abc import Awaitable
from typing import ClassVar, Final

from projections.errors import Refused
from server.http.call import Call
from server.http.service import Service

CONSUMER_SECS_MAX: Final = 30.0
"""for which a consumer may not take what is sent, before it is dropped"""
LEAVING_SECS_MAX: Final = 1.0
"""the same, once the server is on its way out"""


class UpgradeRequired(Refused):
    """A WebSocket lives here: ask for an upgrade."""

    code: ClassVar[str] = "UPGRADE_REQUIRED"


async def taken(call: Call, sending: Awaitable[None]) -> None:
    """Wait until the consumer has taken what is sent, but for a little that is on its way.

    Raises:
        TimeoutError: it is too slow.
        ConnectionError: it has gone.

    """
    busy, transport = call.service.sending, call.request.transport
    busy.add(transport)
    try:
        await asyncio.wait_for(sending, CONSUMER_SECS_MAX)
    finally:
        busy.discard(transport)


def abort(call: Call) -> None:
    """Cut a client off in the middle of its answer, so that it takes no end for the end."""
    transport = call.request.transport
    if transport is not None:
        transport.abort()


def leave(service: Service) -> None:
    """End all streams; those whose consumers take nothing are soon cut off, so that none holds up the end."""
    service.leaving.set()
    service.live.close()
    asyncio.get_running_loop().call_later(LEAVING_SECS_MAX, _cut, service)


def _cut(service: Service) -> None:
    for transport in service.sending:
        if transport is not None:
            transport.abort()
