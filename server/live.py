"""Who listens to events as they happen: each gets the frames they want, once they are durable.

A frame is made and encoded once for all who want it. Listeners with the same wishes share a line,
so what a record costs grows with the wishes and not with the listeners; without any listener it
costs nothing. What waits for one who takes it too slowly is bounded: then they are dropped.

Nothing here knows HTTP.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Final

from msgspec import Struct

from eventlog import LogError
from projections import live
from projections.events import Event, Record
from projections.frames import Frame, Wanted
from projections.live import Life
from server.engine import Engine
from server.lines import Lines
from server.pace import Pace

UNTAKEN_BYTES_MAX: Final = 4 * 1024 * 1024
"""that may wait for one listener, before they are dropped"""
PAUSE_SECS: Final = 0.02
"""between two times of handing out: under load, many frames travel together"""
FRAMES_PER_ROUND: Final = 500
"""that are handed out together; a record's are never parted"""
_LISTENER_EFFORT: Final = 50
"""Microseconds, about, that it takes one to send what it was handed."""


class Batch(Struct, frozen=True, dict=True):
    """Frames that are handed out together, the same object to all who want just these."""

    frames: list[Frame]

    @cached_property
    def size(self) -> int:
        """Bytes of their content."""
        return sum(len(frame.content) for frame in self.frames)


class Listener:
    """One client's place: what it wants, and what waits for it."""

    def __init__(self, hub: "Hub", wanted: Wanted | None, on_lag: Callable[[], None]) -> None:
        self.wanted = wanted
        self.ended = False
        """set when nothing more will come"""
        self.handed = 0
        """the last position of which this was handed something, and so all"""
        self._hub = hub
        self._since = hub.recorded
        self._on_lag = on_lag
        self._batches: deque[Batch] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._batches

    def put(self, batch: Batch) -> None:
        """Let frames wait here, or drop this listener: it is too far behind.

        Those of records from before it listened are not for it, though they are handed out now.
        """
        if self.ended:
            return
        if batch.frames[0].position <= self._since:
            batch = Batch([frame for frame in batch.frames if frame.position > self._since])
        if not batch.frames:
            return
        self._bytes += batch.size
        if self._bytes > UNTAKEN_BYTES_MAX:
            self._hub.dropped += 1
            self._hub.leave(self)
            self._on_lag()
            return
        self._batches.append(batch)
        self.handed = batch.frames[-1].position
        self._woken.set()

    async def take(self, secs: float) -> Batch | None:
        """Give what came next; nothing when `secs` have passed, or this has ended."""
        if not self._batches and not self.ended:
            self._woken.clear()
            timer = asyncio.get_running_loop().call_later(secs, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()
        if not self._batches:
            return None
        batch = self._batches.popleft()
        self._bytes -= batch.size
        return batch

    def end(self) -> None:
        """Let nothing more come, and wake who waits for it."""
        self.ended = True
        self._batches.clear()
        self._bytes = 0
        self._woken.set()


class Hub:
    """All listeners of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.dropped = 0
        """who were too slow, since the start"""
        self.told = 0
        """frames handed out since the start, once for each listener"""
        self._engine = engine
        self._listeners: set[Listener] = set()
        self._lines: Lines[Listener] = Lines()
        self._waiting: deque[list[Frame]] = deque()
        self._handing: asyncio.Task[None] | None = None
        self._closed = False
        engine.before_fold.append(self._recording)

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def recorded(self) -> int:
        """The last position recorded, durable or not."""
        return self._engine.state.position

    @property
    def reached(self) -> int:
        """The last position whose frames have all been handed out, if it has any."""
        if self._waiting:
            return self._waiting[0][0].position - 1
        return self._engine.log.durable_position

    def listen(self, wanted: Wanted | None, on_lag: Callable[[], None]) -> Listener:
        """Begin to hand out what is recorded from now on; without `wanted` only to be told the end.

        `on_lag` is called when the listener is dropped. Who has listened must `leave`.
        """
        listener = Listener(self, wanted, on_lag)
        if self._closed:
            listener.end()
            return listener
        self._listeners.add(listener)
        self._enter(listener)
        return listener

    def retune(self, listener: Listener, wanted: Wanted) -> None:
        """Hand out other frames to a listener from now on."""
        if not listener.ended:
            self._remove(listener)
            listener.wanted = wanted
            self._enter(listener)

    def leave(self, listener: Listener) -> None:
        """End one listener's place."""
        if listener in self._listeners:
            self._listeners.discard(listener)
            self._remove(listener)
        listener.end()

    def close(self) -> None:
        """End all, and let nobody in again."""
        self._closed = True
        for listener in list(self._listeners):
            self.leave(listener)
        if self._handing is not None:
            self._handing.cancel()

    def _enter(self, listener: Listener) -> None:
        if listener.wanted is not None:
            self._lines.enter(listener.wanted, listener)

    def _remove(self, listener: Listener) -> None:
        if listener.wanted is not None:
            self._lines.leave(listener.wanted, listener)

    def _recording(self, record: Record) -> None:
        """Make the frames of a record, while the state is what it was before."""
        if not self._lines:
            return
        found, _ = live.frames(record, self._life_before, self._queue_of_worker)
        mine = [frame for frame in found if self._lines.are_of(frame.org)]
        if mine:
            self._waiting.append(mine)
            if self._handing is None:
                self._handing = asyncio.get_running_loop().create_task(self._hand_out())

    def _life_before(self, event: Event) -> Life:
        return live.life_of(self._engine.state.tables.jobs[getattr(event, "job", "")])

    def _queue_of_worker(self, worker_id: str) -> str | None:
        worker = self._engine.state.tables.workers.get(worker_id)
        return None if worker is None else worker.queue

    async def _hand_out(self) -> None:
        """Hand out what waits, as it becomes durable, until nothing does."""
        engine = self._engine
        try:
            while self._waiting:
                await engine.durable(self._waiting[-1][0].position)
                await self._hand_out_to(engine.log.durable_position)
                await asyncio.sleep(PAUSE_SECS)
        except LogError:
            self.close()  # nothing will become durable any more
        finally:
            self._handing = None

    async def _hand_out_to(self, position: int) -> None:
        """Hand out in rounds, and let others in between: there may be very many listeners.

        What a round hands out waits until all have it, so that nobody takes it for told before.
        """
        pace = Pace()
        while self._waiting and self._waiting[0][0].position <= position:
            frames: list[Frame] = []
            records = 0
            for one in self._waiting:
                if one[0].position > position or len(frames) >= FRAMES_PER_ROUND:
                    break
                frames += one
                records += 1
            await self._round(frames, pace)
            for _ in range(records):
                self._waiting.popleft()

    async def _round(self, frames: list[Frame], pace: Pace) -> None:
        for mine, line in self._lines.of(frames):
            await pace.spend(1 + len(frames) // 4)
            if not mine:
                continue
            batch = Batch(mine)
            self.told += len(mine) * len(line)
            for listener in line:
                listener.put(batch)
                await pace.spend(_LISTENER_EFFORT)
