"""Judged jobs added up: a few numbers for each queue, recorded and what-if side by side."""

from array import array
from collections import Counter
from typing import Final

from msgspec import Struct, field

from projections.whatif import Fate, Outcome
from projections.whatif.comparison import Judged

PERCENTILES: Final = (50, 90, 99)


class Side:
    """One of the two histories. `durations` are from creation to the end, where both have one."""

    __slots__ = ("attempts", "backoff_us", "durations", "outcomes")

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.attempts = 0
        self.backoff_us = 0
        self.durations: array[int] = array("q")  # eight bytes a job

    def add(self, fate: Fate) -> None:
        """Count a job."""
        self.outcomes[fate.outcome] += 1
        self.attempts += fate.attempts
        self.backoff_us += fate.backoff_us

    def percentiles(self) -> dict[int, int] | None:
        """Give how long jobs took, by percentage (the nearest rank); nothing without any."""
        found = sorted(self.durations)
        if not found:
            return None
        return {share: found[-(-len(found) * share // 100) - 1] for share in PERCENTILES}


class Sum(Struct):
    """What the jobs of a queue, or of all, come to. `moves` counts outcomes that differ.

    `refused` things done to jobs would have found nothing to do; `left_out` jobs hang together with
    one that an undo changed, and are counted as recorded.
    """

    jobs: int = 0
    recorded: Side = field(default_factory=Side)
    what_if: Side = field(default_factory=Side)
    moves: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    differing: int = 0
    refused: int = 0
    left_out: int = 0

    def add(self, one: Judged) -> None:
        """Count a job."""
        recorded, what_if = one.recorded, one.what_if
        self.jobs += 1
        self.recorded.add(recorded)
        self.what_if.add(what_if)
        self.refused += one.refused
        self.left_out += one.odd
        self.differing += recorded != what_if
        if recorded.outcome is not what_if.outcome:
            self.moves[recorded.outcome, what_if.outcome] += 1
        if recorded.ended_at is not None and what_if.ended_at is not None:
            self.recorded.durations.append(recorded.ended_at - one.created_at)
            self.what_if.durations.append(what_if.ended_at - one.created_at)


class Report:
    """Sums by queue and of all, and the first jobs whose outcome differs."""

    def __init__(self, limit: int) -> None:
        self.total = Sum()
        self.queues: dict[str, Sum] = {}
        self.listed: list[Judged] = []
        self._limit = limit

    def add(self, one: Judged) -> None:
        """Count a job, and list it if its outcome differs and there is room."""
        self.total.add(one)
        queue = self.queues.get(one.queue)
        if queue is None:
            queue = self.queues[one.queue] = Sum()
        queue.add(one)
        if one.recorded.outcome is not one.what_if.outcome and len(self.listed) < self._limit:
            self.listed.append(one)
