"""`fork`: a data directory that ends at a position of another, for a server that goes on from there.

The source is only read and may have a writer. Sealed segments up to the position are copied as they
are, of the one that holds it the whole lines. The identity comes last: before, the directory is
damaged by name, so that nobody serves a part of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from eventlog.backup import surveyed
from eventlog.checked import WholeLines, compare, sealed, snapshot
from eventlog.copy import Progress, chunks_of, copy_figures, put, until_steady
from eventlog.directory import Home, SegmentInfo, initialise
from eventlog.disk import Disk, OsDisk
from eventlog.errors import ForkRefused, LogExpired
from eventlog.frame import Start, start_line
from eventlog.lineage import end_of_sealed
from eventlog.lock import alone
from eventlog.mark import NO_MARK, Mark, slot
from eventlog.reader import Reader
from eventlog.snapshots import Snapshot, SnapshotStore, newest_sound
from eventlog.treefile import copy_pieces


class Forked(Struct, frozen=True):
    """What a fork holds. `snapshot` is the position of the one that came with it."""

    position: int
    chain: str
    segments: int
    snapshot: int | None
    bytes: int
    """of the segments"""


def fork(
    source: Path,
    target: Path,
    position: int,
    *,
    now_us: int,
    private: Sequence[str] = (),
    progress: Progress | None = None,
    disk: Disk | None = None,
) -> Forked:
    """Copy the log of `source` up to and including `position`, or to its end, into `target`.

    `private` names small files beside the log that only their owner may read.

    Raises:
        ForkRefused: the target is no place for it, or there is nothing to copy; it is as it was.
        LogExpired: the records that lead there have expired, and no snapshot tells of them; likewise.
        Locked: a process uses the target.
        LogDamaged: the source is; the target cannot be served.

    """
    disk = disk or OsDisk()
    here, there = Home(source), Home(target)
    identity = Reader(source, disk).identity
    _refuse_place(disk, here, there)
    made = _Fork(disk, here, there, identity.cluster, position, progress=progress)
    made.refuse_position()
    initialise(disk, there)
    with alone(disk, there, now_us):
        # The directory may have been made by a process that was killed before it synced the name.
        disk.sync_directory(there.directory.absolute().parent)
        forked = until_steady(disk, (here.log, here.snapshots), made.copy)
        for name in private:
            if name in disk.names(here.directory):
                content = chunks_of(disk, here.directory / name)
                put(disk, there.directory / name, content, private=True)
        put(disk, there.meta, chunks_of(disk, here.meta))
    return forked


def _refuse_place(disk: Disk, source: Home, target: Home) -> None:
    inside, place = source.directory.resolve(), target.directory.resolve()
    if inside in (place, *place.parents):
        raise ForkRefused(f"{target.directory} is in the data directory itself")
    if disk.names(target.directory):
        raise ForkRefused(f"{target.directory} is not empty; a fork needs a directory of its own")


class _Fork:
    """One fork under way."""

    def __init__(
        self,
        disk: Disk,
        source: Home,
        target: Home,
        cluster: str,
        position: int,
        *,
        progress: Progress | None,
    ) -> None:
        self._disk = disk
        self._source = source
        self._target = target
        self._cluster = cluster
        self._position = position
        self._progress = progress
        self._segments: list[SegmentInfo] = []
        self._bytes = self._bytes_planned = 0

    def refuse_position(self) -> None:
        """Refuse what leaves no log to serve, before anything is made."""
        start = self._survey()
        self._snapshot(start)

    def copy(self) -> Forked:
        """Copy all but the identity, in the order in which the log grew; the mark comes last."""
        start, self._bytes = self._survey(), 0
        found = self._snapshot(start)
        copy_pieces(self._disk, self._source, self._target, upto=self._position)
        if start is not None:
            put(self._disk, self._target.start, [start_line(start)])
        self._bytes_planned = sum(segment.file_bytes for segment in self._segments)
        end = NO_MARK
        for segment in self._segments:
            if segment.footer is not None and segment.footer.last <= self._position:
                end = self._copy_sealed(segment)
            else:
                end = self._copy_lines(segment) or end
        if found is not None:
            self._copy_snapshot(found)
        if end.position:
            put(self._disk, self._target.mark, [slot(end)])
        return Forked(
            position=end.position,
            chain=end.chain.decode(),
            segments=len(self._segments),
            snapshot=None if found is None else found.position,
            bytes=self._bytes,
        )

    def _survey(self) -> Start | None:
        segments, start = surveyed(self._disk, self._source, self._cluster)
        first = 1 if start is None else start.first
        if start is not None and self._position < first:
            raise LogExpired(first)
        self._segments = [
            part
            for part in segments
            if part.base <= self._position and part.bytes > part.header_bytes
        ]
        if not self._segments:
            raise ForkRefused("nothing had been recorded by then: there is nothing to fork")
        return start

    def _snapshot(self, start: Start | None) -> Snapshot | None:
        """Give the newest sound snapshot that is not behind the position; a late start needs one."""
        store = SnapshotStore(self._source.directory, self._cluster, self._disk)
        found = next(newest_sound(store, lambda _: None, upto=self._position), None)
        covers = found is not None and (start is None or found.position >= start.first - 1)
        if start is not None and not covers:
            raise LogExpired(start.first)
        return found if covers else None

    def _copy_sealed(self, segment: SegmentInfo) -> Mark:
        where = (self._disk, self._source, self._segments, segment)
        path = self._target.log / segment.path.name
        check = partial(compare, *where) if segment.compressed else None
        put(self._disk, path, self._told(sealed(*where)), protected=True, check=check)
        return end_of_sealed(segment)

    def _copy_lines(self, segment: SegmentInfo) -> Mark | None:
        """Copy the segment that holds the end, as a writer leaves it that was killed there."""
        where = (self._disk, self._source, self._segments, segment)
        lines = WholeLines(*where, upto=self._position)
        if not lines.any:
            return None  # a segment appears in the copy with its first record
        put(self._disk, self._target.segment(segment.base), self._told(lines))
        return lines.end

    def _told(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in content:
            yield chunk
            self._bytes += len(chunk)
            if self._progress is not None:
                self._progress(self._bytes, max(self._bytes, self._bytes_planned))

    def _copy_snapshot(self, found: Snapshot) -> None:
        directory = self._target.snapshots
        if self._disk.make_directory(directory):
            self._disk.sync_directory(self._target.directory)
        copy_figures(self._disk, self._source, self._target, found.position)
        put(self._disk, directory / found.path.name, snapshot(self._disk, found.path))
