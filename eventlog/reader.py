"""`Reader`: the log for tools. Synchronous, without a lock, and it never creates or touches a file.

It may run beside a live server. An unfinished last write is where reading stops for now; anything
else that is not as it was written is `LogDamaged`. Who asks for records that have expired is told so
(`LogExpired`), also by the default of 0: from the first that is there is ``after=reader.first - 1``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from eventlog.content import Content
from eventlog.directory import (
    Home,
    Identity,
    SegmentInfo,
    bases,
    read_identity,
    read_mark,
    read_start,
    state_between,
    survey,
)
from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogDamaged, LogError
from eventlog.frame import parse_record
from eventlog.glimpse import glimpse
from eventlog.log import Entry
from eventlog.usage import Usage, usage
from eventlog.walker import Walker


class Line(Struct, frozen=True):
    """A verified record with its frame and its place."""

    position: int
    batch: int
    epoch: int
    chain: str
    body: bytes
    segment: Path
    offset: int


class Reader:
    """A log, to be read."""

    def __init__(self, data_dir: Path, disk: Disk | None = None) -> None:
        self._disk = disk or OsDisk()
        self._home = Home(data_dir)
        self.identity = _identity(self._disk, self._home)

    @property
    def data_dir(self) -> Path:
        """Where the log is."""
        return self._home.directory

    def segments(self) -> list[SegmentInfo]:
        """Describe the segments, which must follow one another."""
        return survey(self._disk, self._home, self.identity.cluster)

    @property
    def first(self) -> int:
        """The first position that is there, or will be: 1 unless older records have expired."""
        start = read_start(self._disk, self._home)
        return 1 if start is None else start.first

    def state_after(self, position: int) -> str | None:
        """Give the hash chain's state between two segments, hex; None anywhere else."""
        return state_between(self.segments(), position)

    def mark(self) -> int:
        """Give the last position that is known to have been synced; 0 when unknown."""
        return read_mark(self._disk, self._home)[0].position

    def usage(self) -> Usage:
        """Measure what all of it takes on disk."""
        return usage(self._disk, self._home)

    def glimpse(self, segment: SegmentInfo, offset: int = 0) -> Entry | None:
        """Give the first record at or behind an offset of a segment; only its checksum is compared."""
        return glimpse(Content(self._disk, self._home, segment.base), segment, offset)

    def walk(self, after: int = 0, *, hashed: bool = False) -> Walker:
        """Give a place behind `after`, to go on from as the log grows."""
        return Walker(self._disk, self._home, self.identity.cluster, after, hashed=hashed)

    def entries(self, after: int = 0) -> Iterator[list[Entry]]:
        """Give the records behind `after`, in verified batches. The fast way."""
        walker = self.walk(after)
        while batch := walker.next():
            yield batch

    def lines(self, after: int = 0) -> Iterator[Line]:
        """Give the records behind `after` one by one, with frame and place."""
        walker = self.walk(after)
        while walker.next():
            yield from _lines(walker)

    def follow(self, after: int, wait: Callable[[], bool]) -> Iterator[Line]:
        """Give records as they are written, which may be before they are durable.

        `wait` is called when there is nothing new; it waits as long as it likes and says whether to
        go on.
        """
        walker = self.walk(after)
        while True:
            while walker.next():
                yield from _lines(walker)
            if not wait():
                return


def _lines(walker: Walker) -> Iterator[Line]:
    path, offset = walker.path, walker.raw_offset
    for raw in walker.raw:
        record = parse_record(raw)
        assert record is not None  # it has been verified
        yield Line(
            position=record.position,
            batch=record.batch,
            epoch=record.epoch,
            chain=record.chain.decode(),
            body=record.body,
            segment=path,
            offset=offset,
        )
        offset += len(raw) + 1


def _identity(disk: Disk, home: Home) -> Identity:
    identity = read_identity(disk, home)
    if identity is not None:
        return identity
    if bases(disk, home):
        raise LogDamaged(home.meta, 0, 1, 0, "it is missing, though there are segments")
    raise LogError(f"{home.directory} holds no log")
