"""The one thread that writes: a batch in, one write, one sync, one message back.

It takes whole batches by a queue and shares nothing else with the event loop, so that it could be
a process. The first error is final: a failed write or sync may have dropped what the kernel held,
and a second one would succeed without it. Framing and waiting are done on the loop's side.

`Writing` is what is done with a batch, on whatever thread; `Writer` is the thread around it.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from errno import EIO
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from msgspec import Struct, structs

from eventlog.directory import Home
from eventlog.disk import Disk
from eventlog.errors import LogFailed
from eventlog.frame import chain_hex
from eventlog.mark import Mark, MarkFile
from eventlog.places import Place, Places
from eventlog.segment import ActiveSegment


class Chunk(Struct, frozen=True):
    """A batch of framed records for the writer; without records, only a sync."""

    last: int
    number: int
    """of the batch, as it stands in each record"""
    lines: list[bytes]
    size: int
    state_after: bytes
    sync: bool
    seal: bool
    """whether the segment ends behind it"""
    at_us: int
    """when it was handed over: the time of a segment that begins with it"""


class Written(Struct, frozen=True):
    """What the writer has done."""

    last: int
    synced: int


Report = Callable[[Written | LogFailed | None], None]
"""is called on the loop's thread: for each chunk, for the first failure, and None at the end"""


class Meter(Protocol):
    """Hears of every batch, on the writer's thread, which waits for it: it must be quick."""

    def now_ns(self) -> int:
        """Give nanoseconds from an arbitrary start."""
        ...

    def wrote(self, records: int, size: int) -> None:
        """Hear that a batch was written."""
        ...

    def synced(self, took_ns: int) -> None:
        """Hear that a sync took so long."""
        ...


class Writing:
    """Writes one chunk after the other and reports each; who calls it sees to when and where."""

    def __init__(
        self,
        *,
        disk: Disk,
        home: Home,
        segment: ActiveSegment,
        mark: MarkFile,
        segment_bytes_max: int,
        places: Places,
        loop: AbstractEventLoop,
        report: Report,
        meter: Meter | None,
    ) -> None:
        self._places = places
        self._disk = disk
        self._home = home
        self._segment = segment
        self._mark = mark
        self._segment_bytes_max = segment_bytes_max
        self._loop = loop
        self._report = report
        self._meter = meter
        self._last = self._synced = segment.header.base - 1
        self._state = bytes.fromhex(segment.header.state)
        self.failure: LogFailed | None = None
        self.sealed_segments = 0
        self.sealed_bytes = 0

    @property
    def path(self) -> Path:
        """The segment that is being written."""
        return self._segment.path

    @property
    def offset(self) -> int:
        """How long it is."""
        return self._segment.offset

    def take(self, chunk: Chunk) -> None:
        """Write a chunk, unless an earlier one failed."""
        if self.failure is None and self._guarded(partial(self._commit, chunk)):
            self._tell(Written(self._last, self._synced))

    def end(self) -> None:
        """Seal the segment, unless writing failed, and close the files."""
        if self.failure is None:
            self._guarded(self._finish)
        self._segment.close()
        self._mark.close()
        self._tell(None)

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever it was, nothing more is durable
            number = (error.errno if isinstance(error, OSError) else None) or EIO
            failure = LogFailed(number, self._segment.path)
            failure.__cause__ = error
            self.failure = failure  # the flag first: from here on no append is taken
            self._tell(failure)
            return False
        return True

    def _commit(self, chunk: Chunk) -> None:
        if chunk.lines:
            self._rotate_for(chunk)
            self._segment.write(b"".join(chunk.lines))
            self._last, self._state = chunk.last, chunk.state_after
            place = Place(self._last, self._segment.offset, self._state, chunk.number)
            self._places.note(self._segment.header.base, place)
            if self._meter is not None:
                self._meter.wrote(len(chunk.lines), chunk.size)
        if chunk.seal and self._last >= self._segment.header.base:
            self._rotate(chunk.at_us)
        elif chunk.sync:
            self._sync()
            self._note_synced()

    def _sync(self) -> None:
        if self._meter is None:
            self._segment.sync()
            return
        began_ns = self._meter.now_ns()
        self._segment.sync()
        self._meter.synced(self._meter.now_ns() - began_ns)

    def _note_synced(self) -> None:
        if self._synced < self._last:
            self._synced = self._last
            self._mark.advance(Mark(self._synced, chain_hex(self._state)))

    def _rotate_for(self, chunk: Chunk) -> None:
        if self._last < self._segment.header.base:
            return
        if self._segment.offset + chunk.size > self._segment_bytes_max:
            self._rotate(chunk.at_us)

    def _rotate(self, at_us: int) -> None:
        """Seal the segment and begin the next."""
        sha256_hex = self._seal()
        self.sealed_segments += 1
        self.sealed_bytes += self._segment.offset
        header = structs.replace(
            self._segment.header,
            base=self._last + 1,
            state=self._state.hex(),
            prev_sha256=sha256_hex,
            created_at_us=at_us,
        )
        self._segment = ActiveSegment.create(self._disk, self._home, header)

    def _finish(self) -> None:
        """Seal on a clean end, unless there is nothing to seal."""
        if self._last >= self._segment.header.base:
            self._seal()

    def _seal(self) -> str:
        if self._synced < self._last:
            # A footer proves that all before it was synced. Without this it could reach the disk
            # before a record, and a power loss between the two would read as damage.
            self._sync()
            self._note_synced()
        return self._segment.seal(self._last, self._state)

    def _tell(self, message: Written | LogFailed | None) -> None:
        self._loop.call_soon_threadsafe(self._report, message)


class Writer:
    """The thread that has the chunks written, in order."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._queue: SimpleQueue[Chunk | None] = SimpleQueue()
        Thread(target=self._run, name="eventlog-writer", daemon=True).start()

    @property
    def failure(self) -> LogFailed | None:
        """The first failure; from then on nothing is written."""
        return self._writing.failure

    def put(self, chunk: Chunk) -> None:
        """Hand over a chunk. There is never more than one under way."""
        self._queue.put(chunk)

    def stop(self) -> None:
        """Seal the segment and end the thread."""
        self._queue.put(None)

    def _run(self) -> None:
        while (chunk := self._queue.get()) is not None:
            self._writing.take(chunk)
        self._writing.end()
