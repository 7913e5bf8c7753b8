"""Which segments a data directory holds, and whether they follow one another.

`survey` looks at names, headers and footers; it does not read the records. Nothing is changed here.
Where files stand is told by ``eventlog.home``, whose names can be had from here too.
"""

from bisect import bisect_right
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from eventlog.content import Content
from eventlog.disk import Disk
from eventlog.errors import LogDamaged, LogExpired
from eventlog.frame import FORMAT, Footer, Header, first_state, parse_footer, parse_header
from eventlog.home import (
    UPGRADE,
    Home,
    Identity,
    bases,
    initialise,
    keeping,
    read_identity,
    read_mark,
    read_start,
    segment_path,
    write_identity,
)

__all__ = [
    "Home",
    "Identity",
    "SegmentInfo",
    "bases",
    "describe",
    "initialise",
    "keeping",
    "load_segment",
    "read_identity",
    "read_mark",
    "read_start",
    "segment_path",
    "state_between",
    "survey",
    "survey_around",
    "write_identity",
]


class SegmentInfo(Struct, frozen=True):
    """One segment as its first and last line describe it."""

    path: Path
    header: Header
    header_bytes: int
    footer: Footer | None
    bytes: int
    """as it was written, whether or not it is compressed"""
    file_bytes: int
    """as it stands on the disk"""
    compressed: bool

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


def survey(disk: Disk, home: Home, cluster: str) -> list[SegmentInfo]:
    """Describe all segments, and check that each continues the one before.

    Raises:
        LogDamaged: one is missing, foreign, out of place or not sealed though it is not the last.

    """
    while True:
        # When the oldest expire while they are looked at, the next look begins behind them.
        with suppress(LogExpired):
            return _survey(disk, home, cluster)


def _survey(disk: Disk, home: Home, cluster: str) -> list[SegmentInfo]:
    found: list[SegmentInfo] = []
    for base in bases(disk, home):
        found.append(load_segment(disk, home, base, cluster, found[-1] if found else None))
    start = read_start(disk, home)
    if start is not None and not found:
        raise LogDamaged(home.segment(start.first), 0, 1, start.first, "its segment is missing")
    return found


def survey_around(disk: Disk, home: Home, cluster: str, position: int) -> list[SegmentInfo]:
    """Describe the segment that should hold `position`, behind the one before it, if there is one.

    No other is opened, so the cost is the same in a log of any length.

    Raises:
        LogExpired: it was removed on demand.
        LogDamaged: it is missing or foreign, or does not continue the one before.

    """
    while True:
        try:
            return _survey_around(disk, home, cluster, position)
        except LogExpired as expired:
            if position < expired.first:
                raise
            # Only the one before it went while it was looked at.


def _survey_around(disk: Disk, home: Home, cluster: str, position: int) -> list[SegmentInfo]:
    names = bases(disk, home)
    index = bisect_right(names, position) - 1
    if index < 0:
        start = read_start(disk, home)
        if start is not None and position < start.first:
            raise LogExpired(start.first)
        raise LogDamaged(home.segment(1), 0, 1, position, "its segment is missing")
    if index == 0:
        return [load_segment(disk, home, names[0], cluster, None)]
    previous = describe(disk, home, names[index - 1], cluster)
    return [previous, load_segment(disk, home, names[index], cluster, previous)]


def state_between(segments: list[SegmentInfo], position: int) -> str | None:
    """Give the hash chain's state between two of the segments, hex; None anywhere else."""
    for segment in reversed(segments):
        if segment.base == position + 1:
            return segment.header.state
        if segment.footer is not None and segment.footer.last == position:
            return segment.footer.state
    return None


