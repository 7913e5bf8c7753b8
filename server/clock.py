"""The only readers of the clock.

``WallClock`` gives integer microseconds since the Unix epoch and never runs back; the engine also
keeps it from running behind the log. Durations are measured with ``monotonic_us`` and, on the way of
every request, with ``monotonic_ns``.
"""

import time
from typing import Final

monotonic_ns: Final = time.monotonic_ns
"""Gives nanoseconds from an arbitrary start, unaffected by clock steps."""


class WallClock:
    """Wall time that never runs back.

    After a step back it goes on, at three quarters of the pace, until the wall clock has caught up:
    leases and waits still end, a third later at most.
    """

    def __init__(self) -> None:
        self._last_us = 0
        self._slow_from: tuple[int, int] | None = None

    def __call__(self) -> int:
        """Give the time in microseconds."""
        now_us = time.time_ns() // 1_000
        if now_us < self._last_us or self._slow_from is not None:
            now_us = self._caught_up(now_us)
        self._last_us = now_us
        return now_us

    def start_at(self, at_us: int) -> None:
        """Give no time before `at_us` from now on: a log may hold times that are yet to come."""
        self._last_us = max(self._last_us, at_us)

    def _caught_up(self, wall_us: int) -> int:
        """Give the slowed time, or the wall clock's once that is no longer behind."""
        if self._slow_from is None:
            self._slow_from = self._last_us, monotonic_us()
        from_us, since_us = self._slow_from
        slowed_us = from_us + (monotonic_us() - since_us) * 3 // 4
        if slowed_us > wall_us:
            return slowed_us
        self._slow_from = None
        return wall_us


def monotonic_us() -> int:
    """Give microseconds from an arbitrary start, unaffected by clock steps."""
    return time.monotonic_ns() // 1_000
