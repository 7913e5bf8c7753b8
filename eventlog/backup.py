"""`archive`: a copy of the log in another directory, which is a data directory of its own.

The source is only read and may have a writer. The copy holds what was durable when it was made, and
is one of an earlier position at every moment between: each file appears whole, in the order in
which the log grew, and the mark comes last. A copy is extended or refused; no record that it holds
is ever lost by making it anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from eventlog.checked import WholeLines, compare, is_whole, sealed, snapshot
from eventlog.copy import Progress, chunks_of, copy_figures, put, sweep, until_steady
from eventlog.directory import (
    Home,
    Identity,
    SegmentInfo,
    bases,
    describe,
    initialise,
    read_identity,
    read_mark,
    read_start,
    segment_path,
    survey,
)
from eventlog.disk import Disk, OsDisk
from eventlog.errors import BackupRefused, LogDamaged
from eventlog.frame import Start, start_line
from eventlog.home import figures_positions, snapshot_positions
from eventlog.lineage import end_of_sealed, refuse_loss
from eventlog.lock import alone
from eventlog.mark import NO_MARK, Mark, slot
from eventlog.reader import Reader
from eventlog.snapshots import KEPT
from eventlog.treefile import copy_pieces


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
    with alone(disk, there, now_us):
        return _Backup(disk, here, there, identity.cluster, check=check, progress=progress).make(
            private
        )


def surveyed(disk: Disk, home: Home, cluster: str) -> tuple[list[SegmentInfo], Start | None]:
    """Describe the segments, and where they begin at that moment."""
    while True:
        start = read_start(disk, home)
        segments = survey(disk, home, cluster)
        if read_start(disk, home) == start:
            return segments, start


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
        self._begun_here = not bases(disk, target)
        """whether all that the copy holds was put there by this run"""
        self._copied: set[int] = set()
        self._bytes = self._bytes_planned = 0

    def make(self, private: Sequence[str]) -> Archived:
        """Copy; look again and go on when a file has gone meanwhile: compressed, expired, pruned."""
        where = (self._source.log, self._source.snapshots)
        return until_steady(self._disk, where, partial(self._copy_all, private))

    def _copy_all(self, private: Sequence[str]) -> Archived:
        # Looked at in this order, so that the log reaches as far as the mark and the snapshots.
        mark = read_mark(self._disk, self._source)[0]
        snapshots = snapshot_positions(self._disk, self._source)
        self._segments, start = surveyed(self._disk, self._source, self._cluster)
        self._follow(start)
        refuse_loss(self._disk, self._source, self._cluster, self._segments, self._target)
        self._prepare()
        self._copy_beside(private, start)
        end = self._copy_segments()
        if end.position < mark.position:
            raise self._lost_end(end, mark)
        self._copy_snapshots([one for one in snapshots if one <= end.position][-KEPT:])
        if end.position:
            # The last word: from now on a copy that lost its end is known to be damaged.
            put(self._disk, self._target.mark, [slot(end)])
        return Archived(
            position=end.position,
            chain=end.chain.decode(),
            segments_copied=len(self._copied),
            segments_kept=len(bases(self._disk, self._target)) - len(self._copied),
            snapshots=len(snapshot_positions(self._disk, self._target)),
            bytes=self._bytes,
        )

    def _follow(self, start: Start | None) -> None:
        """Begin later when the source does so meanwhile, and what would lie between has expired."""
        disk, target = self._disk, self._target
        there = bases(disk, target)
        if start is None or not self._begun_here or not there or there[-1] >= start.first:
            return
        copy_pieces(disk, self._source, target)  # the hashes of what it will never hold
        put(disk, target.start, [start_line(start)])
        for base in there:
            disk.unlink(segment_path(disk, target, base))
        self._copied.clear()

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

    def _copy_beside(self, private: Sequence[str], start: Start | None) -> None:
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
        copy_pieces(disk, source, target)
        # A copy keeps what the source lets expire, so it begins where it once began.
        if start is not None and not bases(disk, target):
            put(disk, target.start, [start_line(start)])

    def _copy_segments(self) -> Mark:
        """Copy what is not there, in the order in which the log grew; give the last record."""
        start = read_start(self._disk, self._target)
        first = 1 if start is None else start.first
        wanted = [
            segment
            for segment in self._segments
            if segment.base >= first and not self._is_there(segment)
        ]
        self._bytes_planned = self._bytes + sum(segment.file_bytes for segment in wanted)
        end = NO_MARK
        for segment in self._segments:
            if not segment.sealed:
                return self._copy_active(segment) or end
            if segment in wanted:
                self._copy_sealed(segment)
            end = end_of_sealed(segment)
        return end

    def _copy_sealed(self, segment: SegmentInfo) -> None:
        where = (self._disk, self._source, self._segments, segment)
        check = partial(compare, *where) if segment.compressed else None
        self._put(segment, sealed(*where), protected=True, check=check)
        self._drop_other_form(segment)

    def _drop_other_form(self, segment: SegmentInfo) -> None:
        """Remove the same segment in the other form; this one is whole and durable."""
        plain, compressed = self._target.segment(segment.base), self._target.archive(segment.base)
        other = plain if segment.compressed else compressed
        if other.name in self._disk.names(self._target.log):
            self._disk.unlink(other)
            self._disk.sync_directory(self._target.log)

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
        twice = {self._target.segment(segment.base).name, self._target.archive(segment.base).name}
        twice_there = twice <= set(self._disk.names(self._target.log))
        if not same or ((self._check or twice_there) and not is_whole(self._disk, copy)):
            return False
        self._drop_other_form(copy)
        return True

    def _copy_active(self, segment: SegmentInfo) -> Mark | None:
        lines = WholeLines(self._disk, self._source, self._segments, segment)
        if not lines.any:
            return None  # a segment appears in the copy with its first record
        self._put(segment, lines, protected=False)
        return lines.end

    def _put(
        self,
        segment: SegmentInfo,
        content: Iterable[bytes],
        *,
        protected: bool,
        check: Callable[[Path], None] | None = None,
    ) -> None:
        path = self._target.log / segment.path.name
        put(self._disk, path, self._told(content), protected=protected, check=check)
        self._copied.add(segment.base)

    def _told(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in content:
            yield chunk
            self._bytes += len(chunk)
            if self._progress is not None:
                self._progress(self._bytes, max(self._bytes, self._bytes_planned))

    def _copy_snapshots(self, positions: list[int]) -> None:
        disk, source, target = self._disk, self._source, self._target
        if positions and disk.make_directory(target.snapshots):
            disk.sync_directory(target.directory)
        there = snapshot_positions(disk, target)
        for position in positions:
            ours, copy = source.snapshot(position), target.snapshot(position)
            size = disk.size(ours)
            if self._check or position not in there or disk.size(copy) != size:
                copy_figures(disk, source, target, position)
                put(disk, copy, snapshot(disk, ours))
        for position in snapshot_positions(disk, target)[:-KEPT]:
            disk.unlink(target.snapshot(position))
            if position in figures_positions(disk, target):
                disk.unlink(target.figures(position))
