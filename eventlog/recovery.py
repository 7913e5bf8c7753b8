"""What stands at the end of the log at start: looked at first, and changed only by `take_over`.

`inspect` reads the last segment and judges its tail. `take_over` makes a new writer's segment: it
sets a torn last write aside, seals what an earlier process left, and never appends to it. Damage is
not cured here.
"""

from pathlib import Path

from msgspec import Struct

from eventlog.content import Content
from eventlog.directory import Home, bases, segment_path
from eventlog.disk import Disk, write_all
from eventlog.frame import FORMAT, Header, chain_hex, first_state
from eventlog.mark import Mark, MarkFile
from eventlog.segment import ActiveSegment
from eventlog.walker import Torn, Walker


class Recovery(Struct):
    """A torn last write: found when the log was opened, set aside when it was begun."""

    file: Path
    offset: int
    bytes: int
    position: int
    """of the first record that is lost; nobody was told that it had been durable"""
    quarantine: Path | None = None
    """where the bytes are kept, once they are cut"""

    @classmethod
    def of(cls, file: Path, torn: Torn | None) -> "Recovery | None":
        """Name the file of a torn tail, if there is one."""
        return None if torn is None else cls(file, torn.offset, torn.bytes, torn.position)

    def __str__(self) -> str:  # type: ignore[explicit-override]  # needs Python 3.12
        """Say it in one sentence."""
        text = (
            f"{self.file} ends with {self.bytes} bytes of an unfinished write at byte"
            f" {self.offset}, where record {self.position} would stand; it was never acknowledged"
        )
        return text if self.quarantine is None else f"{text}; kept in {self.quarantine}"


class Found(Struct, frozen=True):
    """The end of the log as it was found."""

    last: int
    state: bytes
    epoch: int
    walker: Walker
    recovery: Recovery | None


class TakenOver(Struct, frozen=True):
    """What the new writer starts with."""

    segment: ActiveSegment
    mark: MarkFile
    segments_sealed: int
    bytes_sealed: int


def inspect(disk: Disk, home: Home, cluster: str) -> Found:
    """Read the last segment and judge its tail. Nothing is changed.

    Raises:
        LogDamaged: there is more wrong than an unfinished last write.

    """
    base = max(bases(disk, home), default=1)
    if base in bases(disk, home):
        # After a failed sync the cache may hold what the device does not: ask the device.
        disk.forget_cached(segment_path(disk, home, base))
    walker = Walker(disk, home, cluster, base - 1, hashed=True)
    while walker.next():
        pass
    cursor, segment = walker.cursor, walker.segment
    if cursor is None or segment is None:
        return Found(0, first_state(cluster), 0, walker, None)
    return Found(
        last=cursor.position,
        state=cursor.state,
        epoch=segment.header.epoch,
        walker=walker,
        recovery=Recovery.of(segment.path, walker.torn),
    )


def take_over(
    disk: Disk, home: Home, found: Found, *, cluster: str, created_at_us: int, writer: str
) -> TakenOver:
    """Open the new writer's segment behind everything that was found."""
    prev_sha256 = _settle(disk, home, found)
    header = Header(
        format=FORMAT,
        base=found.last + 1,
        state=found.state.hex(),
        prev_sha256=prev_sha256,
        epoch=found.epoch + 1,
        cluster=cluster,
        created_at_us=created_at_us,
        writer=writer,
    )
    sealed = [base for base in bases(disk, home) if base != header.base]
    size = sum(Content(disk, home, base).size() for base in sealed)
    mark = _advanced_mark(disk, home, found)
    try:
        segment = ActiveSegment.create(disk, home, header)
    except OSError:
        mark.close()
        raise
    return TakenOver(segment, mark, len(sealed), size)


def _advanced_mark(disk: Disk, home: Home, found: Found) -> MarkFile:
    """Open the mark, and note that what was found has been synced by sealing it."""
    mark = MarkFile(disk, disk.open_update(home.mark), found.walker.mark_slot)
    try:
        if found.last:
            mark.advance(Mark(found.last, chain_hex(found.state)))
    except OSError:
        mark.close()
        raise
    return mark


def _settle(disk: Disk, home: Home, found: Found) -> str:
    """End the last segment; give the hash in its footer for the next header."""
    cursor, info = found.walker.cursor, found.walker.segment
    # A process that was killed may have left names that are only in the cache: a power loss would
    # take them away from under what is built on them now.
    disk.sync_directory(home.directory)
    disk.sync_directory(home.log)
    if cursor is None or info is None:
        return ""
    disk.sync_path(info.path)  # and so may its last bytes be, its footer among them
    if cursor.footer is not None:
        return cursor.footer.sha256
    torn = found.recovery
    if torn is not None:
        torn.quarantine = _set_aside(disk, home, torn)
    if not cursor.records:
        # A segment without records is replaced, with whatever is torn in it, by the new one.
        return info.header.prev_sha256
    content_hash = found.walker.content_hash
    assert content_hash is not None
    segment = ActiveSegment.reopen(disk, info.path, info.header, cursor.offset, content_hash)
    try:
        if torn is not None:
            segment.cut()
        return segment.seal(found.last, found.state)
    finally:
        segment.close()


def _set_aside(disk: Disk, home: Home, torn: Recovery) -> Path:
    """Copy the bytes that will be cut, so that nothing ever disappears."""
    if disk.make_directory(home.quarantine):
        disk.sync_directory(home.directory)  # or a crash loses the directory with the copy
    taken = set(disk.names(home.quarantine))
    number = 1
    while (name := f"{torn.file.stem}@{torn.offset}.{number}.torn") in taken:
        number += 1  # an earlier start copied it and crashed before it cut
    path = home.quarantine / name
    fd = disk.create(path)
    try:
        write_all(disk, fd, disk.read(torn.file, torn.offset, torn.bytes))
        disk.sync_file(fd)  # the copy must be durable before the original is cut
    finally:
        disk.close(fd)
    disk.sync_directory(home.quarantine)  # and so must its name
    return path
