"""Reads files of a log to copy them, and raises when they are not what was written.

The caller must use nothing of a copy before its reading has come to an end: damage may show in the
last byte.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from eventlog.content import Archive, Content
from eventlog.copy import CHUNK_BYTES, chunks_of
from eventlog.directory import Home, SegmentInfo
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.frame import Footer, parse_footer, parse_record, unframed
from eventlog.mark import NO_MARK, Mark
from eventlog.walker import Walker

_SNAPSHOT_MARK: Final = b"#snap"


def sealed(
    disk: Disk, home: Home, segments: list[SegmentInfo], segment: SegmentInfo
) -> Iterator[bytes]:
    """Read the file of a sealed segment of a log; its content must have the hash in its footer.

    Of a compressed one the content is not looked at here: see `compare`.
    """
    if segment.compressed:
        yield from chunks_of(disk, segment.path)
        return
    yield from (hashing := _Hashing(disk, segment))
    if not hashing.fits():
        raise _damage(disk, home, segments, segment)


def compare(
    disk: Disk, home: Home, segments: list[SegmentInfo], segment: SegmentInfo, copy: Path
) -> None:
    """Read the copy of a compressed segment, whose content must have the hash in its footer.

    Raises:
        LogDamaged: it has not.

    """
    try:
        whole = _unpacks(disk, copy, segment)
    except LogDamaged:
        whole = False
    if not whole:
        raise _damage(disk, home, segments, segment)


def _damage(
    disk: Disk, home: Home, segments: list[SegmentInfo], segment: SegmentInfo
) -> LogDamaged:
    """Look for the place where a sealed segment is not what was written."""
    cluster, after = segment.header.cluster, segment.base - 1
    try:
        walker = Walker(disk, home, cluster, after, hashed=True, segments=segments)
        while walker.next() and walker.segment is segment:
            pass
    except LogDamaged as damaged:
        return damaged
    reason = "its content is not what its footer says"
    return LogDamaged(segment.path, 0, 1, segment.base, reason)


def is_whole(disk: Disk, segment: SegmentInfo) -> bool:
    """Tell whether a sealed segment has the content that its footer says."""
    if segment.compressed:
        try:
            return _unpacks(disk, segment.path, segment)
        except LogDamaged:
            return False
    for _ in (hashing := _Hashing(disk, segment)):
        pass
    return hashing.fits()


def _unpacks(disk: Disk, path: Path, segment: SegmentInfo) -> bool:
    """Tell whether a compressed file holds a segment."""
    footer, archive, content_hash = segment.footer, Archive(disk, path, segment.base), sha256()
    assert footer is not None
    for offset in range(0, footer.bytes, CHUNK_BYTES):
        content_hash.update(archive.read(offset, min(CHUNK_BYTES, footer.bytes - offset)))
    same = content_hash.hexdigest() == footer.sha256 and archive.size() == segment.bytes
    return same and parse_footer(archive.tail()[:-1]) == footer


class _Hashing:
    """Reads a sealed segment."""

    def __init__(self, disk: Disk, segment: SegmentInfo) -> None:
        assert segment.footer is not None
        self._disk = disk
        self._path = segment.path
        self._footer: Footer = segment.footer
        self._hash = sha256()
        self._left = segment.footer.bytes
        self._behind = b""

    def __iter__(self) -> Iterator[bytes]:
        for chunk in chunks_of(self._disk, self._path):
            self._hash.update(chunk[: self._left])
            self._behind += chunk[self._left :]
            self._left -= min(self._left, len(chunk))
            yield chunk

    def fits(self) -> bool:
        """Tell whether all of it is what the footer says, and nothing but the footer follows."""
        line, newline, more = self._behind.partition(b"\n")
        end = bool(newline) and not more and parse_footer(line) == self._footer
        return end and self._hash.hexdigest() == self._footer.sha256


class WholeLines:
    """Reads the whole lines of a segment, as far as it reached when it was described.

    With `upto`, nothing behind that position; without, the segment is an unsealed one.
    """

    def __init__(
        self,
        disk: Disk,
        home: Home,
        segments: list[SegmentInfo],
        segment: SegmentInfo,
        *,
        upto: int | None = None,
    ) -> None:
        self.end = NO_MARK
        """the last record that was read"""
        self._disk = disk
        self._home = home
        self._size = segment.bytes
        self._upto = upto
        self._walker = Walker(
            disk, home, segment.header.cluster, segment.base - 1, segments=segments
        )
        begun = bool(self._walker.next()) and self._segment().base == segment.base
        self.any = begun
        """whether there is a record"""

    def _segment(self) -> SegmentInfo:
        assert self._walker.segment is not None
        return self._walker.segment

    def __iter__(self) -> Iterator[bytes]:
        # A segment without records may have been replaced by a new writer's; one with records stays.
        walker, segment = self._walker, self._segment()
        yield Content(self._disk, self._home, segment.base).read(0, segment.header_bytes)
        while walker.segment is segment and walker.cursor is not None:
            lines = self._wanted(walker.raw, walker.cursor.position)
            record = parse_record(lines[-1])
            assert record is not None  # it has been verified
            self.end = Mark(record.position, record.chain)
            yield b"\n".join(lines) + b"\n"
            if (
                record.position == self._upto
                or walker.cursor.offset >= self._size
                or not walker.next()
            ):
                break
        if not segment.sealed:
            # The copy must not know of records that a power loss can still take from the log.
            self._disk.sync_path(segment.path)

    def _wanted(self, lines: list[bytes], last: int) -> list[bytes]:
        """Give those of the lines, which end at `last`, that are not behind what is wanted."""
        surplus = 0 if self._upto is None else max(0, last - self._upto)
        return lines[: len(lines) - surplus]


def snapshot(disk: Disk, path: Path) -> Iterator[bytes]:
    """Read a snapshot; what it holds is not known here, so only its first line is checked."""
    head = b""
    for chunk in chunks_of(disk, path):
        head = head or chunk
        yield chunk
    first, newline, _ = head.partition(b"\n")
    if not newline or not (unframed(first) or b"").startswith(_SNAPSHOT_MARK):
        raise LogDamaged(path, 0, 1, 0, "the snapshot's header cannot be read")
