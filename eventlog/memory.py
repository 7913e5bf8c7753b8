"""`MemoryLog`: a list behind the `Log` protocol, for tests and simulation.

Records become durable at the end of the tick, unless they are held back. `crash` gives the log that
a restart would find: what was durable, and nothing else.
"""

import asyncio
from collections.abc import AsyncIterator

from eventlog.errors import BodyRefused, LogClosed, OutOfOrder
from eventlog.frame import chain_hex, first_state, next_state
from eventlog.log import BATCH_RECORDS_MAX, Entry, LogStat, SyncMode

_CLUSTER = "memory"


class MemoryLog:
    """A log without a disk."""

    def __init__(self) -> None:
        self.cluster = _CLUSTER
        self.epoch = 0
        self.durable_position = 0
        self.pending_bytes = 0
        self._bodies: list[bytes] = []
        self._writing = False
        self._closed = False
        self._held = False
        self._sync_scheduled = False
        self._waiters: list[asyncio.Future[None]] = []
        self._watchers: list[asyncio.Future[None]] = []

    @property
    def first(self) -> int:
        """The first position: nothing expires here."""
        return 1

    @property
    def last(self) -> int:
        """The last position appended."""
        return len(self._bodies)

    def hold(self) -> None:
        """Let nothing become durable until `release`."""
        self._held = True

    def release(self) -> None:
        """Make durable what was held back, and go on as usual."""
        self._held = False
        self._sync()

    def crash(self, keep: int | None = None) -> "MemoryLog":
        """Give what a restart finds: the durable records, or up to `keep` of those appended."""
        kept = self.durable_position if keep is None else keep
        if not self.durable_position <= kept <= self.last:
            raise OutOfOrder(f"a crash keeps {self.durable_position} to {self.last} records")
        found = MemoryLog()
        found.epoch = self.epoch
        found._bodies = self._bodies[:kept]
        found.durable_position = kept
        return found

    def stat(self) -> LogStat:
        """Say where the log stands."""
        state = first_state(_CLUSTER)
        for position, body in enumerate(self._bodies, start=1):
            state = next_state(state, position, body)
        return LogStat(
            cluster=_CLUSTER,
            epoch=self.epoch,
            sync=SyncMode.NONE,
            segments=0,
            bytes=sum(map(len, self._bodies)),
            last=self.last,
            durable=self.durable_position,
            synced=0,
            pending_bytes=self.pending_bytes,
            chain=chain_hex(state).decode(),
        )

    async def begin(self) -> int:
        """Become the writer; see `Log.begin`."""
        if self._writing or self._closed:
            raise LogClosed
        self._writing = True
        self.epoch += 1
        return self.epoch

    def append(self, position: int, body: bytes) -> None:
        """Take a record; see `Log.append`."""
        if not self._writing or self._closed:
            raise LogClosed
        if position != self.last + 1:
            raise OutOfOrder(f"position {position} cannot follow {self.last}")
        if b"\n" in body or b"\0" in body:
            raise BodyRefused
        self._bodies.append(body)
        self.pending_bytes += len(body)
        if not self._sync_scheduled:
            self._sync_scheduled = True
            asyncio.get_running_loop().call_soon(self._end_of_tick)

    def _end_of_tick(self) -> None:
        self._sync_scheduled = False
        if not self._held:
            self._sync()

    def _sync(self) -> None:
        self.durable_position = self.last
        self.pending_bytes = 0
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _wake(waiter)
        self._wake_watchers()

    def _wake_watchers(self) -> None:
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            _wake(watcher)

    async def durable(self, position: int) -> None:
        """Wait until `position` is durable; see `Log.durable`."""
        if position <= self.durable_position:
            return
        if position > self.last:
            raise OutOfOrder(
                f"nothing was appended at {position}; the last position is {self.last}"
            )
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    async def seal(self) -> int:
        """Wait until all is durable: nothing here is written to again; see `Log.seal`."""
        if not self._writing or self._closed:
            raise LogClosed
        last = self.last
        await self.durable(last)
        return last

    async def read(self, after: int = 0) -> AsyncIterator[list[Entry]]:
        """Give the records behind `after` that are durable now; see `Log.read`."""
        upto = self.durable_position
        while after < upto:
            end = min(after + BATCH_RECORDS_MAX, upto)
            yield list(enumerate(self._bodies[after:end], start=after + 1))
            after = end

    async def body(self, position: int) -> bytes:
        """Give the body at a durable position; see `Log.body`."""
        if not 1 <= position <= self.durable_position:
            raise OutOfOrder(f"nothing is durable at {position}")
        return self._bodies[position - 1]

    async def follow(self, after: int) -> AsyncIterator[list[Entry]]:
        """Give the records behind `after` as they become durable; see `Log.follow`."""
        if not self._writing:
            raise LogClosed
        while True:
            async for batch in self.read(after):
                yield batch
                after = batch[-1][0]
            if after < self.durable_position:
                continue
            if self._closed:
                return
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    async def close(self) -> None:
        """End every `follow`; what was appended is durable, held back or not."""
        if not self._closed:
            self._closed = True
            self.release()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
