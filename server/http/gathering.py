"""Bodies that are dear to make and good for a second: made once for all who may see the same.

However many dashboards ask, and however often, gathering takes no more than a small part of a
processor: what takes long is done less often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from projections import bounds
from projections.decide import Caller
from server.clock import monotonic_us

_FRESH_US: Final = bounds.SECOND_US
_REST: Final = 20
"""Gathering takes no more than one part in so many of the time."""
_SCOPES_MAX: Final = 100

Scope = tuple[str, frozenset[str]]


class _Gathered(Struct):
    """A body, until when it is fresh, and the turn of whoever makes the next one."""

    turn: asyncio.Lock
    body: bytes = b""
    fresh_until_us: int = -1


class Gathering:
    """The newest body for each set of queues that somebody may see."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._scopes: dict[Scope, _Gathered] = {}

    async def body(self, caller: Caller, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give a body that is fresh; who comes while it is being made gets the same."""
        scope = (caller.org, frozenset() if caller.unrestricted else caller.queues)
        gathered = self._scopes.get(scope)
        if gathered is None:
            if len(self._scopes) == _SCOPES_MAX:
                del self._scopes[next(iter(self._scopes))]
            gathered = self._scopes[scope] = _Gathered(asyncio.Lock())
        async with gathered.turn:
            now_us, began_us = self._now_us(), monotonic_us()
            if now_us >= gathered.fresh_until_us:
                gathered.body = await make()
                took_us = monotonic_us() - began_us
                gathered.fresh_until_us = now_us + max(_FRESH_US, _REST * took_us)
            return gathered.body
