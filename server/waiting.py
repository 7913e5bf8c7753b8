"""Claims that wait for a job: one line per queue, the oldest served first.

A waiting claim keeps its place until it got something, its time is up, or its client has gone. The
lines listen to what the engine records; whether there is something to hand out is the claim's own
decision, so no rule stands here twice.
"""

import asyncio
from collections.abc import Callable, Iterator

from projections import ratelimit
from projections.bounds import SECOND_US
from projections.eligibility import Hold, allowance
from projections.events import Record
from server.engine import Engine

Place = tuple[str, str]
"""An organization and the name of one of its queues."""

Attempt = Callable[[], bool]
"""Tries to be served; True when it is done, served or not wanted any more."""


class WaitingRoom:
    """All lines of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lines: dict[Place, dict[asyncio.Future[None], Attempt]] = {}
        self._timers: dict[Place, asyncio.TimerHandle] = {}
        self._called: set[Place] = set()
        self._closed = False
        engine.listeners.append(self._recorded)

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    async def wait(self, place: Place, attempt: Attempt, secs: float) -> None:
        """Stand in line until `attempt` is done, `secs` have passed, or the room is closed.

        Raises:
            Exception: whatever `attempt` raised.

        """
        if self._closed:
            return
        served = asyncio.get_running_loop().create_future()
        self._lines.setdefault(place, {})[served] = attempt
        self._set_timer(place)
        try:
            await asyncio.wait_for(served, secs)
        except TimeoutError:
            return
        finally:
            self._leave(place, served)

    def close(self) -> None:
        """Send everyone home, and let nobody in again."""
        self._closed = True
        for line in self._lines.values():
            for served in line:
                _wake(served)

    def _leave(self, place: Place, served: asyncio.Future[None]) -> None:
        line = self._lines[place]
        del line[served]
        if not line:
            del self._lines[place]
            timer = self._timers.pop(place, None)
            if timer is not None:
                timer.cancel()

    def _recorded(self, record: Record) -> None:
        """Call those lines to whose queues something has happened."""
        if not self._lines:
            return
        for place in self._places(record):
            if place in self._lines:
                self._call(place)

    def _places(self, record: Record) -> Iterator[Place]:
        jobs = self._engine.state.tables.jobs
        for event in record.events:
            queue = getattr(event, "queue", None)
            if queue is not None:
                yield event.org, queue
            job = jobs.get(getattr(event, "job", ""))
            if job is not None:
                yield job.org, job.queue

    def _call(self, place: Place) -> None:
        if place not in self._called:
            self._called.add(place)
            asyncio.get_running_loop().call_soon(self._serve, place)

    def _serve(self, place: Place) -> None:
        """Let the oldest try, and the next only after it; nobody overtakes within a line."""
        self._called.discard(place)
        for served, attempt in list(self._lines.get(place, {}).items()):
            if served.done():
                continue
            try:
                if not attempt():
                    break
            except Exception as raised:  # noqa: BLE001 - it is the waiter's, and raised there
                served.set_exception(raised)
            else:
                served.set_result(None)
        self._set_timer(place)

    def _set_timer(self, place: Place) -> None:
        """Come back when the rate limit lets the next job through: nothing is recorded then."""
        earlier = self._timers.pop(place, None)
        if earlier is not None:
            earlier.cancel()
        engine = self._engine
        queue, now_us = engine.state.queue(*place), engine.now_us()
        if place not in self._lines or queue is None or queue.rate_limit is None:
            return
        shelf = engine.state.shelf(*place)
        if len(shelf.ready) and allowance(queue, shelf, now_us, 1).hold is Hold.RATE:
            moment = ratelimit.next_at(queue.paid_until_ns, queue.rate_limit)
            delay_secs = max(moment - now_us, 0) / SECOND_US
            loop = asyncio.get_running_loop()
            self._timers[place] = loop.call_later(delay_secs, self._serve, place)


def _wake(served: asyncio.Future[None]) -> None:
    if not served.done():
        served.set_result(None)
