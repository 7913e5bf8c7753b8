"""Stand-ins for time and randomness: every run of a test sees the same moments and ids."""

from collections.abc import Callable
from itertools import count

SECOND_US = 1_000_000
START_US = 1_795_461_256_000_000


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def advance(self, secs: float) -> None:
        self.now_us += int(secs * SECOND_US)


def counting_ids(prefix: str = "id") -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers):06d}"
