"""Answers that go on: sending at the pace of who takes them, and cutting off who takes nothing."""

import asyncio
from collections.abc import Awaitable
from typing import ClassVar, Final

from projections.errors import Refused
from server.http.call import Call

CONSUMER_SECS_MAX: Final = 30.0
"""for which a consumer may not take what is sent, before it is dropped"""


class UpgradeRequired(Refused):
    """A WebSocket lives here: ask for an upgrade."""

    code: ClassVar[str] = "UPGRADE_REQUIRED"


async def taken(sending: Awaitable[None]) -> None:
    """Wait until the consumer has taken what is sent, but for a little that is on its way.

    Raises:
        TimeoutError: it is too slow.
        ConnectionError: it has gone.

    """
    await asyncio.wait_for(sending, CONSUMER_SECS_MAX)


def abort(call: Call) -> None:
    """Cut a client off in the middle of its answer, so that it takes no end for the end."""
    transport = call.request.transport
    if transport is not None:
        transport.abort()
