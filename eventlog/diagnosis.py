"""What is wrong with a log, where exactly, and what a cut there would take. Changes nothing.

Unlike every other reader it goes through the segments in order and looks at each only when it comes
to it, so that it finds the first damage there is.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from eventlog.directory import UPGRADE, Home, bases, load_segment, read_mark
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.frame import chain_hex, first_state, parse_footer, parse_record
from eventlog.mark import NO_MARK, Mark
from eventlog.reader import Reader
from eventlog.recovery import Recovery
from eventlog.walker import Walker

_SNAPSHOT_SUFFIX: Final = ".snap"

Progress = Callable[[int], None]


class Cut(Struct, frozen=True):
    """Bytes that a cut would take: a file from an offset to its end."""

    path: Path
    offset: int
    bytes: int
    sha256: str


class Damage(Struct, frozen=True):
    """The first thing that is wrong with a log."""

    error: LogDamaged
    position: int
    """of the first record that is not there as it was written; 0 when no cut would help"""
    chain: bytes = b""
    """of the record before it"""
    mark: Mark = NO_MARK
    cuts: list[Cut] = []
    """what would have to leave, the part of a segment first, snapshots, then whole segments"""
    last: int = 0
    """the last record that is known to have been"""
    missing: Path | None = None
    """the segment that is not there, if that is the damage"""

    @property
    def records(self) -> int:
        """How many records a cut would give up."""
        return max(0, self.last - self.position + 1)

    @property
    def restorable(self) -> Path:
        """Give the file that a backup should hold whole: the damaged or the missing one."""
        return self.missing or self.error.file

    @property
    def bytes(self) -> int:
        """How many bytes a cut would move out of the log."""
        return sum(cut.bytes for cut in self.cuts)


class Sound(Struct, frozen=True):
    """A log that needs no repair."""

    last: int
    torn: Recovery | None


def diagnose(disk: Disk, home: Home, progress: Progress | None = None) -> Damage | Sound:
    """Find the first damage, and what a cut there would take."""
    walker: Walker | None = None
    try:
        cluster = Reader(home.directory, disk).identity.cluster
    except LogDamaged as error:
        return Damage(error, 0)
    try:
        walker = _from_the_first(disk, home, cluster)
        while batch := walker.next():
            if progress is not None:
                progress(batch[-1][0])
    except LogDamaged as error:
        if error.hint == UPGRADE:
            return Damage(error, 0)
        return _damage(disk, home, cluster, error, walker)
    cursor, segment = walker.cursor, walker.segment
    if cursor is None or segment is None:
        return Sound(0, None)
    return Sound(cursor.position, Recovery.of(segment.path, walker.torn))


def _from_the_first(disk: Disk, home: Home, cluster: str) -> Walker:
    first = [load_segment(disk, home, base, cluster, None) for base in bases(disk, home)[:1]]
    return Walker(disk, home, cluster, 0, hashed=True, segments=first)


def _damage(
    disk: Disk, home: Home, cluster: str, error: LogDamaged, walker: Walker | None
) -> Damage:
    position = 1 if walker is None else error.position
    mark = read_mark(disk, home)[0]
    cuts = list(_cuts(disk, home, position, error))
    return Damage(
        error=error,
        position=position,
        missing=_missing(disk, home, position, walker),
        chain=_chain_before(disk, home, cluster, position, walker),
        mark=mark,
        cuts=cuts,
        last=max([mark.position, position - 1, *(_last_in(disk, cut) for cut in cuts)]),
    )


def _missing(disk: Disk, home: Home, position: int, walker: Walker | None) -> Path | None:
    """Give the segment that should begin at `position`, when that is what is not there."""
    if walker is not None:
        segment, cursor = walker.segment, walker.cursor
        if segment is None or cursor is None or cursor.footer is None:
            return None
        if cursor.position != position - 1 or cursor.offset < disk.size(segment.path):
            return None
    path = home.segment(position)
    return None if path.name in disk.names(home.log) else path


def _chain_before(
    disk: Disk, home: Home, cluster: str, position: int, walker: Walker | None
) -> bytes:
    if walker is None:
        return chain_hex(first_state(cluster))
    if walker.cursor is None or walker.cursor.position >= position:
        walker = _from_the_first(disk, home, cluster)  # it went on before it saw the damage
    while walker.cursor is not None and walker.cursor.position < position - 1:
        walker.next(position - 1)
    assert walker.cursor is not None
    return chain_hex(walker.cursor.state)


def _cuts(disk: Disk, home: Home, position: int, error: LogDamaged) -> Iterator[Cut]:
    later = [base for base in bases(disk, home) if base >= position]
    if error.file.parent == home.log and error.file.name in disk.names(home.log):
        whole = error.file in [home.segment(base) for base in later]
        if not whole and error.offset < disk.size(error.file):
            yield _cut(disk, error.file, error.offset)
    for name in sorted(disk.names(home.snapshots)):
        stem = name.removesuffix(_SNAPSHOT_SUFFIX)
        if stem != name and stem.isascii() and stem.isdigit() and int(stem) >= position:
            yield _cut(disk, home.snapshots / name)
    for base in later:
        yield _cut(disk, home.segment(base))


def _cut(disk: Disk, path: Path, offset: int = 0) -> Cut:
    data = disk.read(path, offset, disk.size(path))
    return Cut(path, offset, len(data), sha256(data).hexdigest())


def _last_in(disk: Disk, cut: Cut) -> int:
    """Give the last position that can be read in what would be cut."""
    if cut.path.suffix == _SNAPSHOT_SUFFIX:
        return int(cut.path.stem)
    for line in reversed(disk.read(cut.path, cut.offset, cut.bytes).split(b"\n")):
        record, footer = parse_record(line), parse_footer(line)
        if record is not None:
            return record.position
        if footer is not None:
            return footer.last
    return 0
