"""Where the files of a data directory stand, who it belongs to, and which segments are there.

Names and small files; what segments hold is looked at in ``eventlog.directory``. Nothing is changed
here except by `initialise` and `write_identity`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, MsgspecError, Struct, field, json

from eventlog.disk import Disk, write_all
from eventlog.errors import Locked, LogDamaged, LogExpired
from eventlog.frame import FORMAT, Start, parse_start
from eventlog.mark import Mark, parse_slots

_PLAIN: Final = ".log"
_ARCHIVE: Final = ".log.zst"
_SNAPSHOT: Final = ".snap"
_FIGURES: Final = ".figures"
_NAME_DIGITS: Final = 20
EDGE_BYTES: Final = 4096
"""more than a header or a footer needs"""
UPGRADE: Final = "Use a version of Spoolog that knows it; nothing was changed."


class Home:
    """The paths inside a data directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.start = self.log / "START"
        self.lock = directory / "LOCK"
        self.keeping = directory / "KEEPING"
        self.meta = directory / "meta.json"
        self.mark = directory / "DURABLE"
        self.quarantine = directory / "quarantine"
        self.repairs = directory / "repairs.log"
        self.tree = directory / "TREE"
        self.snapshots = directory / "snapshots"

    def segment(self, base: int) -> Path:
        """Give the path of the segment that starts at `base`, as it is written."""
        return self.log / f"{base:0{_NAME_DIGITS}d}{_PLAIN}"

    def snapshot(self, position: int) -> Path:
        """Give the path of the snapshot of a position."""
        return self.snapshots / f"{position:0{_NAME_DIGITS}d}{_SNAPSHOT}"

    def figures(self, position: int) -> Path:
        """Give the path of what was counted up to that snapshot; it may be missing."""
        return self.snapshots / f"{position:0{_NAME_DIGITS}d}{_FIGURES}"

    def archive(self, base: int) -> Path:
        """Give the path of the same segment, compressed."""
        return self.log / f"{base:0{_NAME_DIGITS}d}{_ARCHIVE}"


class Identity(Struct, frozen=True):
    """What ``meta.json`` says: whose log this is."""

    format: int
    cluster: Annotated[str, Meta(min_length=1)]
    created_at_us: int = field(name="created_at")


def initialise(disk: Disk, home: Home) -> None:
    """Make the directories that are missing."""
    for directory in (*reversed(home.directory.absolute().parents), home.directory, home.log):
        if disk.make_directory(directory):
            # A crash must not lose the name of a directory whose content was acknowledged.
            disk.sync_directory(directory.parent)


def write_identity(disk: Disk, home: Home, identity: Identity) -> None:
    """Write ``meta.json``, all of it or nothing."""
    # The directory may have been made by a process that was killed before it could sync the name.
    disk.sync_directory(home.directory.absolute().parent)
    temporary = home.meta.with_suffix(".tmp")
    if temporary.name in disk.names(home.directory):
        disk.unlink(temporary)  # left by a crash in the middle of these lines
    fd = disk.create(temporary)
    try:
        write_all(disk, fd, json.encode(identity) + b"\n")
        disk.sync_file(fd)  # the new name must never show an empty file
    finally:
        disk.close(fd)
    disk.rename(temporary, home.meta)
    # A crash that lost the name would give the log another identity at the next start.
    disk.sync_directory(home.directory)


def read_identity(disk: Disk, home: Home) -> Identity | None:
    """Read ``meta.json``; None when it does not exist."""
    if home.meta.name not in disk.names(home.directory):
        return None
    try:
        identity = json.decode(disk.read(home.meta, 0, EDGE_BYTES), type=Identity)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise LogDamaged(home.meta, 0, 1, 0, f"it cannot be read ({error})") from error
    if identity.format != FORMAT:
        raise LogDamaged(home.meta, 0, 1, 0, f"format {identity.format} is unknown", hint=UPGRADE)
    return identity


def read_mark(disk: Disk, home: Home) -> tuple[Mark, int]:
    """Read the durable mark and the slot it stands in."""
    if home.mark.name not in disk.names(home.directory):
        return parse_slots(b"")
    return parse_slots(disk.read(home.mark, 0, EDGE_BYTES))


def read_start(disk: Disk, home: Home) -> Start | None:
    """Say where the log begins; None when nothing has expired from it.

    Raises:
        LogDamaged: that cannot be read.

    """
    try:
        line = disk.read(home.start, 0, EDGE_BYTES)
    except FileNotFoundError:
        return None
    start = parse_start(line[:-1]) if line.endswith(b"\n") else None
    if start is None:
        raise LogDamaged(home.start, 0, 1, 0, "the beginning of the log cannot be read")
    return start


def bases(disk: Disk, home: Home) -> list[int]:
    """List the first positions of all segments, plain or compressed, in order.

    Those that have expired are not among them, though a crash may have left their files.
    """
    found = all_bases(disk, home)
    start = read_start(disk, home)
    return found if start is None else [base for base in found if base >= start.first]


def all_bases(disk: Disk, home: Home) -> list[int]:
    """List the first positions of all segments of which there is a file."""
    found = (base_of(name) for name in disk.names(home.log))
    return sorted({base for base in found if base is not None})


def base_of(name: str) -> int | None:
    """Give the first position of the segment that has a file of this name; None for other names."""
    return _number_of(name) if name[_NAME_DIGITS:] in {_PLAIN, _ARCHIVE} else None


def snapshot_positions(disk: Disk, home: Home) -> list[int]:
    """List the positions of all complete snapshots, sound or not, in order."""
    names = disk.names(home.snapshots)
    found = (_number_of(name) for name in names if name[_NAME_DIGITS:] == _SNAPSHOT)
    return sorted(position for position in found if position is not None)


def figures_positions(disk: Disk, home: Home) -> list[int]:
    """List the positions of which there are figures, in order."""
    names = disk.names(home.snapshots)
    found = (_number_of(name) for name in names if name[_NAME_DIGITS:] == _FIGURES)
    return sorted(position for position in found if position is not None)


def _number_of(name: str) -> int | None:
    digits = name[:_NAME_DIGITS]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def segment_path(disk: Disk, home: Home, base: int) -> Path:
    """Give the path of the file in which a segment stands now: while both are there, the plain one.

    Raises:
        LogExpired: it was removed on demand.
        LogDamaged: there is none.

    """
    # In this order: the compressed file gets its name before the plain one loses it.
    for path in (home.segment(base), home.archive(base)):
        with suppress(FileNotFoundError):
            disk.size(path)
            return path
    start = read_start(disk, home)
    if start is not None and base < start.first:
        raise LogExpired(start.first)
    raise LogDamaged(home.segment(base), 0, 1, base, "its segment is missing")


@contextmanager
def keeping(disk: Disk, home: Home, holder: str) -> Iterator[None]:
    """Be the only process that makes snapshots, or replaces or removes sealed segments.

    Raises:
        Locked: another one does.

    """
    try:
        # Two that compress the same segment would give each other's half-written file its name.
        lock = disk.lock(home.keeping, holder)
    except BlockingIOError as error:
        raise Locked(home.keeping, str(error)) from error
    try:
        yield
    finally:
        disk.close(lock)
