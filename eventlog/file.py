"""`FileLog`: directory, recovery, group commit and walker behind the `Log` protocol.

`open` takes the lock and looks, `begin` makes this process the writer; between the two the log can
be read, and nothing on disk changes. A clean close seals the last segment.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from eventlog.commit import GroupCommit, Target
from eventlog.directory import (
    Home,
    Identity,
    bases,
    initialise,
    read_identity,
    read_start,
    state_between,
    survey_around,
    write_identity,
)
from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogClosed, LogDamaged, LogFailed, OutOfOrder
from eventlog.frame import FORMAT, chain_hex
from eventlog.lock import lock
from eventlog.log import Entry, LogStat, SyncMode
from eventlog.places import EVERY_RECORDS, Places
from eventlog.recovery import Found, Recovery, TakenOver, inspect, take_over
from eventlog.walker import Walker
from eventlog.writer import Meter, Writer, Writing

SEGMENT_BYTES_MAX = 64 * 1024 * 1024
_READ_INLINE_RECORDS_MAX = 256
"""read on the loop; more is read on another thread, not to hold up the loop"""


class FileLog:
    """A log in a directory of this machine."""

    def __init__(
        self,
        *,
        disk: Disk,
        home: Home,
        lock: int,
        cluster: str,
        found: Found,
        clock: Callable[[], int],
        sync: SyncMode,
        sync_interval_ms: int,
        segment_bytes_max: int,
        writer: str,
        on_failure: Callable[[LogFailed], None] | None,
        meter: Meter | None,
        start_writer: Callable[[Writing], Target],
    ) -> None:
        self.cluster = cluster
        self.epoch = found.epoch
        """of the last writer; after `begin`, of this one"""
        self.recovery: Recovery | None = found.recovery
        self._disk = disk
        self._home = home
        self._lock: int | None = lock
        self._found = found
        self._clock = clock
        self._sync = sync
        self._sync_interval_ms = sync_interval_ms
        self._segment_bytes_max = segment_bytes_max
        self._writer_name = writer
        self._on_failure = on_failure
        self._meter = meter
        self._start_writer = start_writer
        self._commit: GroupCommit | None = None
        self._writing: Writing | None = None
        self._taken_over: TakenOver | None = None
        self._places = Places()
        self._begun = False
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        clock: Callable[[], int],
        new_cluster_id: Callable[[], str],
        sync: SyncMode = SyncMode.ALWAYS,
        sync_interval_ms: int = 50,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        writer: str = "spoolog",
        on_failure: Callable[[LogFailed], None] | None = None,
        disk: Disk | None = None,
        meter: Meter | None = None,
        start_writer: Callable[[Writing], Target] = Writer,
    ) -> "FileLog":
        """Lock a data directory, making it if it is new, and look at the end of its log.

        `clock` gives microseconds since the Unix epoch. `on_failure` is called once, on the loop's
        thread, when the log has failed. `meter` is told of every batch. `start_writer` says on what
        thread the writing is done.

        Raises:
            Locked: another process is its writer.
            LogDamaged: there is more wrong than an unfinished last write; nothing was changed.

        """
        disk = disk or OsDisk()
        home = Home(data_dir)
        initialise(disk, home)
        held = lock(disk, home, clock())
        try:
            cluster = _identity(disk, home, clock, new_cluster_id).cluster
            found = inspect(disk, home, cluster)
        except BaseException:
            disk.close(held)
            raise
        return cls(
            disk=disk,
            home=home,
            lock=held,
            cluster=cluster,
            found=found,
            clock=clock,
            sync=SyncMode(sync),  # also when it came in as its plain text
            sync_interval_ms=sync_interval_ms,
            segment_bytes_max=segment_bytes_max,
            writer=writer,
            on_failure=on_failure,
            meter=meter,
            start_writer=start_writer,
        )

    @property
    def first(self) -> int:
        """The first position that is there, as the disk says: another process lets records expire."""
        start = read_start(self._disk, self._home)
        return 1 if start is None else start.first

    @property
    def last(self) -> int:
        """The last position appended; before `begin`, found."""
        return self._commit.last if self._commit is not None else self._found.last

    @property
    def durable_position(self) -> int:
        """The last durable position; before `begin`, the last found, which `begin` syncs."""
        return self._commit.durable_position if self._commit is not None else self._found.last

    @property
    def pending_bytes(self) -> int:
        """Bytes appended and not durable yet; see `Log.pending_bytes`."""
        return 0 if self._commit is None else self._commit.pending_bytes

    def stat(self) -> LogStat:
        """Say where the log stands."""
        commit, writing, taken = self._commit, self._writing, self._taken_over
        found = self._found
        segments = found.walker.segments
        count, size = len(segments), sum(segment.bytes for segment in segments)
        if writing is not None and taken is not None:
            count = taken.segments_sealed + writing.sealed_segments + 1
            size = taken.bytes_sealed + writing.sealed_bytes + writing.offset
        return LogStat(
            cluster=self.cluster,
            epoch=self.epoch,
            sync=self._sync,
            segments=count,
            bytes=size,
            last=self.last,
            durable=self.durable_position,
            synced=found.last if commit is None else commit.synced,
            pending_bytes=self.pending_bytes,
            chain=chain_hex(found.state if commit is None else commit.state).decode(),
            failed=commit is not None and commit.failure is not None,
        )

    async def begin(self) -> int:
        """Become the writer: set a torn tail aside, seal the last segment, open the next."""
        if self._lock is None or self._begun:
            raise LogClosed
        self._begun = True  # also when it fails: a second sync could succeed without the data
        found = self._found
        try:
            taken = take_over(
                self._disk,
                self._home,
                found,
                cluster=self.cluster,
                created_at_us=self._clock(),
                writer=self._writer_name,
            )
        except OSError as error:
            raise LogFailed(error.errno or 0, self._home.segment(found.last + 1)) from error
        loop = asyncio.get_running_loop()
        self.epoch = found.epoch + 1
        commit = GroupCommit(
            loop=loop,
            clock=self._clock,
            sync=self._sync,
            sync_interval_ms=self._sync_interval_ms,
            last=found.last,
            state=found.state,
            epoch=self.epoch,
            on_failure=self._on_failure,
        )
        self._writing = Writing(
            disk=self._disk,
            home=self._home,
            segment=taken.segment,
            mark=taken.mark,
            segment_bytes_max=self._segment_bytes_max,
            places=self._places,
            loop=loop,
            report=commit.report,
            meter=self._meter,
        )
        commit.start(self._start_writer(self._writing))
        self._taken_over = taken
        self._commit = commit
        return self.epoch

    def append(self, position: int, body: bytes) -> None:
        """Take a record; see `Log.append`."""
        if self._commit is None:
            raise LogClosed
        self._commit.append(position, body)

    def durable(self, position: int) -> Coroutine[Any, Any, None]:
        """Wait until `position` is durable; see `Log.durable`."""
        if self._commit is not None:
            return self._commit.durable(position)
        return self._found_durable(position)

    async def _found_durable(self, position: int) -> None:
        if position > self.last:
            raise LogClosed

    async def seal(self) -> int:
        """Seal the segment that is being written, if it holds anything; see `Log.seal`."""
        if self._commit is None:
            raise LogClosed
        return await self._commit.seal()

    def state_after(self, position: int) -> str | None:
        """Give the hash chain's state between two segments as it was found; None elsewhere."""
        return state_between(self._found.walker.segments, position)

    async def read(self, after: int = 0) -> AsyncIterator[list[Entry]]:
        """Give the records behind `after` that are durable now; see `Log.read`."""
        upto = self.durable_position
        if after >= upto:
            return
        walker = await self._walk(after)
        while entries := await self._next(walker, upto):
            yield entries

    async def body(self, position: int) -> bytes:
        """Give the body at a durable position; see `Log.body`."""
        if not 1 <= position <= self.durable_position:
            raise OutOfOrder(f"nothing is durable at {position}")
        return await asyncio.to_thread(self._body, position)

    def _body(self, position: int) -> bytes:
        walker = Walker(
            self._disk,
            self._home,
            self.cluster,
            position - 1,
            places=self._places,
            records_max=EVERY_RECORDS,
            segments=survey_around(self._disk, self._home, self.cluster, position),
        )
        # Not durable without being readable: the walker raises when it is not there.
        ((found, body),) = walker.next(position)
        assert found == position
        return body

    async def follow(self, after: int) -> AsyncIterator[list[Entry]]:
        """Give the records behind `after` as they become durable; see `Log.follow`."""
        commit = self._commit
        if commit is None:
            raise LogClosed
        walker: Walker | None = None
        while True:
            upto = commit.durable_position
            if after < upto:
                walker = walker or await self._walk(after)
                while entries := await self._next(walker, upto):
                    yield entries
                after = upto
            else:
                commit.check()
                if commit.ended:
                    return
                await commit.changed()

    async def _walk(self, after: int) -> Walker:
        start = partial(Walker, places=self._places)
        return await asyncio.to_thread(start, self._disk, self._home, self.cluster, after)

    async def _next(self, walker: Walker, upto: int) -> list[Entry]:
        position = 0 if walker.cursor is None else walker.cursor.position
        if upto - position <= _READ_INLINE_RECORDS_MAX:
            return walker.next(upto)
        return await asyncio.to_thread(walker.next, upto)

    async def close(self) -> None:
        """Make everything durable, seal the segment and release the lock; see `Log.close`."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._shut())
        await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        try:
            if self._commit is not None:
                await self._commit.close()
        finally:
            if self._lock is not None:
                self._disk.close(self._lock)
                self._lock = None


def _identity(
    disk: Disk, home: Home, clock: Callable[[], int], new_cluster_id: Callable[[], str]
) -> Identity:
    identity = read_identity(disk, home)
    if identity is None:
        if bases(disk, home):
            raise LogDamaged(home.meta, 0, 1, 0, "it is missing, though there are segments")
        identity = Identity(FORMAT, new_cluster_id(), clock())
        write_identity(disk, home, identity)
    return identity
