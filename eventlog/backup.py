"""`archive`: a copy of the log in another directory, which is a data directory of its own.

The source is only read and may have a writer. The copy holds what was durable when it was made, and
is one of an earlier position at every moment between: each file appears whole, in the order in
which the log grew, and the mark comes last. A copy is extended or refused; no record that it holds
is ever lost by making it anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from eventlog.checked import WholeLines, is_whole, sealed, snapshot
from eventlog.copy import chunks_of, put, sweep
from eventlog.directory import (
    Home,
    Identity,
    SegmentInfo,
    bases,
    describe,
    initialise,
    read_identity,
    read_mark,
    survey,
)
from eventlog.disk import Disk, OsDisk
from eventlog.errors import BackupRefused, LogDamaged
from eventlog.history import end_of_sealed, refuse_loss
from eventlog.lock import lock
from eventlog.mark import NO_MARK, Mark, slot
from eventlog.reader import Reader

SNAPSHOTS_KEPT: Final = 2
_SNAPSHOT_SUFFIX: Final = ".snap"
_DIGITS: Final = 20

Progress = Callable[[int, int], None]
"""hears how many bytes of segments were copied, and of how many"""


class Archived(Struct, frozen=True):
    """What a backup holds and what it took to make it."""

    position: int
    chain: str
    segments_copied: int
    segments_kept: int
    snapshots: int
    bytes: int
    """of the segments that were copied"""


def archive(
    source: Path,
    target: Path,
    *,
    now_us: int,
    check: bool = False,
    private: Sequence[str] = (),
    progress: Progress | None = None,
    disk: Disk | None = None,
) -> Archived:
    """Make or extend the copy of the log of `source` in `target`.

    `private` names small files beside the log that only their owner may read. With `check`, what is
    there already is read again, and copied again where it is not as it was written.

    Raises:
        BackupRefused: the target is no place for it; what it held is still there.
        Locked: a process uses the target; likewise.
        LogDamaged: the source is; likewise.

    """
    disk = disk or OsDisk()
    here, there = Home(source), Home(target)
    identity = Reader(source, disk).identity
    _refuse_place(disk, here, there, identity)
    initialise(disk, there)
    held = lock(disk, there, now_us)
    try:
        return _Backup(disk, here, there, identity.cluster, check=check, progress=progress).make(
            private
        )
    finally:
        disk.close(held)


def _refuse_place(disk: Disk, source: Home, target: Home, identity: Identity) -> None:
    inside, place = source.directory.resolve(), target.directory.resolve()
    if inside in (place, *place.parents):
        raise BackupRefused(f"{target.directory} is in the data directory itself")
    theirs = read_identity(disk, target)
    if theirs is None and bases(disk, target):
        raise BackupRefused(f"{target.directory} holds segments and no {target.meta.name}")
    if theirs is not None and theirs.cluster != identity.cluster:
        raise BackupRefused(f"{target.directory} holds another log (cluster {theirs.cluster})")


class _Backup:
    """One backup under way; the target is locked."""

    def __init__(
        self,
        disk: Disk,
        source: Home,
        target: Home,
        cluster: str,
        *,
        check: bool,
        progress: Progress | None,
    ) -> None:
        self._disk = disk
        self._source = source
        self._target = target
        self._cluster = cluster
        self._check = check
        self._progress = progress
        self._segments: list[SegmentInfo] = []
        self._copied: set[int] = set()
        self._bytes = self._bytes_planned = 0

    def make(self, private: Sequence[str]) -> Archived:
        """Copy; look again and go on when a file has gone meanwhile."""
        while True:
            listed = self._listing()
            try:
                return self._copy_all(private)
            except FileNotFoundError:
                if self._listing() == listed:
                    raise

    def _listing(self) -> list[set[str]]:
        return [set(self._disk.names(path)) for path in (self._source.log, self._source.snapshots)]

    def _copy_all(self, private: Sequence[str]) -> Archived:
        # Looked at in this order, so that the log reaches as far as the mark and the snapshots.
        mark = read_mark(self._disk, self._source)[0]
        snapshots = _snapshots(self._disk, self._source)
        self._segments = survey(self._disk, self._source, self._cluster)
        refuse_loss(self._disk, self._source, self._cluster, self._segments, self._target)
        self._prepare()
        self._copy_beside(private)
        end = self._copy_segments()
        if end.position < mark.position:
            raise self._lost_end(end, mark)
        snapshots = [name for name in snapshots if int(name[:_DIGITS]) <= end.position]
        self._copy_snapshots(snapshots[-SNAPSHOTS_KEPT:])
        if end.position:
            # The last word: from now on a copy that lost its end is known to be damaged.
            put(self._disk, self._target.mark, [slot(end)])
        return Archived(
            position=end.position,
            chain=end.chain.decode(),
            segments_copied=len(self._copied),
            segments_kept=len(bases(self._disk, self._target)) - len(self._copied),
            snapshots=len(_snapshots(self._disk, self._target)),
            bytes=self._bytes,
        )

    def _lost_end(self, end: Mark, mark: Mark) -> LogDamaged:
        path, size = self._source.segment(1), 0
        if self._segments:
            path, size = self._segments[-1].path, self._segments[-1].bytes
        reason = f"the log ends before it, but {mark.position} had been acknowledged"
        return LogDamaged(path, size, 1, end.position + 1, reason)

    def _prepare(self) -> None:
        # The directory may have been made by a process that was killed before it synced the name.
        self._disk.sync_directory(self._target.directory.absolute().parent)
        self._disk.sync_directory(self._target.directory)
        for directory in (self._target.log, self._target.snapshots):
            sweep(self._disk, directory)

    def _copy_beside(self, private: Sequence[str]) -> None:
        """Copy what stands beside the log, before it: a segment without an identity is damage."""
        disk, source, target = self._disk, self._source, self._target
        names = disk.names(source.directory)
        for name in private:
            if name in names:
                content = chunks_of(disk, source.directory / name)
                put(disk, target.directory / name, content, private=True)
        for path in (source.repairs, source.meta):
            if path.name in names:
                put(disk, target.directory / path.name, chunks_of(disk, path))
        # A copy keeps what the source lets expire, so it begins where it once began.
        if source.start.name in disk.names(source.log) and not bases(disk, target):
            put(disk, target.start, chunks_of(disk, source.start))

    def _copy_segments(self) -> Mark:
        """Copy what is not there, in the order in which the log grew; give the last record."""
        wanted = [segment for segment in self._segments if not self._is_there(segment)]
        self._bytes_planned = self._bytes + sum(segment.bytes for segment in wanted)
        end = NO_MARK
        for segment in self._segments:
            if not segment.sealed:
                return self._copy_active(segment) or end
            if segment in wanted:
                content = sealed(self._disk, self._source, self._segments, segment)
                self._put(segment, content, protected=True)
            end = end_of_sealed(segment)
        return end

    def _is_there(self, segment: SegmentInfo) -> bool:
        if not segment.sealed or segment.base not in bases(self._disk, self._target):
            return False
        try:
            copy = describe(self._disk, self._target, segment.base, self._cluster)
        except LogDamaged:
            return False
        same = (copy.header, copy.footer, copy.bytes) == (
            segment.header,
            segment.footer,
            segment.bytes,
        )
        return same and (not self._check or is_whole(self._disk, copy))

    def _copy_active(self, segment: SegmentInfo) -> Mark | None:
        lines = WholeLines(self._disk, self._source, self._segments, segment)
        if not lines.any:
            return None  # a segment appears in the copy with its first record
        self._put(segment, lines, protected=False)
        return lines.end

    def _put(self, segment: SegmentInfo, content: Iterable[bytes], *, protected: bool) -> None:
        path = self._target.log / segment.path.name
        put(self._disk, path, self._told(content), protected=protected)
        self._copied.add(segment.base)

    def _told(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in content:
            yield chunk
            self._bytes += len(chunk)
            if self._progress is not None:
                self._progress(self._bytes, max(self._bytes, self._bytes_planned))

    def _copy_snapshots(self, names: list[str]) -> None:
        disk, source, target = self._disk, self._source.snapshots, self._target.snapshots
        if names and disk.make_directory(target):
            disk.sync_directory(target.parent)
        for name in names:
            size = disk.size(source / name)
            there = name in disk.names(target) and disk.size(target / name) == size
            if self._check or not there:
                put(disk, target / name, snapshot(disk, source / name))
        for name in _snapshots(disk, self._target)[:-SNAPSHOTS_KEPT]:
            disk.unlink(target / name)


def _snapshots(disk: Disk, home: Home) -> list[str]:
    return sorted(
        name
        for name in disk.names(home.snapshots)
        if name.endswith(_SNAPSHOT_SUFFIX)
        and len(name) == _DIGITS + len(_SNAPSHOT_SUFFIX)
        and name[:_DIGITS].isascii()
        and name[:_DIGITS].isdigit()
    )
