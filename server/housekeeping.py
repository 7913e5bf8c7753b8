"""Keeps a log small: compresses what is sealed, and lets go of what has been kept long enough.

Before that, it keeps the hashes from which the log can be proven later.

Meant for a process of its own beside the server. How files are replaced and removed stands in
``eventlog``; here is what a time in the log means, and what snapshots cover.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from eventlog import Reader, SegmentInfo, SnapshotStore, newest_sound
from eventlog.compressed import compress_log
from eventlog.disk import Disk, OsDisk
from eventlog.errors import HashesMissing
from eventlog.home import Home, keeping
from eventlog.retention import Expired
from eventlog.retention import expire as expire_log
from eventlog.tree import Tree, extent
from projections.events import decode
from server.ids import process_name

KEEP_PLAIN: Final = 1
"""The newest sealed segment is the one that is read most."""
_COVERING: Final = 2
"""Snapshots that must hold what may go: one of them may turn out damaged."""


def compress(
    data_dir: Path,
    *,
    keep: int = KEEP_PLAIN,
    progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
) -> list[SegmentInfo]:
    """Compress all sealed segments but the newest `keep`; give those that were.

    Raises:
        Locked: another process tidies the log.
        LogDamaged: a segment is not what was written; it was left as it is.

    """
    disk = disk or OsDisk()
    home, cluster = Home(data_dir), Reader(data_dir, disk).identity.cluster
    with keeping(disk, home, process_name()):
        return compress_log(disk, home, cluster, keep=keep, progress=progress)


def keep_hashes(data_dir: Path, *, disk: Disk | None = None) -> int:
    """Keep the hashes of what is sealed; give up to which record they reach, 0 where they cannot.

    They cannot go on where those of records that have expired are missing.

    Raises:
        Locked: another process tidies the log.
        LogDamaged: a segment is not what was written.

    """
    disk = disk or OsDisk()
    home, cluster = Home(data_dir), Reader(data_dir, disk).identity.cluster
    with keeping(disk, home, process_name()):
        found = extent(disk, home, cluster)
        try:
            tree = Tree(disk, home, cluster, found)
        except HashesMissing:
            return 0
        tree.keep()
    return found.sealed


def expire(
    data_dir: Path, *, before: int, dry_run: bool = False, disk: Disk | None = None
) -> Expired:
    """Remove the oldest segments that lie before a position as a whole.

    Raises:
        Locked: another process tidies the log.
        NotCovered: snapshots do not hold all of that; nothing was changed.
        LogDamaged: the log is not sound enough to be cut; likewise.

    """
    return _expire(Reader(data_dir, disk), disk or OsDisk(), before, dry_run=dry_run)


def expire_older(data_dir: Path, at_us: int, disk: Disk | None = None) -> Expired:
    """Remove the oldest segments that lie before a moment as a whole and that snapshots cover.

    Raises:
        Locked, LogDamaged: as `expire`.

    """
    reader = Reader(data_dir, disk)
    before = first_at(reader, at_us)
    return _expire(reader, disk or OsDisk(), before, as_covered=True)


def _expire(
    reader: Reader,
    disk: Disk,
    before: int,
    *,
    dry_run: bool = False,
    as_covered: bool = False,
) -> Expired:
    """Remove what lies before a position; with `as_covered` no more of it than snapshots hold."""
    home, cluster = Home(reader.data_dir), reader.identity.cluster
    with keeping(disk, home, process_name()):
        store = SnapshotStore(reader.data_dir, cluster, disk)
        covered = covered_position(store)
        if as_covered:
            before = min(before, covered + 1)
        if covered and not dry_run:
            store.sync_names()
        return expire_log(disk, home, cluster, before=before, covered=covered, dry_run=dry_run)


def covered_position(store: SnapshotStore) -> int:
    """Give the position up to which two sound snapshots hold everything; 0 without two."""
    sound = [snapshot.position for snapshot in newest_sound(store, lambda _: None)]
    return sound[_COVERING - 1] if len(sound) >= _COVERING else 0


def first_at(reader: Reader, at_us: int) -> int:
    """Give the position of the first record that is not before a moment, in microseconds."""
    return reader.first_where(lambda position, body: decode(position, body).at >= at_us)
