"""What is due when: lease ends, start times, expiries, silent workers. One heap for all of them.

Derived from the tables, never stored. ``fold`` keeps it; the timekeeper sleeps until ``next_due``
and ``decide.duties`` takes what is due.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import takewhile

from projections.lazyheap import LazyHeap


class Duty(StrEnum):
    """What is to be done when the moment comes. The order is that of equal moments."""

    EXPIRE_JOB = "1-expire-job"
    EXPIRE_LEASE = "2-expire-lease"
    PROMOTE = "3-promote"
    LOSE_WORKER = "4-lose-worker"


class Agenda:
    """Moments in microseconds, each with its duty and the id of the job or worker it is about."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: LazyHeap[tuple[str, str]] = LazyHeap()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, due_us: int, duty: Duty, subject: str) -> None:
        """Note that `duty` is due for `subject`, in place of any earlier moment for the same."""
        self._heap.add(due_us, (duty, subject))

    def discard(self, duty: Duty, subject: str) -> None:
        """Forget it, if it was noted."""
        self._heap.discard((duty, subject))

    def next_due(self) -> int | None:
        """Give the earliest moment, or nothing."""
        return self._heap.first_rank()

    def due(self, now_us: int) -> Iterator[tuple[Duty, str]]:
        """Walk what is due at `now_us`, earliest first, changing nothing."""
        entries = takewhile(lambda entry: entry[0] <= now_us, self._heap.in_order())
        return ((Duty(duty), subject) for _, (duty, subject) in entries)
