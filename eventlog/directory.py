"""The data directory: where things stand, who it belongs to, and which segments it holds.

`survey` checks that the segments follow one another (names, headers and footers); it does not read
the records. Nothing is changed here except by `initialise`.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, MsgspecError, Struct, field, json

from eventlog.disk import Disk, write_all
from eventlog.errors import LogDamaged
from eventlog.frame import FORMAT, Footer, Header, first_state, parse_footer, parse_header
from eventlog.mark import Mark, parse_slots

_SUFFIX: Final = ".log"
_NAME_DIGITS: Final = 20
_EDGE_BYTES: Final = 4096
"""more than a header or a footer needs"""
_UPGRADE: Final = "Use a version of Spoolog that knows it; nothing was changed."


class Home:
    """The paths inside a data directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.lock = directory / "LOCK"
        self.meta = directory / "meta.json"
        self.mark = directory / "DURABLE"
        self.quarantine = directory / "quarantine"

    def segment(self, base: int) -> Path:
        """Give the path of the segment that starts at `base`."""
        return self.log / f"{base:0{_NAME_DIGITS}d}{_SUFFIX}"


class Identity(Struct, frozen=True):
    """What ``meta.json`` says: whose log this is."""

    format: int
    cluster: Annotated[str, Meta(min_length=1)]
    created_at_us: int = field(name="created_at")


class SegmentInfo(Struct, frozen=True):
    """One segment file as its first and last line describe it."""

    path: Path
    header: Header
    header_bytes: int
    footer: Footer | None
    bytes: int

    @property
    def base(self) -> int:
        """The first position, whether or not a record stands there yet."""
        return self.header.base

    @property
    def sealed(self) -> bool:
        """Whether the segment is complete and will never change."""
        return self.footer is not None


class _Expected(Struct, frozen=True):
    """What the header of the next segment must say."""

    base: int
    state: str
    prev_sha256: str
    epoch_min: int


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
        identity = json.decode(disk.read(home.meta, 0, _EDGE_BYTES), type=Identity)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise LogDamaged(home.meta, 0, 1, 0, f"it cannot be read ({error})") from error
    if identity.format != FORMAT:
        raise LogDamaged(home.meta, 0, 1, 0, f"format {identity.format} is unknown", hint=_UPGRADE)
    return identity


def read_mark(disk: Disk, home: Home) -> tuple[Mark, int]:
    """Read the durable mark and the slot it stands in."""
    if home.mark.name not in disk.names(home.directory):
        return parse_slots(b"")
    return parse_slots(disk.read(home.mark, 0, _EDGE_BYTES))


def bases(disk: Disk, home: Home) -> list[int]:
    """List the first positions of all segments, in order."""
    return sorted(
        int(name.removesuffix(_SUFFIX))
        for name in disk.names(home.log)
        if name.endswith(_SUFFIX)
        and len(name) == _NAME_DIGITS + len(_SUFFIX)
        and name[:_NAME_DIGITS].isascii()
        and name[:_NAME_DIGITS].isdigit()
    )


def survey(disk: Disk, home: Home, cluster: str) -> list[SegmentInfo]:
    """Describe all segments, and check that each continues the one before.

    Raises:
        LogDamaged: one is missing, foreign, out of place or not sealed though it is not the last.

    """
    found: list[SegmentInfo] = []
    for base in bases(disk, home):
        found.append(load_segment(disk, home, base, cluster, found[-1] if found else None))
    return found


def survey_around(disk: Disk, home: Home, cluster: str, position: int) -> list[SegmentInfo]:
    """Describe the segment that should hold `position`, behind the one before it, if there is one.

    No other is opened, so the cost is the same in a log of any length.

    Raises:
        LogDamaged: it is missing or foreign, or does not continue the one before.

    """
    names = bases(disk, home)
    index = bisect_right(names, position) - 1
    if index < 0:
        raise LogDamaged(home.segment(1), 0, 1, position, "its segment is missing")
    if index == 0:
        return [load_segment(disk, home, names[0], cluster, None)]
    previous = _describe(disk, home, names[index - 1], cluster)
    return [previous, load_segment(disk, home, names[index], cluster, previous)]


def load_segment(
    disk: Disk, home: Home, base: int, cluster: str, previous: SegmentInfo | None
) -> SegmentInfo:
    """Describe one segment, and check that it continues the one before.

    Raises:
        LogDamaged: it does not.

    """
    segment = _describe(disk, home, base, cluster)
    if previous is not None and previous.footer is None:
        raise _without_footer(disk, previous)
    expected = _expected(cluster, previous)
    if base > expected.base:
        reason = f"the segment with record {expected.base} is missing"
        raise LogDamaged(home.segment(expected.base), 0, 1, expected.base, reason)
    objection = _objection(segment.header, expected)
    if objection is not None:
        raise LogDamaged(segment.path, 0, 1, base, objection)
    return segment


def _without_footer(disk: Disk, segment: SegmentInfo) -> LogDamaged:
    """Describe a segment that must be sealed, because another follows, and does not look so."""
    data = disk.read(segment.path, 0, segment.bytes)
    offset = data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1
    line = data.count(b"\n", 0, offset) + 1
    reason = "the segment has no readable footer, though it is not the last"
    return LogDamaged(segment.path, offset, line, 0, reason)


def _describe(disk: Disk, home: Home, base: int, cluster: str) -> SegmentInfo:
    path = home.segment(base)
    first, newline, _ = disk.read(path, 0, _EDGE_BYTES).partition(b"\n")
    header = parse_header(first) if newline else None
    if header is None:
        raise LogDamaged(path, 0, 1, base, "the segment's header cannot be read")
    if header.format != FORMAT:
        reason = f"format {header.format} (written by {header.writer}) is unknown"
        raise LogDamaged(path, 0, 1, base, reason, hint=_UPGRADE)
    if header.cluster != cluster:
        reason = (
            f"the segment belongs to another log: its cluster is {header.cluster}, not {cluster}"
        )
        raise LogDamaged(path, 0, 1, base, reason)
    if header.base != base:
        reason = f"the segment's header starts at {header.base}, its name says otherwise"
        raise LogDamaged(path, 0, 1, base, reason)
    size = disk.size(path)
    return SegmentInfo(path, header, len(first) + 1, _read_footer(disk, path, size), size)


def _read_footer(disk: Disk, path: Path, size: int) -> Footer | None:
    end = disk.read(path, max(0, size - _EDGE_BYTES), _EDGE_BYTES)
    lines = end[:-1].rpartition(b"\n") if end.endswith(b"\n") else (b"", b"", b"")
    return parse_footer(lines[2])


def _objection(header: Header, expected: _Expected) -> str | None:
    """Say what keeps the segment from being the next one."""
    if header.base != expected.base:
        return f"the segment before it goes on to record {expected.base - 1}"
    if header.epoch < expected.epoch_min:
        return f"epoch {header.epoch} follows epoch {expected.epoch_min}"
    continues = (header.state, header.prev_sha256) == (expected.state, expected.prev_sha256)
    return None if continues else "the segment does not continue the one before it"


def _expected(cluster: str, previous: SegmentInfo | None) -> _Expected:
    if previous is None or previous.footer is None:
        return _Expected(1, first_state(cluster).hex(), "", 1)
    footer = previous.footer
    return _Expected(footer.last + 1, footer.state, footer.sha256, previous.header.epoch)
