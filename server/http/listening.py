"""One client that listens, over whichever protocol: what it missed, then what happens, and beats.

What it was told last is an id, a position with an index or without; the client may come back with
it. Nothing is told that is not durable.
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from eventlog import LogExpired
from projections import frames as shapes
from projections.frames import Frame, Mark, Wanted
from projections.moments import to_text
from projections.specs import EventsQuery
from server.http.call import Call
from server.http.caller import still_admitted
from server.http.streams import abort
from server.live import Listener
from server.missed import Missed
from server.pace import Pace

NEAR_RECORDS: Final = 1_000
"""so few behind the end of the log, a client is handed what happens while it is told the rest"""

Told = list[Frame] | str | None
"""Frames, or what went wrong, or a beat."""


class Client:
    """What one client wants, and how far it was told."""

    def __init__(
        self,
        call: Call,
        wanted: Wanted | None,
        mark: Mark | None = None,
        *,
        secs_max: float | None,
    ) -> None:
        self.call = call
        self.wanted = wanted
        self.listener: Listener | None = None
        self._mark = mark
        self._beat_at = 0.0
        self._missed: Missed | None = None
        self._ends_at = math.inf if secs_max is None else _now() + secs_max
        self._left = False

    def listen(self) -> Listener:
        """Be handed what is recorded from now on."""
        if self.listener is None:
            self.listener = self.call.service.live.listen(self.wanted, lambda: abort(self.call))
        return self.listener

    @property
    def comes_again(self) -> bool:
        """Whether it goes on from what it was told before."""
        return self._mark is not None

    def leave(self) -> None:
        """Be handed nothing more."""
        self._left = True
        if self.listener is not None:
            self.call.service.live.leave(self.listener)

    @property
    def position(self) -> int | None:
        """The last position of which it was told all that it wants, if that is certain now."""
        missed = 0 if self._missed is None else self._missed.reached
        if self.listener is None:
            return missed or None
        if not self.listener.is_caught_up:
            return None
        return max(self.call.service.live.reached, self.listener.handed, missed)

    async def told(self, beat_secs: float) -> AsyncGenerator[Told, None]:
        """Give what is to be told, and a beat at once and then every `beat_secs`.

        It ends with the server, with the right to listen, and when its time is up.

        Raises:
            LogError, Undecodable: what was missed cannot be read.

        """
        async with aclosing(self._frames()) as batches:
            async for batch in batches:
                if not self._goes_on():
                    return
                if batch:
                    yield batch
                if _now() >= self._beat_at:
                    yield None
                    self._beat_at = _now() + beat_secs

    async def _frames(self) -> AsyncGenerator[list[Frame] | str, None]:
        """Give frames as they come; none when there was nothing to tell for a moment."""
        if self._mark is not None and self.wanted is not None:
            try:
                async with aclosing(self._those_missed(self.wanted, self._mark)) as batches:
                    async for batch in batches:
                        yield batch
            except LogExpired as expired:
                yield f"Events before {expired.first} have expired; here is what happens from now on"
        listener = self.listen()
        yield []
        while not listener.ended:
            found = await listener.take(max(min(self._beat_at, self._ends_at) - _now(), 0))
            yield [] if found is None else found.frames

    async def _those_missed(self, wanted: Wanted, mark: Mark) -> AsyncGenerator[Any, None]:
        engine = self.call.engine
        log = engine.log
        if mark.position > log.durable_position:
            yield f"The log ends at {log.durable_position}: {mark.position} is of another one"
            return
        if mark.after < log.first - 1:
            raise LogExpired(log.first)
        pace = Pace(self.call.service.reading_turn)
        self._missed = missed = Missed(log, engine.state, wanted, mark, pace)
        while log.durable_position - missed.reached > NEAR_RECORDS:
            async with aclosing(missed.upto(log.durable_position)) as batches:
                async for batch in batches:
                    yield batch
        self.listen()
        last = engine.state.position
        await engine.durable(last)
        async with aclosing(missed.upto(last)) as batches:
            async for batch in batches:
                yield batch

    def _goes_on(self) -> bool:
        call = self.call
        leaving = call.service.leaving.is_set() or _now() >= self._ends_at
        return not leaving and not self._left and not call.gone and still_admitted(call)


def wanted_by(call: Call, asked: EventsQuery) -> Wanted:
    """Give what a caller asks for, as far as its key goes.

    Raises:
        Denied: the key does not cover the queue.

    """
    caller = call.caller
    if asked.queue is not None:
        caller.require(asked.queue)
    return Wanted(
        org=caller.org,
        queues=frozenset() if caller.unrestricted else caller.queues,
        names=shapes.names(asked.events),
        queue=asked.queue,
        job=asked.job_id,
    )


def mark_of(call: Call, asked: EventsQuery) -> Mark | None:
    """Give what the client was told last: a browser says it again when it comes again by itself."""
    again = shapes.mark(call.request.headers.get("Last-Event-ID", ""))
    return again or shapes.mark(asked.after or "")


def passing(call: Call, kind: str, **data: Any) -> bytes:
    """Give a frame that tells of no record."""
    data["timestamp"] = to_text(call.engine.now_us())
    return shapes.envelope(kind, data)


def _now() -> float:
    return asyncio.get_running_loop().time()
