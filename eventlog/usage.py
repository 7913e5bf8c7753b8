"""How much room a data directory takes, by kind. Looks at names and sizes only; changes nothing."""

from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from eventlog.disk import Disk
from eventlog.home import Home, bases, read_start, snapshot_positions


class Usage(Struct, frozen=True):
    """Counts, and bytes as they are on disk."""

    first: int
    """the first position that is there, or will be"""
    segments: int
    compressed_segments: int
    log_bytes: int
    compressed_bytes: int
    """of the log's bytes, those of compressed segments"""
    snapshots: int
    snapshot_bytes: int
    quarantine_bytes: int


def usage(disk: Disk, home: Home) -> Usage:
    """Measure. What another process removes meanwhile counts as nothing."""
    present = set(disk.names(home.log))
    names = [(home.segment(base).name, home.archive(base).name) for base in bases(disk, home)]
    plain = [one for one, _ in names if one in present]
    compressed = [other for one, other in names if one not in present]
    compressed_bytes = _size(disk, home.log, compressed)
    snapshots = [home.snapshot(position).name for position in snapshot_positions(disk, home)]
    start = read_start(disk, home)
    return Usage(
        first=1 if start is None else start.first,
        segments=len(names),
        compressed_segments=len(compressed),
        log_bytes=_size(disk, home.log, plain) + compressed_bytes,
        compressed_bytes=compressed_bytes,
        snapshots=len(snapshots),
        snapshot_bytes=_size(disk, home.snapshots, snapshots),
        quarantine_bytes=_size(disk, home.quarantine, disk.names(home.quarantine)),
    )


def _size(disk: Disk, directory: Path, names: list[str]) -> int:
    total = 0
    for name in names:
        with suppress(FileNotFoundError):
            total += disk.size(directory / name)
    return total
