"""Finds a record in a segment without reading what stands before it: bisection over its bytes.

Records stand in order, so any question that is answered no up to a record and yes from it on can be
bisected: whether it lies behind a position, or (the caller knows) behind a moment. Each line that is
looked at must have its checksum. Nothing here judges damage: where a line cannot be read, the search
ends before it, and whoever reads on from there meets it.
"""

from collections.abc import Callable
from typing import Final

from eventlog.content import Content
from eventlog.errors import LogDamaged
from eventlog.frame import RecordFields, parse_record
from eventlog.places import Place

NEAR_BYTES: Final = 256 * 1024
"""Reading so much costs less than looking elsewhere."""
_LOOK_BYTES: Final = 16 * 1024

Behind = Callable[[RecordFields], bool]
"""Whether a record is the one that is looked for, or lies behind it."""


def before(content: Content, begin: Place, end: int, behind: Behind) -> Place:
    """Give a place not far before the first record that is `behind`, between `begin` and `end`.

    The place knows its position and offset; its chain and batch are those of `begin`.
    """
    place = begin
    while end - place.offset > NEAR_BYTES:
        middle = (place.offset + end) // 2
        found = line_at(content, middle, end)
        if found is None:
            end = middle
            continue
        offset, record = found
        if behind(record):
            end = middle
        else:
            place = begin._replace(position=record.position - 1, offset=offset)
    return place


def line_at(content: Content, offset: int, end: int) -> tuple[int, RecordFields] | None:
    """Read the first whole line behind an offset; None where there is none to be read."""
    size = _LOOK_BYTES
    while True:
        try:
            data = content.read(offset, size)
        except LogDamaged:
            return None
        first = data.find(b"\n")
        second = data.find(b"\n", first + 1)
        if first >= 0 and second >= 0:
            break
        if len(data) < size or offset + size >= end:
            return None
        size *= 4
    record = parse_record(data[first + 1 : second])
    return None if record is None else (offset + first + 1, record)
