"""Puts compressed files in the place of sealed segments, beside a live server and its readers.

A compressed file gets its name only when it was read back and found to be the segment; the plain
file goes only after that. Until then it counts, so a run that is killed anywhere leaves a sound log,
and the next run does anew what it had begun. How both are read stands in
``eventlog.content``.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from eventlog.content import Archive, Content
from eventlog.directory import Home, SegmentInfo, bases, survey
from eventlog.disk import Disk, write_all
from eventlog.errors import LogDamaged
from eventlog.frame import Footer, parse_footer
from eventlog.seekable import FRAME_BYTES_MAX, frames

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_UNFINISHED: Final = ".log.zst.tmp"


def compressible(segments: list[SegmentInfo], keep: int) -> list[SegmentInfo]:
    """Choose the plain segments that may be compressed, all but the newest `keep` sealed ones.

    The last segment of the log is never among them: it is the writer's.
    """
    sealed = [segment for segment in segments if segment.sealed]
    kept = {segment.base for segment in sealed[max(0, len(sealed) - keep) :]}
    return [
        segment for segment in sealed if segment.base not in kept and _may_be(segment, segments)
    ]


def _may_be(segment: SegmentInfo, segments: list[SegmentInfo]) -> bool:
    return segment.sealed and not segment.compressed and segment.base != segments[-1].base


def compress_log(
    disk: Disk,
    home: Home,
    cluster: str,
    *,
    keep: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[SegmentInfo]:
    """Compress all that may be, and what an earlier run had begun; give what was compressed.

    The caller holds `keeping`. Each one is durable before the next begins. `progress` hears how
    many are done, of how many.

    Raises:
        LogDamaged: a segment is not what was written; it was left as it is.

    """
    begun = _clear_unfinished(disk, home)
    segments = survey(disk, home, cluster)
    chosen = {segment.base for segment in compressible(segments, keep)} | begun
    todo = [part for part in segments if part.base in chosen and _may_be(part, segments)]
    done: list[SegmentInfo] = []
    for segment in todo:
        done.append(compress(disk, home, segment))
        if progress is not None:
            progress(len(done), len(todo))
    return done


def _clear_unfinished(disk: Disk, home: Home) -> set[int]:
    """Remove files that a killed run left half written; give the segments that stand there twice.

    Of those neither file is removed here: which one is sound is found by compressing anew.
    """
    # A run that was killed may have removed a name in the cache only: it must not come back later.
    disk.sync_directory(home.log)
    names = set(disk.names(home.log))
    for name in sorted(names):
        if name.endswith(_UNFINISHED):
            disk.unlink(home.log / name)
    return {
        base
        for base in bases(disk, home)
        if {home.segment(base).name, home.archive(base).name} <= names
    }


def compress(disk: Disk, home: Home, segment: SegmentInfo) -> SegmentInfo:
    """Put a compressed file in the place of one sealed segment, which is not the last.

    Raises:
        LogDamaged: the segment is not what was written; nothing was changed.

    """
    archive = home.archive(segment.base)
    temporary = archive.with_name(archive.name + ".tmp")
    try:
        _write(disk, temporary, Content(disk, home, segment.base), segment)
        _compare(disk, temporary, segment)
    except (OSError, LogDamaged):
        # The bytes are most wanted back when the disk is full. What cannot be removed now is
        # removed by the next run.
        with suppress(OSError):
            disk.unlink(temporary)
        raise
    disk.rename(temporary, archive)
    # A crash must not lose the new name when it has lost the old one.
    disk.sync_directory(home.log)
    disk.unlink(home.segment(segment.base))
    disk.sync_directory(home.log)  # so that what is told of the space is true after a crash
    return structs.replace(segment, path=archive, file_bytes=disk.size(archive), compressed=True)


def _footer(segment: SegmentInfo) -> Footer:
    assert segment.footer is not None, "only a sealed segment may be compressed"
    return segment.footer


def _write(disk: Disk, temporary: Path, content: Content, segment: SegmentInfo) -> None:
    plain_hash = sha256()
    fd = disk.create(temporary)
    try:
        for data in frames(_pieces(content, segment, plain_hash)):
            write_all(disk, fd, data)
        disk.protect(fd)
        # A crash behind the rename must not show a name without its content.
        disk.sync_file(fd)
    finally:
        disk.close(fd)
    if plain_hash.hexdigest() != _footer(segment).sha256:
        raise _not_as_written(content.path, segment)


def _pieces(content: Content, segment: SegmentInfo, plain_hash: "Hash") -> Iterator[bytes]:
    """Cut the segment into frames: the header, records up to the ends of lines, the footer.

    Survey opens the first and the last frame of each segment, so these hold one line.
    """
    offset, footer_offset = 0, _footer(segment).bytes
    for end in (segment.header_bytes, footer_offset, segment.bytes):
        while offset < end:
            piece = content.read(offset, min(FRAME_BYTES_MAX, end - offset))
            if not piece:
                raise _not_as_written(content.path, segment)
            if offset + len(piece) < end:
                piece = piece[: piece.rfind(b"\n") + 1] or piece
            if offset < footer_offset:
                plain_hash.update(piece)
            yield piece
            offset += len(piece)


def _compare(disk: Disk, temporary: Path, segment: SegmentInfo) -> None:
    """Read back what was written, from the device, and compare it with what the footer says."""
    disk.forget_cached(temporary)
    archive, footer = Archive(disk, temporary, segment.base), _footer(segment)
    content_hash = sha256()
    for offset in range(0, footer.bytes, FRAME_BYTES_MAX):
        size = min(FRAME_BYTES_MAX, footer.bytes - offset)
        content_hash.update(archive.read(offset, size))
    same = content_hash.hexdigest() == footer.sha256 and archive.size() == segment.bytes
    if not same or parse_footer(archive.tail()[:-1]) != footer:
        raise LogDamaged(temporary, 0, 1, segment.base, "it does not read back as it was written")


def _not_as_written(path: Path, segment: SegmentInfo) -> LogDamaged:
    reason = "the segment does not match the hash in its footer"
    return LogDamaged(path, 0, 1, segment.base, reason)
