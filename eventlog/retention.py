"""Removes the oldest segments of a log, on demand only, beside a live server and its readers.

Where the log begins from now on is durable before the first file goes, so a run that is killed
anywhere leaves a sound log, and the next run removes what it left. What has expired is gone for
good: only what verified snapshots cover may. Of its records stays what the Merkle tree needs, see
`eventlog.tree`; that is durable before.
"""

from contextlib import suppress

from msgspec import Struct

from eventlog.directory import Home, SegmentInfo, survey
from eventlog.disk import Disk, write_all
from eventlog.errors import HashesMissing, NotCovered
from eventlog.frame import Footer, Start, start_line
from eventlog.home import all_bases, read_start
from eventlog.tree import Tree, extent


class Expired(Struct, frozen=True):
    """What has expired, or would."""

    first: int
    """the first position that is there from now on"""
    segments: list[SegmentInfo]


def expire(
    disk: Disk, home: Home, cluster: str, *, before: int, covered: int, dry_run: bool = False
) -> Expired:
    """Remove the oldest segments whose records all stand before the position `before`.

    The last segment of the log stays. `covered` is the position up to which the older of the kept
    verified snapshots holds everything. The caller holds `keeping`.

    Raises:
        NotCovered: some of those records are not covered; nothing was changed.
        LogDamaged: the log is not sound enough to be cut; likewise.

    """
    segments = survey(disk, home, cluster)
    chosen = _expirable(segments, before)
    last = _footer(chosen[-1]).last if chosen else 0
    if last > covered:
        raise NotCovered(last, covered)
    first = last + 1 if chosen else (segments[0].base if segments else 1)
    if not dry_run:
        if chosen:
            _keep_hashes(disk, home, cluster)
            _write_start(disk, home, chosen[-1])
        _remove_expired(disk, home)
    return Expired(first, chosen)


def _expirable(segments: list[SegmentInfo], before: int) -> list[SegmentInfo]:
    chosen: list[SegmentInfo] = []
    for segment in segments[:-1]:
        if _footer(segment).last >= before:
            break
        chosen.append(segment)
    return chosen


def _footer(segment: SegmentInfo) -> Footer:
    assert segment.footer is not None, "only the last segment may lack its footer"
    return segment.footer


def _keep_hashes(disk: Disk, home: Home, cluster: str) -> None:
    """Keep what the Merkle tree needs of the records that go: it cannot be made again."""
    # Where hashes are missing of what has expired before, there is no tree to go on with.
    with suppress(HashesMissing):
        Tree(disk, home, cluster, extent(disk, home, cluster)).keep()


def _write_start(disk: Disk, home: Home, expired: SegmentInfo) -> None:
    """Write where the log begins, all of it or nothing."""
    footer = _footer(expired)
    start = Start(
        first=footer.last + 1,
        state=footer.state,
        prev_sha256=footer.sha256,
        epoch=expired.header.epoch,
    )
    temporary = home.start.with_suffix(".tmp")
    with suppress(FileNotFoundError):
        disk.unlink(temporary)  # left by a crash in the middle of these lines
    fd = disk.create(temporary)
    try:
        write_all(disk, fd, start_line(start))
        disk.sync_file(fd)  # the new name must never show an empty file
    finally:
        disk.close(fd)
    disk.rename(temporary, home.start)


def _remove_expired(disk: Disk, home: Home) -> None:
    """Remove the files of all segments before the beginning, also those of an earlier run."""
    start = read_start(disk, home)
    # A crash must not lose the beginning when it has lost what was before: that would be damage. It
    # may have been written by a run that was killed before it could sync the name.
    disk.sync_directory(home.log)
    names = set(disk.names(home.log))
    for base in all_bases(disk, home):
        if start is not None and base < start.first:
            for path in (home.segment(base), home.archive(base)):
                if path.name in names:
                    disk.unlink(path)
    disk.sync_directory(home.log)
