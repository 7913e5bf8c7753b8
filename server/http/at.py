"""Questions to a state, now or with `at` at a moment of the past: both are answered by ``telling``.

The past is asked of ``server.past``, on behalf of the caller as the caller is now. Only durable
records are asked.
"""

import asyncio
from datetime import datetime
from typing import Final

from msgspec import ValidationError, convert

from projections.errors import Conflict, Invalid
from projections.moments import to_text, to_us
from server.http.answer import Answer
from server.http.call import Call
from server.http.telling import Told, World, found, searching, tell
from server.http.wire import reply
from server.past import Past
from server.questions import AnyQuestion, Asked, JobPage
from spoolog.point import Point

AT: Final = "at"
LOG_POSITION: Final = "X-Log-Position"
LOG_TIME: Final = "X-Log-Time"
POSITION_MAX: Final = 2**63 - 1


async def answered(call: Call, question: AnyQuestion) -> Answer:
    """Answer from the state as it is, or as it was when `at` says so.

    Raises:
        Refused: there is no such thing there; `at` is no moment of this log.
        LogExpired: the records that lead there have expired.

    """
    point = _point(call)
    if point is not None:
        return await _then(call, question, point)
    told = await _now(call, question)
    return await reply(call, told.view, has_more=told.has_more)


async def _now(call: Call, question: AnyQuestion) -> Told:
    engine = call.engine
    policy = engine.policy
    world = World(
        engine.state, engine.now_us(), call.caller, policy.max_retries, policy.timeout_secs
    )
    if not isinstance(question, JobPage):
        return tell(world, question)
    search = searching(world, question)
    while not search.step():  # noqa: ASYNC110 - a pause, not a poll
        await asyncio.sleep(0)
    return found(search)


async def _then(call: Call, question: AnyQuestion, point: Point) -> Answer:
    past, log = _past(call), call.engine.log
    await _check(call, point)
    policy, caller = call.engine.policy, call.caller
    asked = Asked(
        question=question,
        point=point,
        org=caller.org,
        queues=tuple(sorted(caller.queues)),
        max_retries=policy.max_retries,
        timeout_secs=policy.timeout_secs,
    )
    said = await past.ask(asked, first=log.first, upto=log.durable_position)
    further = {LOG_POSITION: str(said.position)}
    if said.position:
        further[LOG_TIME] = to_text(said.at_us)
    if said.has_more is not None:
        further["X-Has-More"] = "true" if said.has_more else "false"
    return Answer(call, 200, said.body, further)


def _past(call: Call) -> Past:
    past = call.service.past
    if past is None:
        raise Conflict("This server keeps its log in memory only: it cannot show the past")
    return past


async def _check(call: Call, point: Point) -> None:
    """Let a moment pass that has been, with all that belongs to it on disk.

    Raises:
        Conflict: it has not been yet.

    """
    engine = call.engine
    if point.position is not None:
        last = engine.log.durable_position
        if point.position > last:
            raise Conflict(f"The log ends at {last}: {AT} is behind it")
        return
    assert point.at_us is not None
    if point.at_us >= engine.now_us():
        raise Conflict(f"It is {to_text(engine.now_us())} now: {AT} is yet to come")
    # Records of that time may wait for the disk still; later ones will be of later times.
    await engine.durable(engine.state.position)


def _point(call: Call) -> Point | None:
    if not call.request.query_string:
        return None
    text = call.request.query.get(AT)
    return None if text is None else point_of(text)


def point_of(text: str) -> Point:
    """Read a position, or an RFC 3339 time; without an offset it is UTC.

    Raises:
        Invalid: it is neither.

    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(POSITION_MAX)):
        position = int(text)
        if position <= POSITION_MAX:
            return Point(position=position)
    try:
        return Point(at_us=to_us(convert(text, datetime)))
    except ValidationError as reason:
        raise Invalid(AT, "must be a position or an RFC 3339 time") from reason
