"""Where a log can be entered without reading a segment from its start. Kept in memory, never stored.

A place is what a reader knows after a record: its position, the offset behind it, the hash chain so
far and the record's batch. Whoever enters there verifies all that follows as if it had come from the
start. The writer notes places as it writes, readers as they read; both may do so from threads of
their own. Only what was verified or written here is noted, so a place is never wrong, and damage
that came later shows against it.
"""

from bisect import bisect_right, insort
from threading import Lock
from typing import Final, NamedTuple

EVERY_RECORDS: Final = 256
"""Places are at least so many records apart: reading one record costs reading twice that at most."""
PLACES_MAX: Final = 4_096
"""of all segments, about 1 MB: then those of the segment that was used longest ago are forgotten"""


class Place(NamedTuple):
    """After the record at `position`: the next line begins at `offset`."""

    position: int
    offset: int
    state: bytes
    batch: int


class Places:
    """The places of all segments, by the position of their first record."""

    def __init__(self, places_max: int = PLACES_MAX) -> None:
        self._places: dict[int, list[Place]] = {}
        """the segment that was used last is the last"""
        self._count = 0
        self._places_max = places_max
        self._lock = Lock()

    def note(self, base: int, place: Place) -> None:
        """Take a place in, unless there is one nearby."""
        with self._lock:
            places = self._used(base)
            index = bisect_right(places, place)
            near = [
                abs(other.position - place.position) < EVERY_RECORDS
                for other in places[max(index - 1, 0) : index + 1]
            ]
            if not any(near) and place.position >= base:
                insort(places, place)
                self._count += 1
                while self._count > self._places_max and len(self._places) > 1:
                    self._count -= len(self._places.pop(next(iter(self._places))))

    def before(self, base: int, position: int) -> Place | None:
        """Give the last place of a segment that is not behind `position`."""
        with self._lock:
            places = self._used(base) if base in self._places else []
            index = bisect_right(places, position, key=lambda place: place.position)
            return places[index - 1] if index else None

    def _used(self, base: int) -> list[Place]:
        """Give a segment's places, and count it as the one that was used last."""
        places = self._places[base] = self._places.pop(base, [])
        return places
