"""Which position of a log belongs to which time: marks spread evenly over its bytes.

Found without reading what lies between. Reads a data directory and changes nothing.
"""

from itertools import zip_longest
from typing import Final

from msgspec import Struct

from eventlog import Reader, SegmentInfo
from projections.events import decode

MARKS_MAX: Final = 200
_STEP_BYTES_MIN: Final = 512


class Landmark(Struct, frozen=True):
    """A record's position and its time in microseconds."""

    position: int
    at_us: int


class Landmarks:
    """Finds marks, and remembers them: what was written once stays."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[int, int], Landmark] = {}
        """by segment and offset in it"""

    def upto(self, last: int) -> list[Landmark]:
        """Give up to `MARKS_MAX` marks, from the first record that is there to the one at `last`."""
        segments = self._reader.segments()
        step = _STEP_BYTES_MIN
        while sum(segment.bytes for segment in segments) > step * MARKS_MAX:
            step *= 2  # so that most marks stay as the log grows
        marks: list[Landmark] = []
        before = 0
        for segment, following in zip_longest(segments, segments[1:]):
            for offset in range(-before % step, segment.bytes, step):
                mark = self._mark(segment, offset)
                if mark is None and following is not None:
                    mark = self._mark(following, 0)  # it was the end of its segment
                if (
                    mark is not None
                    and (marks[-1].position if marks else 0) < mark.position <= last
                ):
                    marks.append(mark)
            before += segment.bytes
        return marks

    def _mark(self, segment: SegmentInfo, offset: int) -> Landmark | None:
        known = self._known.get((segment.base, offset))
        if known is None:
            entry = self._reader.glimpse(segment, offset)
            if entry is None:
                return None
            record = decode(*entry)
            known = self._known[segment.base, offset] = Landmark(record.position, record.at)
        return known
