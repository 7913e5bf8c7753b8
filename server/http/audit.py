"""Handlers that tell of the log itself (design section 8)."""

import asyncio
from typing import Final

from projections.digest import Digesting
from server.http.answer import Answer
from server.http.call import Call
from server.http.views.overall import StateDigest
from server.http.wire import reply

_JOBS_PER_SLICE: Final = 2_000
_PAUSE_SECS: Final = 0.001


async def log_stat(call: Call) -> Answer:
    """Give positions, size, chain head and sync mode."""
    return await reply(call, call.engine.log.stat())


async def digest(call: Call) -> Answer:
    """Give the digest of the state and the position it holds for; requests go on meanwhile."""
    service = call.service
    async with service.digest_turn:
        digesting = Digesting(service.engine.state)
        try:
            while not digesting.step(_JOBS_PER_SLICE):  # noqa: ASYNC110 - a pause, not a poll
                await asyncio.sleep(_PAUSE_SECS)
            view = StateDigest(digesting.position, digesting.hexdigest())
        finally:
            digesting.close()
    return await reply(call, view)
