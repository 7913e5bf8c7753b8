"""How late the event loop is: whatever holds it up holds up every request.

A machine with too much to do makes it late as well. Linux tells how long a thread was ready and got
no processor, so that can be told apart; elsewhere all of it counts as our own.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from server.clock import monotonic_ns
from server.tally import NS_PER_SEC, Histogram

PERIOD_SECS: Final = 0.01
SCHEDSTAT: Final = "/proc/thread-self/schedstat"
"""Three numbers: nanoseconds on a processor, nanoseconds ready and waiting for one, time slices."""
_PERIOD_NS: Final = int(PERIOD_SECS * NS_PER_SEC)
_MS_NS: Final = 1_000_000
_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)


class LoopLag:
    """How late a sleeper woke, each time, and at worst; `worst_own_ns` without waits for a processor."""

    def __init__(self) -> None:
        self.lags = Histogram(tuple(bound * _MS_NS for bound in _BOUNDS_MS), NS_PER_SEC)
        self.worst_ns = 0
        self.worst_own_ns = 0

    def observe(self, late_ns: int, waited_ns: int = 0) -> None:
        """Count one waking, `waited_ns` of whose lateness passed for want of a processor."""
        self.lags.observe(late_ns)
        self.worst_ns = max(self.worst_ns, late_ns)
        self.worst_own_ns = max(self.worst_own_ns, late_ns - waited_ns)


async def watch_loop(lag: LoopLag) -> None:
    """Sleep and see how late it got, until cancelled."""
    with _schedstat() as schedstat:
        waited_ns = _waited_ns(schedstat)
        while True:
            due_ns = monotonic_ns() + _PERIOD_NS
            await asyncio.sleep(PERIOD_SECS)
            # A coarse timer may also wake too early.
            late_ns = max(0, monotonic_ns() - due_ns)
            before_ns, waited_ns = waited_ns, _waited_ns(schedstat)
            lag.observe(late_ns, waited_ns - before_ns)


@contextmanager
def _schedstat() -> Iterator[int | None]:
    """Open what the kernel tells of this thread, where it does."""
    try:
        fd = os.open(SCHEDSTAT, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _waited_ns(schedstat: int | None) -> int:
    return 0 if schedstat is None else int(os.pread(schedstat, 128, 0).split()[1])
