"""`Reader`: the log for tools. Synchronous, without a lock, and it never creates or touches a file.

It may run beside a live server. An unfinished last write is where reading stops for now; anything
else that is not as it was written is `LogDamaged`. Who asks for records that have expired is told so
(`LogExpired`), also by the default of 0: from the first that is there is ``after=reader.first - 1``.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from eventlog import seek
from eventlog.content import Content
from eventlog.cursor import Cursor
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
from eventlog.frame import RecordFields
from eventlog.glimpse import glimpse
from eventlog.log import Entry
from eventlog.skim import Sieve, Skimmer
from eventlog.usage import Usage, usage
from eventlog.walker import Walker

_FIELD_SPACES: Final = 5
"""of a line; the body behind them may hold more"""


class Line(Struct, frozen=True, gc=False):
    """A checked record with its frame and its place."""

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

    def lines(
        self,
        after: int = 0,
        *,
        until: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Line]:
        """Give the records behind `after` and up to `until` one by one, with frame and place.

        `progress` hears the position that was reached.
        """
        walker = Walker(self._disk, self._home, self.identity.cluster, after, until=until)
        while batch := walker.next():
            yield from _lines(walker)
            if progress is not None:
                progress(batch[-1][0])

    def skim(
        self,
        after: int,
        sieve: Sieve,
        *,
        until: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Line]:
        """Give the records behind `after` and up to `until` that pass a sieve.

        Checksums and positions are checked on the way, the hash chain is not: see ``eventlog.skim``.
        `progress` hears the position that was reached.
        """
        disk, home, cluster = self._disk, self._home, self.identity.cluster
        skimmer = Skimmer(disk, home, cluster, after, sieve, until=until, progress=progress)
        while skimmer.next():
            yield from _placed(skimmer.path, zip(skimmer.offsets, skimmer.raw, strict=True))

    def first_where(self, behind: Callable[[int, bytes], bool]) -> int:
        """Give the position of the first record that is `behind` something; else the next position.

        Asked of a position and the body there, `behind` must be no up to some record and yes from it
        on. Found without reading the log through, and checked like what `skim` gives.
        """

        def asked(record: RecordFields) -> bool:
            return behind(record.position, record.body)

        segments = self.segments()
        index = bisect_left(segments, True, key=lambda segment: self._begins(segment, asked))
        if not index:
            return self.first
        segment = segments[index - 1]
        content = Content(self._disk, self._home, segment.base)
        begin = Cursor(segment.header, segment.header_bytes).place()
        end = content.size() if segment.footer is None else segment.footer.bytes
        position = seek.before(content, begin, end, asked).position
        for line in self.skim(position, Sieve()):
            if behind(line.position, line.body):
                return line.position
            position = line.position
        return position + 1

    def _begins(self, segment: SegmentInfo, asked: seek.Behind) -> bool:
        """Ask of the first record of a segment; one without records lies behind everything."""
        content = Content(self._disk, self._home, segment.base)
        found = seek.line_at(content, segment.header_bytes - 1, content.size())
        return found is None or asked(found[1])

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
    return _placed(walker.path, _with_offsets(walker.raw_offset, walker.raw))


def _with_offsets(offset: int, lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    for line in lines:
        yield offset, line
        offset += len(line) + 1


def _placed(path: Path, lines: Iterable[tuple[int, bytes]]) -> Iterator[Line]:
    """Take lines apart whose checksums were found right."""
    for offset, raw in lines:
        fields = raw.split(b" ", _FIELD_SPACES)
        if len(fields) <= _FIELD_SPACES:
            reason = "the line has the form of no record"
            raise LogDamaged(path, offset, 0, int(fields[1]), reason)
        _, position, batch, epoch, chain, body = fields
        yield Line(int(position), int(batch), int(epoch), chain.decode(), body, path, offset)


def _identity(disk: Disk, home: Home) -> Identity:
    identity = read_identity(disk, home)
    if identity is not None:
        return identity
    if bases(disk, home):
        raise LogDamaged(home.meta, 0, 1, 0, "it is missing, though there are segments")
    raise LogError(f"{home.directory} holds no log")
