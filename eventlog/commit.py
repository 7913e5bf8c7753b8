"""Group commit on the event loop's side: frame, gather, hand over, wake.

Records are framed when they are appended and gather in the open batch. At the end of the tick, or
when the writer comes back, the whole batch goes to the writer; while that syncs, the next gathers.
One batch is under way at a time: a batch number in a frame then proves that everything before it
was durable. No file is touched here.
"""

from asyncio import AbstractEventLoop, Future, TimerHandle
from binascii import hexlify
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Protocol
from zlib import crc32

from eventlog.errors import BodyRefused, LogClosed, LogFailed, OutOfOrder
from eventlog.log import BATCH_BYTES_MAX, BATCH_RECORDS_MAX, SyncMode
from eventlog.writer import Chunk, Written


class Target(Protocol):
    """Where batches go: the writer."""

    @property
    def failure(self) -> LogFailed | None:
        """The first failure, after which nothing is written."""
        ...

    def put(self, chunk: Chunk) -> None:
        """Take a chunk."""
        ...

    def stop(self) -> None:
        """Take no more."""
        ...


class _Batch:
    """Records that will be written together, and who waits for them."""

    __slots__ = (
        "first",
        "last",
        "lines",
        "number",
        "size",
        "state_after",
        "waiters",
    )

    def __init__(self, first: int, number: int, state: bytes) -> None:
        self.first = first
        self.last = first - 1
        self.number = number
        self.lines: list[bytes] = []
        self.size = 0
        self.state_after = state
        self.waiters: list[Future[None]] = []


