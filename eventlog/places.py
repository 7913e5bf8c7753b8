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
"""Places are so many records apart: reading one record costs reading that many at most."""


class Place(NamedTuple):
    """After the record at `position`: the next line begins at `offset`."""

    position: int
    offset: int
    state: bytes
    batch: int


class Places:
    """The places of all segments, by the position of their first record."""

    def __init__(self) -> None:
        self._places: dict[int, list[Place]] = {}
        self._lock = Lock()

    def note(self, base: int, place: Place) -> None:
        """Take a place in, unless there is one nearby."""
        with self._lock:
            places = self._places.setdefault(base, [])
            index = bisect_right(places, place)
            near = [
                abs(other.position - place.position) < EVERY_RECORDS
                for other in places[max(index - 1, 0) : index + 1]
            ]
            if not any(near) and place.position >= base:
                insort(places, place)

    def before(self, base: int, position: int) -> Place | None:
        """Give the last place of a segment that is not behind `position`."""
        with self._lock:
            places = self._places.get(base, [])
            index = bisect_right(places, position, key=lambda place: place.position)
            return places[index - 1] if index else None