def load_segment(
    disk: Disk, home: Home, base: int, cluster: str, previous: SegmentInfo | None
) -> SegmentInfo:
    """Describe one segment, and check that it continues the one before.

    Without one before it, it must be the one with which the log begins.

    Raises:
        LogExpired: it was removed on demand.
        LogDamaged: it does not.

    """
    segment = describe(disk, home, base, cluster)
    if previous is not None and previous.footer is None:
        raise _without_footer(disk, home, previous)
    expected = _expected(disk, home, base, cluster, previous)
    if base > expected.base:
        reason = f"the segment with record {expected.base} is missing"
        raise LogDamaged(home.segment(expected.base), 0, 1, expected.base, reason)
    objection = _objection(segment.header, expected)
    if objection is not None:
        raise LogDamaged(segment.path, 0, 1, base, objection)
    return segment


def _without_footer(disk: Disk, home: Home, segment: SegmentInfo) -> LogDamaged:
    """Describe a segment that must be sealed, because another follows, and does not look so."""
    data = Content(disk, home, segment.base).read(0, segment.bytes)
    offset = data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1
    line = data.count(b"\n", 0, offset) + 1
    reason = "the segment has no readable footer, though it is not the last"
    return LogDamaged(segment.path, offset, line, 0, reason)


def describe(disk: Disk, home: Home, base: int, cluster: str) -> SegmentInfo:
    """Describe one segment by itself.

    Raises:
        LogDamaged: its header cannot be read, or is another's.

    """
    content = Content(disk, home, base)
    head = content.head()
    first, newline, _ = head.partition(b"\n")
    header = parse_header(first) if newline else None
    path = content.path
    if header is None:
        raise LogDamaged(path, 0, 1, base, "the segment's header cannot be read")
    if header.format != FORMAT:
        reason = f"format {header.format} (written by {header.writer}) is unknown"
        raise LogDamaged(path, 0, 1, base, reason, hint=UPGRADE)
    if header.cluster != cluster:
        reason = (
            f"the segment belongs to another log: its cluster is {header.cluster}, not {cluster}"
        )
        raise LogDamaged(path, 0, 1, base, reason)
    if header.base != base:
        reason = f"the segment's header starts at {header.base}, its name says otherwise"
        raise LogDamaged(path, 0, 1, base, reason)
    return _measured(content, home, header, len(first) + 1)


def _measured(content: Content, home: Home, header: Header, header_bytes: int) -> SegmentInfo:
    """Describe the rest: how long it is and what its last line says."""
    size, tail = content.size(), content.tail()
    lines = tail[:-1].rpartition(b"\n") if tail.endswith(b"\n") else (b"", b"", b"")
    segment = SegmentInfo(
        path=content.path,
        header=header,
        header_bytes=header_bytes,
        footer=parse_footer(lines[2]),
        bytes=size,
        file_bytes=content.file_bytes(),
        compressed=content.path == home.archive(header.base),
    )
    if segment.compressed and (
        segment.footer is None or segment.footer.bytes + len(lines[2]) + 1 != size
    ):
        reason = "its footer is not where the compressed segment ends"
        raise LogDamaged(segment.path, 0, 1, header.base, reason)
    return segment


def _objection(header: Header, expected: _Expected) -> str | None:
    """Say what keeps the segment from being the next one."""
    if header.base != expected.base:
        return f"the segment before it goes on to record {expected.base - 1}"
    if header.epoch < expected.epoch_min:
        return f"epoch {header.epoch} follows epoch {expected.epoch_min}"
    continues = (header.state, header.prev_sha256) == (expected.state, expected.prev_sha256)
    return None if continues else "the segment does not continue the one before it"


def _expected(
    disk: Disk, home: Home, base: int, cluster: str, previous: SegmentInfo | None
) -> _Expected:
    if previous is not None and previous.footer is not None:
        footer = previous.footer
        return _Expected(footer.last + 1, footer.state, footer.sha256, previous.header.epoch)
    start = read_start(disk, home)
    if start is None:
        return _Expected(1, first_state(cluster).hex(), "", 1)
    if base < start.first:
        raise LogExpired(start.first)
    return _Expected(start.first, start.state, start.prev_sha256, start.epoch)