class GroupCommit:
    """The writing side of a log, on the loop's thread."""

    def __init__(
        self,
        *,
        loop: AbstractEventLoop,
        clock: Callable[[], int],
        sync: SyncMode,
        sync_interval_ms: int,
        last: int,
        state: bytes,
        epoch: int,
        on_failure: Callable[[LogFailed], None] | None,
    ) -> None:
        self.last = self.durable_position = self.synced = last
        self.state = state
        self.failure: LogFailed | None = None
        self.closed = False
        self.ended = False
        self.pending_bytes = 0
        self._loop = loop
        self._clock = clock
        self._sync = sync
        self._sync_interval_secs = sync_interval_ms / 1000
        self._epoch = epoch
        self._on_failure = on_failure
        self._target: Target | None = None
        self._open: _Batch | None = None
        self._full: deque[_Batch] = deque()
        self._under_way: _Batch | None = None
        self._hand_over_scheduled = False
        self._sync_due = False
        self._seal_waiters: list[Future[int]] = []
        self._sealing: list[Future[int]] = []
        self._sync_timer: TimerHandle | None = None
        self._watchers: list[Future[None]] = []
        self._stopped: Future[None] = loop.create_future()

    def start(self, target: Target) -> None:
        """Give the writer that reports to `report`."""
        self._target = target

    def append(self, position: int, body: bytes) -> None:
        """Frame a record into the open batch."""
        if position != self.last + 1:
            raise OutOfOrder(f"position {position} cannot follow {self.last}")
        if b"\n" in body or b"\0" in body:
            raise BodyRefused
        batch = self._open or self._open_batch(position)
        # These five lines are next_state and record_line of eventlog.frame without their calls.
        self.state = state = sha256(b"%b%d %b" % (self.state, position, body)).digest()
        chain = hexlify(state[:16])
        rest = b"%d %d %d %b %b" % (position, batch.number, self._epoch, chain, body)
        line = b"%08x %b\n" % (crc32(rest), rest)
        batch.lines.append(line)
        batch.last = self.last = position
        batch.size += len(line)
        batch.state_after = state
        self.pending_bytes += len(line)
        if batch.size >= BATCH_BYTES_MAX or len(batch.lines) >= BATCH_RECORDS_MAX:
            self._full.append(batch)
            self._open = None

    def _open_batch(self, position: int) -> _Batch:
        target = self._target
        if self.closed or target is None:
            raise LogClosed
        if target.failure is not None:
            raise _again(target.failure)
        number = position if self._sync is SyncMode.ALWAYS else self.synced + 1
        self._open = _Batch(position, number, self.state)
        self._schedule()
        return self._open

    def _schedule(self) -> None:
        if self._under_way is None and not self._hand_over_scheduled:
            self._hand_over_scheduled = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        """Give the writer the next batch, or a sync that is due."""
        self._hand_over_scheduled = False
        if self._under_way is not None or self.failure is not None:
            return
        if self._full:
            batch = self._full.popleft()
        elif self._open is not None:
            batch, self._open = self._open, None
        elif self._sync_due or self._seal_waiters:
            batch = _Batch(self.last + 1, 0, self.state)
        else:
            return
        self._under_way = batch
        sync = self._sync is SyncMode.ALWAYS or self._sync_due
        self._sync_due = False
        # Those who ask for a seal mean what was appended before: nothing of it waits behind this.
        if not self._full and self._open is None:
            self._sealing, self._seal_waiters = self._seal_waiters, []
        assert self._target is not None
        self._target.put(
            Chunk(
                last=batch.last,
                number=batch.number,
                lines=batch.lines,
                size=batch.size,
                state_after=batch.state_after,
                sync=sync,
                seal=bool(self._sealing),
                at_us=self._clock(),
            )
        )

    def report(self, message: Written | LogFailed | None) -> None:
        """Take what the writer has to say, on the loop's thread."""
        if message is None:
            self._stopped.set_result(None)
        elif isinstance(message, LogFailed):
            self._fail(message)
        else:
            self._written(message)

    def _written(self, written: Written) -> None:
        batch, self._under_way = self._under_way, None
        assert batch is not None
        self.durable_position = batch.last
        self.synced = written.synced
        self.pending_bytes -= batch.size
        for waiter in batch.waiters:
            if not waiter.done():
                waiter.set_result(None)
        sealing, self._sealing = self._sealing, []
        for sealed in sealing:
            if not sealed.done():
                sealed.set_result(batch.last)
        # Behind the tasks just woken: what they and their peers append meanwhile joins the batch,
        # and fewer, larger syncs leave more of the machine to the requests.
        self._schedule()
        self._wake_watchers()
        if self._sync is SyncMode.INTERVAL and self.synced < self.durable_position:
            self._start_sync_timer()

    def _start_sync_timer(self) -> None:
        if self._sync_timer is None:
            self._sync_timer = self._loop.call_later(self._sync_interval_secs, self._request_sync)

    def _request_sync(self) -> None:
        self._sync_timer = None
        self._sync_due = True
        self._schedule()

    def _fail(self, failure: LogFailed) -> None:
        self.failure = failure
        for batch in self._batches():
            for waiter in batch.waiters:
                if not waiter.done():
                    waiter.set_exception(_again(failure))
        self._wake_watchers()
        for sealed in (*self._sealing, *self._seal_waiters):
            if not sealed.done():
                sealed.set_exception(_again(failure))
        if self._on_failure is not None:
            self._on_failure(failure)

    def _batches(self) -> Iterator[_Batch]:
        if self._under_way is not None:
            yield self._under_way
        yield from self._full
        if self._open is not None:
            yield self._open

    async def durable(self, position: int) -> None:
        """Wait for a position with a future of one's own."""
        if position <= self.durable_position:
            return
        if position > self.last:
            raise OutOfOrder(
                f"nothing was appended at {position}; the last position is {self.last}"
            )
        self.check()
        waiter: Future[None] = self._loop.create_future()
        batch = self._open
        if batch is None or position < batch.first:
            batch = next(batch for batch in self._batches() if position <= batch.last)
        batch.waiters.append(waiter)
        await waiter

    async def seal(self) -> int:
        """Have the segment sealed behind all that was appended; give the last position before it."""
        self.check()
        if self.closed:
            raise LogClosed
        waiter: Future[int] = self._loop.create_future()
        self._seal_waiters.append(waiter)
        self._schedule()
        return await waiter

    def check(self) -> None:
        """Raise what has ended the log, if a failure has."""
        if self.failure is not None:
            raise _again(self.failure)

    async def changed(self) -> None:
        """Wait until more is durable, or the log has failed or closed."""
        watcher: Future[None] = self._loop.create_future()
        self._watchers.append(watcher)
        await watcher

    def _wake_watchers(self) -> None:
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)

    async def close(self) -> None:
        """Write what is left, have the writer seal and stop, and end all who watch."""
        failed_before = self.failure is not None
        self.closed = True
        if self._sync_timer is not None:
            self._sync_timer.cancel()
        assert self._target is not None
        try:
            await self.durable(self.last)
        except LogFailed:
            pass
        finally:
            self._target.stop()
            await self._stopped
            self.ended = True
            self._wake_watchers()
            for sealed in (*self._sealing, *self._seal_waiters):
                if not sealed.done():
                    sealed.set_exception(LogClosed())
        if not failed_before:
            self.check()


def _again(failure: LogFailed) -> LogFailed:
    """Give each who is told a failure an exception of their own."""
    copy = LogFailed(failure.errno, failure.segment)
    copy.__cause__ = failure.__cause__
    return copy
