"""What a log promises to the engine. Read this to write a backend; nothing here knows of files.

A log is a sequence of opaque bodies at positions 1, 2, 3, …. It has one writer, whose records
become durable in order, many at a time. `tests/eventlog/conformance.py` holds every backend to it.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

Entry = tuple[int, bytes]
"""A position and the body that stands there."""

BATCH_RECORDS_MAX = 4096
BATCH_BYTES_MAX = 4 * 1024 * 1024


class SyncMode(StrEnum):
    """What a record must have reached before it is called durable."""

    ALWAYS = "always"
    """the disk: survives a power loss"""
    INTERVAL = "interval"
    """the operating system: survives a crash of the process; synced every few milliseconds"""
    NONE = "none"
    """the operating system; synced when a segment is sealed"""


class LogStat(Struct, frozen=True):
    """Where a log stands."""

    cluster: str
    epoch: int
    sync: SyncMode
    segments: int
    """found at the start and begun since, whatever has become of them"""
    bytes: int
    """of text in them"""
    last: int
    durable: int
    synced: int
    pending_bytes: int
    """appended and not yet durable"""
    chain: str
    """the hash chain's head as it stands in the last record, hex"""
    failed: bool = False


class Log(Protocol):
    """An append-only sequence of records with one writer."""

    @property
    def first(self) -> int:
        """The first position that is there, or will be: more than 1 when older ones have expired."""
        ...

    @property
    def last(self) -> int:
        """The last position appended, or found when the log was opened; 0 when empty."""
        ...

    @property
    def durable_position(self) -> int:
        """The last position that is durable in the sense of the log's `SyncMode`."""
        ...

    @property
    def pending_bytes(self) -> int:
        """How much was appended and is not durable yet; cheap enough to ask before each record."""
        ...

    def read(self, after: int = 0) -> AsyncIterator[list[Entry]]:
        """Give the records behind `after`, in batches, up to the last that is durable now.

        Raises:
            LogExpired: some of them were removed on demand.
            LogDamaged: a record is not what was written.

        """
        ...

    async def body(self, position: int) -> bytes:
        """Give the body at a durable position.

        Raises:
            OutOfOrder: nothing is durable there.
            LogExpired: it was removed on demand.
            LogDamaged: it is not what was written.

        """
        ...

    async def begin(self) -> int:
        """Become the writer and give the new epoch. Nothing stored changes before this.

        Raises:
            LogClosed: it has begun already, or is closed.
            LogFailed: the log could not be made ready.

        """
        ...

    def append(self, position: int, body: bytes) -> None:
        """Take a record; it becomes durable on its own, in order.

        Raises:
            OutOfOrder: `position` is not `last + 1`.
            BodyRefused: the body holds a NUL or a newline.
            LogClosed: before `begin` or after `close`.
            LogFailed: an earlier record could not be made durable.

        """
        ...

    async def durable(self, position: int) -> None:
        """Wait until `position` is durable. Giving up one wait disturbs no other.

        Raises:
            OutOfOrder: nothing was appended at `position`.
            LogFailed: it may never become durable.

        """
        ...

    async def seal(self) -> int:
        """End the unit that is being written behind all that was appended, and give its last position.

        What stands up to there is durable and will never be written to again.

        Raises:
            LogClosed, LogFailed: as `append`.

        """
        ...

    def follow(self, after: int) -> AsyncIterator[list[Entry]]:
        """Give the records behind `after` as they become durable, until the log is closed.

        Raises:
            LogExpired: some of them were removed on demand.
            LogDamaged: a record is not what was written.
            LogFailed: no further record will become durable.

        """
        ...

    def stat(self) -> LogStat:
        """Give what the log holds and how far it is durable."""
        ...

    async def close(self) -> None:
        """Make durable what was appended, end every `follow`, and let go of the log.

        Raises:
            LogFailed: what was appended could not be made durable.

        """
        ...
