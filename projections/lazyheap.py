"""A priority heap whose members can be taken out again: what is ready, and what is due.

Derived from the jobs, never stored. Reading in order pops nothing, so ``decide`` may do it; only
``fold`` adds and discards. A discarded entry stays in the heap until it surfaces or until such
entries outnumber the live ones, which bounds memory at twice the live entries and keeps every
operation at an amortised O(log n).
"""

import heapq
from collections.abc import Iterator
from typing import Final, Generic, Protocol, Self, TypeVar

_COMPACT_ABOVE: Final = 64


class Ordered(Protocol):
    """Anything that can be compared with its own kind; it must be hashable as well."""

    def __lt__(self, other: Self, /) -> bool: ...


K = TypeVar("K", bound=Ordered)


class LazyHeap(Generic[K]):
    """Keys in order of an integer rank, lowest first; each key is in it once."""

    __slots__ = ("_heap", "_live")

    def __init__(self) -> None:
        self._heap: list[tuple[int, K]] = []
        self._live: dict[K, tuple[int, K]] = {}

    def __len__(self) -> int:
        return len(self._live)

    def add(self, rank: int, key: K) -> None:
        """Put `key` in at `rank`, or move it there."""
        entry = (rank, key)
        moved = key in self._live
        self._live[key] = entry
        heapq.heappush(self._heap, entry)
        if moved:
            self._settle()

    def discard(self, key: K) -> None:
        """Take `key` out if it is in."""
        if self._live.pop(key, None) is not None:
            self._settle()

    def first_rank(self) -> int | None:
        """Give the lowest rank, or nothing when empty."""
        # What surfaced stale was dropped by the change that made it so: the top is live.
        return self._heap[0][0] if self._heap else None

    def in_order(self) -> Iterator[tuple[int, K]]:
        """Walk the live entries from the lowest rank upwards, changing nothing; O(log k) a step."""
        heap, live = self._heap, self._live
        frontier = [(heap[0], 0)] if heap else []
        while frontier:
            entry, index = heapq.heappop(frontier)
            if live.get(entry[1]) is entry:
                yield entry
            for child in (2 * index + 1, 2 * index + 2):
                if child < len(heap):
                    heapq.heappush(frontier, (heap[child], child))

    def _settle(self) -> None:
        """Drop what was discarded: all of it when it outweighs the rest, else what surfaced."""
        heap, live = self._heap, self._live
        if len(heap) > 2 * len(live) + _COMPACT_ABOVE:
            self._heap = list(live.values())
            heapq.heapify(self._heap)
            return
        while heap and live.get(heap[0][1]) is not heap[0]:
            heapq.heappop(heap)
