"""What is wrong with a log, where exactly, and what a cut there would take. Changes nothing.

Unlike every other reader it goes through the segments in order and looks at each only when it comes
to it, so that it finds the first damage there is.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from eventlog.content import Archive
from eventlog.directory import SegmentInfo, load_segment
from eventlog.disk import Disk
from eventlog.errors import LogDamaged, SnapshotDamaged
from eventlog.frame import Start, chain_hex, first_state, parse_footer, parse_header, parse_record
from eventlog.home import (
    UPGRADE,
    Home,
    base_of,
    bases,
    read_mark,
    read_start,
    snapshot_positions,
)
from eventlog.mark import NO_MARK, Mark
from eventlog.reader import Reader
from eventlog.recovery import Recovery
from eventlog.snapshots import SnapshotStore, newest_sound
from eventlog.walker import Walker

_SNAPSHOT_SUFFIX: Final = ".snap"

Progress = Callable[[int], None]


class Cut(Struct, frozen=True):
    """Bytes that a cut would take: a file from an offset to its end."""

    path: Path
    offset: int
    bytes: int
    sha256: str
    kept: int = 0
    """how much of the text in a compressed segment, which leaves as a whole, stays as plain text"""


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
    served: bool = True
    """whether what a cut leaves could be served: what has expired must be held by a snapshot"""
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
        start = read_start(disk, home)
    except LogDamaged as error:
        return Damage(error, 0)
    try:
        walker = _from_the_first(disk, home, cluster, start)
        while batch := walker.next():
            if progress is not None:
                progress(batch[-1][0])
    except LogDamaged as error:
        if error.hint == UPGRADE:
            return Damage(error, 0)
        closer = _closer(disk, home, cluster, start, error, walker)
        return _damage(disk, home, cluster, start, *(closer or (error, walker)))
    cursor, segment = walker.cursor, walker.segment
    if cursor is None or segment is None:
        return Sound(0, None)
    return Sound(cursor.position, Recovery.of(segment.path, walker.torn))


def _from_the_first(disk: Disk, home: Home, cluster: str, start: Start | None) -> Walker:
    first = [load_segment(disk, home, base, cluster, None) for base in bases(disk, home)[:1]]
    if start is not None and not first:
        raise LogDamaged(home.segment(start.first), 0, 1, start.first, "its segment is missing")
    after = 0 if start is None else start.first - 1
    return Walker(disk, home, cluster, after, hashed=True, segments=first)


def _damage(  # noqa: PLR0917 - one step of `diagnose`
    disk: Disk,
    home: Home,
    cluster: str,
    start: Start | None,
    error: LogDamaged,
    walker: Walker | None,
) -> Damage:
    first = 1 if start is None else start.first
    position = first if walker is None else error.position
    mark = read_mark(disk, home)[0]
    cuts = list(_cuts(disk, home, start, position, error))
    return Damage(
        error=error,
        position=position,
        missing=_missing(disk, home, position, walker),
        chain=_chain_before(disk, home, cluster, start, position, walker),
        mark=mark,
        served=start is None or _is_held(disk, home, cluster, start, position),
        cuts=cuts,
        last=max([mark.position, position - 1, *(_last_in(disk, cut) for cut in cuts)]),
    )


def _is_held(disk: Disk, home: Home, cluster: str, start: Start, position: int) -> bool:
    passed_over: list[SnapshotDamaged] = []
    sound = newest_sound(SnapshotStore(home.directory, cluster, disk), passed_over.append)
    return any(start.first - 1 <= snapshot.position < position for snapshot in sound)


def _closer(  # noqa: PLR0917 - one step of `diagnose`
    disk: Disk,
    home: Home,
    cluster: str,
    start: Start | None,
    error: LogDamaged,
    walker: Walker | None,
) -> tuple[LogDamaged, Walker] | None:
    """Find the first damaged record of a compressed segment whose end cannot be read."""
    base = base_of(error.file.name)
    if base is None or error.file != home.archive(base) or not error.offset:
        return None
    if walker is None or walker.cursor is None:
        state = first_state(cluster).hex() if start is None else start.state
    else:
        state = walker.cursor.state.hex()
    segment = _without_end(disk, error.file, base)
    if segment is None or segment.header.state != state:
        return None
    closer = Walker(disk, home, cluster, base - 1, hashed=True, segments=[segment])
    try:
        while closer.next():
            pass
    except LogDamaged as found:
        return found, closer
    return None


def _without_end(disk: Disk, path: Path, base: int) -> SegmentInfo | None:
    """Describe a compressed segment by its header alone."""
    try:
        archive = Archive(disk, path, base)
        line = archive.head()
    except LogDamaged:
        return None
    header = parse_header(line[:-1])
    if header is None or header.base != base:
        return None
    return SegmentInfo(
        path=path,
        header=header,
        header_bytes=len(line),
        footer=None,
        bytes=archive.size(),
        file_bytes=archive.file_bytes(),
        compressed=True,
    )


def _missing(disk: Disk, home: Home, position: int, walker: Walker | None) -> Path | None:
    """Give the segment that should begin at `position`, when that is what is not there."""
    if walker is not None:
        segment, cursor = walker.segment, walker.cursor
        if segment is None or cursor is None or cursor.footer is None:
            return None
        if cursor.position != position - 1 or cursor.offset < segment.bytes:
            return None
    return None if position in bases(disk, home) else home.segment(position)


def _chain_before(  # noqa: PLR0917 - one step of `diagnose`
    disk: Disk,
    home: Home,
    cluster: str,
    start: Start | None,
    position: int,
    walker: Walker | None,
) -> bytes:
    if walker is None:
        return chain_hex(first_state(cluster) if start is None else bytes.fromhex(start.state))
    if walker.cursor is None or walker.cursor.position >= position:
        # It went on before it saw the damage.
        walker = _from_the_first(disk, home, cluster, start)
    while walker.cursor is not None and walker.cursor.position < position - 1:
        walker.next(position - 1)
    assert walker.cursor is not None
    return chain_hex(walker.cursor.state)


def _cuts(
    disk: Disk, home: Home, start: Start | None, position: int, error: LogDamaged
) -> Iterator[Cut]:
    later = [
        base
        for base in bases(disk, home)
        if base >= position and not _is_beginning(disk, home, start, base)
    ]
    base = base_of(error.file.name)
    if error.file.parent == home.log and base is not None and base not in later:
        if error.file == home.archive(base):
            if error.offset < Archive(disk, error.file, base).size():
                yield _cut(disk, error.file, kept=error.offset)
        elif error.file.name in disk.names(home.log) and error.offset < disk.size(error.file):
            yield _cut(disk, error.file, error.offset)
    for end in snapshot_positions(disk, home):
        if end >= position:
            yield _cut(disk, home.snapshot(end))
    yield from whole_segments(disk, home, later)


def _is_beginning(disk: Disk, home: Home, start: Start | None, base: int) -> bool:
    """Tell whether this is the segment without records that must be where the log begins."""
    if start is None or base != start.first or home.segment(base).name not in disk.names(home.log):
        return False
    line = disk.read(home.segment(base), 0, disk.size(home.segment(base)))
    header = parse_header(line[:-1])
    return header is not None and (header.base, header.state) == (base, start.state)


def whole_segments(disk: Disk, home: Home, of: list[int]) -> Iterator[Cut]:
    """Give every file of these segments; a crash may have left two of one."""
    names = set(disk.names(home.log))
    for base in of:
        for path in (home.segment(base), home.archive(base)):
            if path.name in names:
                yield _cut(disk, path)


def snapshots_before(disk: Disk, home: Home, position: int) -> Iterator[Cut]:
    """Give the files of the snapshots that end before a position."""
    for end in snapshot_positions(disk, home):
        if end < position:
            yield _cut(disk, home.snapshot(end))


def _cut(disk: Disk, path: Path, offset: int = 0, kept: int = 0) -> Cut:
    data = disk.read(path, offset, disk.size(path))
    return Cut(path, offset, len(data), sha256(data).hexdigest(), kept)


def _last_in(disk: Disk, cut: Cut) -> int:
    """Give the last position that can be read in what would be cut."""
    if cut.path.suffix == _SNAPSHOT_SUFFIX:
        return int(cut.path.stem)
    base = base_of(cut.path.name)
    if base is not None and cut.path.suffix == ".zst":
        return _last_of_compressed(disk, cut.path, base)
    for line in reversed(disk.read(cut.path, cut.offset, cut.bytes).split(b"\n")):
        record, footer = parse_record(line), parse_footer(line)
        if record is not None:
            return record.position
        if footer is not None:
            return footer.last
    return 0


def _last_of_compressed(disk: Disk, path: Path, base: int) -> int:
    try:
        footer = parse_footer(Archive(disk, path, base).tail()[:-1])
    except LogDamaged:
        return 0
    return 0 if footer is None else footer.last
