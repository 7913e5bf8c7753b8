r"""Snapshots: what a log adds up to at a position, kept beside it so that nobody folds from the start.

The content is lines of somebody else's meaning. This file knows how they become durable, whole and
checkable: ``<data>/snapshots/<position, 20 digits>.snap`` is text, a head, the lines, and an end::

    <crc32> #snap {"format":1,"position":9,"state":"<64 hex>","digest":"…","cluster":"c1",…}
    …
    <crc32> #end {"lines":4,"bytes":512,"sha256":"<64 hex of all that stands before this line>"}

*state* is the hash chain's after the record at *position*, so a snapshot of another history shows.
A snapshot is a cache: a damaged one is passed over for the one before, and the log is the truth.
``<position>.figures`` beside it is wholly somebody else's; here it only goes when the snapshot does.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from msgspec import Meta, MsgspecError, Struct, field, json

from eventlog.disk import Disk, OsDisk, write_all
from eventlog.errors import SnapshotDamaged
from eventlog.frame import Count, Hash, framed, unframed
from eventlog.home import Home, figures_positions, snapshot_positions

if TYPE_CHECKING:
    from hashlib import _Hash as HashObject

FORMAT: Final = 1
KEPT: Final = 2
"""The newest, and the one before it for the day on which the newest is damaged."""

_HEAD_MARK: Final = b"#snap "
_END_MARK: Final = b"#end "
_EDGE_BYTES: Final = 4096
"""more than a head or an end needs"""
_READ_BYTES: Final = 1024 * 1024


class SnapshotHead(Struct, frozen=True):
    """The first line of a snapshot: of which history, up to where, and what it adds up to."""

    format: int
    position: Count
    state: Hash
    """the hash chain's state after the record at `position`"""
    digest: str
    """of the content, in the sense of whoever wrote it"""
    cluster: str
    created_at_us: Annotated[int, Meta(ge=0)] = field(name="created_at")
    writer: str = ""


class _End(Struct, frozen=True):
    """The last line: how much stands before it."""

    lines: Annotated[int, Meta(ge=0)]
    bytes: Count
    sha256: Hash


class Snapshot(Struct, frozen=True):
    """One complete snapshot file as its first line describes it. Its content was not read yet."""

    path: Path
    head: SnapshotHead
    head_bytes: int
    bytes: int

    @property
    def position(self) -> int:
        """The last record that it covers."""
        return self.head.position


