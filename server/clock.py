"""The only readers of the clock.

``WallClock`` gives integer microseconds since the Unix epoch and never runs back within a process;
the engine also keeps it from running behind the log. Durations are measured with ``monotonic_us``
and, on the way of every request, with ``monotonic_ns``.
"""

import time
from typing import Final

monotonic_ns: Final = time.monotonic_ns
"""Gives nanoseconds from an arbitrary start, unaffected by clock steps."""


class WallClock:
    """Wall time that never runs back: a step back stands still until time has caught up."""

    def __init__(self, at_least_us: int = 0) -> None:
        self._last_us = at_least_us

    def __call__(self) -> int:
        """Give the time in microseconds."""
        now_us = time.time_ns() // 1_000
        if now_us < self._last_us:
            return self._last_us
        self._last_us = now_us
        return now_us


def monotonic_us() -> int:
    """Give microseconds from an arbitrary start, unaffected by clock steps."""
    return time.monotonic_ns() // 1_000
