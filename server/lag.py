"""How late the event loop is: whatever holds it up holds up every request."""

import asyncio
from typing import Final

from server.clock import monotonic_ns
from server.tally import NS_PER_SEC, Histogram

PERIOD_SECS: Final = 0.01
_PERIOD_NS: Final = int(PERIOD_SECS * NS_PER_SEC)
_MS_NS: Final = 1_000_000
_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)


class LoopLag:
    """How late a sleeper woke, each time, and at worst."""

    def __init__(self) -> None:
        self.lags = Histogram(tuple(bound * _MS_NS for bound in _BOUNDS_MS), NS_PER_SEC)
        self.worst_ns = 0

    def observe(self, late_ns: int) -> None:
        """Count one waking."""
        self.lags.observe(late_ns)
        self.worst_ns = max(self.worst_ns, late_ns)


async def watch_loop(lag: LoopLag) -> None:
    """Sleep and see how late it got, until cancelled."""
    while True:
        due_ns = monotonic_ns() + _PERIOD_NS
        await asyncio.sleep(PERIOD_SECS)
        # A coarse timer may also wake too early.
        lag.observe(max(0, monotonic_ns() - due_ns))