class SnapshotStore:
    """The snapshots of one data directory. Whoever writes or prunes holds `keeping`."""

    def __init__(self, data_dir: Path, cluster: str, disk: Disk | None = None) -> None:
        self._disk = disk or OsDisk()
        self._home = Home(data_dir)
        self._cluster = cluster

    @property
    def directory(self) -> Path:
        """Where they stand."""
        return self._home.snapshots

    def positions(self) -> list[int]:
        """List the positions of what is there, sound or not, the newest first."""
        return snapshot_positions(self._disk, self._home)[::-1]

    def open(self, position: int) -> Snapshot:
        """Describe the snapshot at a position.

        Raises:
            SnapshotDamaged: its head cannot be read, or is of another log.

        """
        path = self._home.snapshot(position)
        try:
            first, newline, _ = self._disk.read(path, 0, _EDGE_BYTES).partition(b"\n")
            size = self._disk.size(path)
        except OSError as error:
            raise SnapshotDamaged(path, f"it cannot be read ({error.strerror})") from error
        head = _parse(first, _HEAD_MARK, SnapshotHead) if newline else None
        if head is None:
            raise SnapshotDamaged(path, "its first line cannot be read")
        if head.format != FORMAT:
            raise SnapshotDamaged(path, f"its format {head.format} is unknown")
        if head.cluster != self._cluster:
            raise SnapshotDamaged(path, f"it belongs to another log (cluster {head.cluster})")
        if head.position != position:
            raise SnapshotDamaged(
                path, f"it is of position {head.position}, its name says otherwise"
            )
        return Snapshot(path, head, len(first) + 1, size)

    def check(self, snapshot: Snapshot) -> None:
        """Read all of it and compare with its own checksum.

        Raises:
            SnapshotDamaged: it is not what was written.

        """
        path, size = snapshot.path, snapshot.bytes
        edge = self._read(path, max(0, size - _EDGE_BYTES))
        last = edge[:-1].rpartition(b"\n")[2] if edge.endswith(b"\n") else b""
        end = _parse(last, _END_MARK, _End)
        if end is None:
            raise SnapshotDamaged(path, "its last line cannot be read")
        content_hash, newlines, offset = sha256(), 0, 0
        while offset < end.bytes and (data := self._read(path, offset)):
            data = data[: end.bytes - offset]
            content_hash.update(data)
            newlines += data.count(b"\n")
            offset += len(data)
        found = _End(newlines - 1, offset or 1, content_hash.hexdigest())  # the head is no content
        if found != end or offset + len(last) + 1 != size:
            raise SnapshotDamaged(path, "its checksum does not match")

    def lines(self, snapshot: Snapshot) -> Iterator[bytes]:
        """Give the content of a snapshot that was checked, line by line, without newlines."""
        held: bytes | None = None
        for line in self._raw_lines(snapshot.path, snapshot.head_bytes):
            if held is not None:
                yield held
            held = line  # the last one is the end

    def write(
        self,
        head: SnapshotHead,
        lines: Iterable[bytes],
        verify: Callable[[Iterator[bytes]], None],
    ) -> Snapshot:
        """Make a snapshot durable, all of it or nothing.

        It gets its name only after it was read back, its checksum compared, and `verify`, which is
        given the content as it stands on disk, raised nothing.
        """
        disk, directory = self._disk, self.directory
        disk.make_directory(directory)
        # A crash must not lose the directory. It may have been made by a process that was killed
        # before it could sync the name.
        disk.sync_directory(self._home.directory)
        self.sweep()
        path = self._home.snapshot(head.position)
        temporary = path.with_suffix(".tmp")
        first = framed(_HEAD_MARK + json.encode(head))
        fd = disk.create(temporary)
        try:
            size = _write(disk, fd, first, lines)
            disk.sync_file(fd)  # the name must never show a file that is not whole
        finally:
            disk.close(fd)
        written = Snapshot(temporary, head, len(first), size)
        disk.forget_cached(temporary)  # what is compared is what the device has, where it can be
        self.check(written)
        verify(self.lines(written))
        disk.rename(temporary, path)
        disk.sync_directory(directory)  # from here on older ones, and parts of the log, may go
        return Snapshot(path, head, written.head_bytes, size)

    def prune(self, keep: int = KEPT) -> list[Path]:
        """Remove all but the newest `keep`; give what was removed."""
        gone = [self._home.snapshot(position) for position in self.positions()[keep:]]
        if gone:
            self.sync_names()
        for path in gone:
            self._disk.unlink(path)
        there = set(self.positions())
        for position in figures_positions(self._disk, self._home):
            if position not in there:
                self._disk.unlink(self._home.figures(position))
        return gone

    def sync_names(self) -> None:
        """Make durable which snapshots are there, before anything goes that they stand for.

        Their content is; but who made one may have been killed before it could sync the name.
        """
        self._disk.sync_directory(self.directory)

    def sweep(self) -> None:
        """Remove what a crash left half written."""
        for name in self._disk.names(self.directory):
            if name.endswith(".tmp"):
                self._disk.unlink(self.directory / name)

    def _raw_lines(self, path: Path, offset: int) -> Iterator[bytes]:
        """Give all whole lines from an offset on; what is behind the last newline is no line."""
        rest = b""
        while data := self._read(path, offset):
            offset += len(data)
            *whole, rest = (rest + data).split(b"\n")
            yield from whole

    def _read(self, path: Path, offset: int) -> bytes:
        try:
            return self._disk.read(path, offset, _READ_BYTES)
        except OSError as error:
            raise SnapshotDamaged(path, f"it cannot be read ({error.strerror})") from error


def newest_sound(
    store: SnapshotStore,
    on_damaged: Callable[[SnapshotDamaged], None],
    *,
    upto: int | None = None,
) -> Iterator[Snapshot]:
    """Give the snapshots whose content is as it was written, not behind `upto`, the newest first.

    `on_damaged` hears of those that are passed over.
    """
    for position in store.positions():
        if upto is not None and position > upto:
            continue
        try:
            snapshot = store.open(position)
            store.check(snapshot)
        except SnapshotDamaged as damaged:
            on_damaged(damaged)
        else:
            yield snapshot


def _write(disk: Disk, fd: int, head: bytes, lines: Iterable[bytes]) -> int:
    """Write a snapshot's file; give its size."""
    content_hash: HashObject = sha256(head)
    count, size = 0, len(head)
    parts, gathered = [head], len(head)
    for line in lines:
        assert b"\n" not in line, "a snapshot's content is lines"
        count += 1
        part = line + b"\n"
        content_hash.update(part)
        size += len(part)
        gathered += len(part)
        parts.append(part)
        if gathered >= _READ_BYTES:
            write_all(disk, fd, b"".join(parts))
            parts, gathered = [], 0
    end = framed(_END_MARK + json.encode(_End(count, size, content_hash.hexdigest())))
    write_all(disk, fd, b"".join([*parts, end]))
    return size + len(end)


T = TypeVar("T", SnapshotHead, _End)


def _parse(line: bytes, mark: bytes, kind: type[T]) -> T | None:
    rest = unframed(line)
    if rest is None or not rest.startswith(mark):
        return None
    with suppress(MsgspecError, ValueError, RecursionError):
        return json.decode(rest[len(mark) :], type=kind)
    return None
