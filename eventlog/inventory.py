"""The files of a data directory, one by one: newest segments and snapshots, as they tell of themselves.

Reads first and last lines only, and changes nothing. What is damaged is listed with what is wrong with
it: whoever looks wants to see just that.
"""

from contextlib import suppress
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from eventlog.directory import SegmentInfo, bases, describe
from eventlog.disk import Disk
from eventlog.errors import LogDamaged, LogExpired, SnapshotDamaged
from eventlog.home import Home
from eventlog.snapshots import SnapshotStore

LISTED_MAX: Final = 100
"""segments, and snapshots, the newest ones"""
_NO_FOOTER: Final = "it has no readable footer, though it is not the last"


class SegmentFile(Struct, frozen=True):
    """One segment."""

    file: str
    first: int
    last: int | None
    """None while it grows"""
    bytes: int
    """as it was written, whether or not it is compressed"""
    file_bytes: int
    compressed: bool
    created_at_us: int | None
    damage: str | None = None

    @property
    def sealed(self) -> bool:
        """Whether it is complete and will never change."""
        return self.last is not None


class SnapshotFile(Struct, frozen=True):
    """One snapshot."""

    file: str
    position: int
    bytes: int
    created_at_us: int | None
    damage: str | None = None


class Inventory(Struct, frozen=True):
    """What is there, the newest first; `segments_total` counts those that are not listed as well."""

    segments_total: int = 0
    segments: tuple[SegmentFile, ...] = ()
    snapshots: tuple[SnapshotFile, ...] = ()


class Stocktaking:
    """Lists the files of one data directory, again and again; sealed segments are opened once."""

    def __init__(self, disk: Disk, home: Home, cluster: str) -> None:
        self._disk = disk
        self._home = home
        self._cluster = cluster
        self._sealed: dict[str, SegmentFile] = {}

    def __call__(self) -> Inventory:
        """List them as they are now. What another process removes meanwhile is left out."""
        there = bases(self._disk, self._home)
        present = set(self._disk.names(self._home.log))
        segments = [
            found
            for base in reversed(there[-LISTED_MAX:])
            if (found := self._segment(base, present, there[-1])) is not None
        ]
        self._sealed = {one.file: one for one in segments if one.sealed}
        return Inventory(len(there), tuple(segments), tuple(self._snapshots()))

    def _segment(self, base: int, present: set[str], newest: int) -> SegmentFile | None:
        plain, archive = self._home.segment(base), self._home.archive(base)
        path = plain if plain.name in present else archive
        known = self._sealed.get(path.name)
        if known is not None:
            return known
        size = 0
        try:
            size = self._disk.size(path)
            found = _described(describe(self._disk, self._home, base, self._cluster))
        except (LogExpired, FileNotFoundError):
            return None
        except LogDamaged as damaged:
            return SegmentFile(
                file=path.name,
                first=base,
                last=None,
                bytes=size,
                file_bytes=size,
                compressed=path == archive,
                created_at_us=None,
                damage=damaged.reason,
            )
        return found if found.sealed or base == newest else replace(found, damage=_NO_FOOTER)

    def _snapshots(self) -> list[SnapshotFile]:
        store = SnapshotStore(self._home.directory, self._cluster, self._disk)
        found = []
        for position in store.positions()[:LISTED_MAX]:
            with suppress(FileNotFoundError):
                found.append(self._snapshot(store, position))
        return found

    def _snapshot(self, store: SnapshotStore, position: int) -> SnapshotFile:
        path = self._home.snapshot(position)
        size = self._disk.size(path)
        try:
            head = store.open(position).head
        except SnapshotDamaged as damaged:
            return SnapshotFile(path.name, position, size, None, damaged.reason)
        return SnapshotFile(path.name, position, size, head.created_at_us)


def _described(segment: SegmentInfo) -> SegmentFile:
    return SegmentFile(
        file=segment.path.name,
        first=segment.base,
        last=None if segment.footer is None else segment.footer.last,
        bytes=segment.bytes,
        file_bytes=segment.file_bytes,
        compressed=segment.compressed,
        created_at_us=segment.header.created_at_us,
    )
