"""Handlers that tell of the log itself (design section 8)."""

import asyncio
from typing import Final

from msgspec import json

from projections.digest import Digesting
from projections.moments import to_text, to_text_or_none
from server.clock import monotonic_us
from server.http.answer import Answer
from server.http.call import Call
from server.http.views.overall import (
    LogFiles,
    LogMark,
    LogSpan,
    StateDigest,
    log_segment,
    log_snapshot,
)
from server.http.wire import reply
from server.landmarks import Landmark
from server.questions import Asked, LogMarks
from spoolog.point import Point

_marks: Final = json.Decoder(list[Landmark]).decode
_JOBS_PER_SLICE: Final = 2_000
_PAUSE_SECS: Final = 0.001


async def log_stat(call: Call) -> Answer:
    """Give positions, size, chain head and sync mode."""
    return await reply(call, call.engine.log.stat())


async def segments(call: Call) -> Answer:
    """Tell which segments and snapshots there are, as a thread that measures every 30 s found them."""
    use = call.service.disk_use
    measured_us = use.measured_us
    at_us = None if measured_us is None else call.engine.now_us() - (monotonic_us() - measured_us)
    view = LogFiles(
        measured_at=to_text_or_none(at_us),
        segments_total=use.files.segments_total,
        segments=[log_segment(one) for one in use.files.segments],
        snapshots=[log_snapshot(one) for one in use.files.snapshots],
    )
    return await reply(call, view)


async def span(call: Call) -> Answer:
    """Tell where the log begins and ends, and which position in between belongs to which time."""
    state, log = call.engine.state, call.engine.log
    last, last_at = state.position, state.tables.at
    await call.engine.durable(last)
    first = log.first
    marks = await _landmarks(call, first, last)
    view = LogSpan(
        first=first,
        last=last,
        first_at=to_text(marks[0].at_us) if marks and marks[0].position == first else None,
        last_at=to_text(last_at) if last else None,
        marks=[LogMark(one.position, to_text(one.at_us)) for one in marks],
    )
    return await reply(call, view)


async def _landmarks(call: Call, first: int, last: int) -> list[Landmark]:
    past = call.service.past
    if past is None:
        return []
    asked = Asked(LogMarks(first), Point(position=last), "", (), 0, 0)  # the same for everyone
    return _marks((await past.ask(asked, first=first, upto=last)).body)


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
