"""When to say "not now": a log that lags behind, a disk that is almost full or takes nothing at all.

`Pressure.admit` is asked by the engine before every command and every duty, so the rule stands in
one place for HTTP, waiting claims, bulk actions and the timekeeper alike. Reads are never refused.
The plain attributes are there to be shown. No HTTP here.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from eventlog import Log
from projections.bounds import SECOND_US
from projections.decide import claims, duties, settlements, workers
from projections.errors import Refused
from server.clock import monotonic_us
from server.engine import Decide

LOOK_SECS: Final = 1.0
STUCK_SECS: Final = 5.0
"""A disk that takes nothing for this long is called stuck."""

FINISHING: Final[frozenset[Decide]] = frozenset(
    {
        settlements.complete,
        settlements.fail,
        settlements.complete_bulk,
        settlements.fail_bulk,
        settlements.release,
        claims.extend,
        workers.heartbeat,
        workers.deregister,
        duties.due,
    }
)
"""What brings running work to its end; it may use the first half of the reserve."""

_logger = logging.getLogger("spoolog.pressure")


class Busy(Refused):
    """Not now; wait as long as Retry-After says."""

    retry_after_secs: int = 1


class Overloaded(Busy):
    """Too much is under way; wait as long as Retry-After says."""

    code: ClassVar[str] = "OVERLOADED"


class StorageFull(Busy):
    """The disk of the log is almost full; nothing was changed."""

    code: ClassVar[str] = "STORAGE_FULL"
    retry_after_secs = 30


class Pressure:
    """How the log and its disk are doing, and what may be done meanwhile."""

    def __init__(self, log: Log, *, pending_bytes_max: int, disk_reserve_bytes: int) -> None:
        self.free_bytes: int | None = None
        """of the disk; unknown before the first look, and where nobody looks"""
        self.storage_full = False
        """whether new work is refused for lack of space"""
        self.stuck_secs = 0.0
        """for how long the log has had something to write and got nothing written"""
        self.overloaded_refusals = 0
        self.storage_full_refusals = 0
        self._log = log
        self._seen = (0, 0)
        self._pending_bytes_max = pending_bytes_max
        self._reserve_bytes = disk_reserve_bytes

    @property
    def overloaded(self) -> bool:
        """Whether more waits to become durable than may."""
        return self._log.pending_bytes > self._pending_bytes_max

    @property
    def stuck(self) -> bool:
        """Whether the disk seems to take nothing any more."""
        return self.stuck_secs > STUCK_SECS

    def admit(self, decide: Decide) -> None:
        """Let a command pass, or not.

        Raises:
            Overloaded: the log lags too far behind.
            StorageFull: there is too little space for a command of this kind.

        """
        # A claim is taken back because its client gave up waiting: most of all when the log lags.
        if self._log.pending_bytes > self._pending_bytes_max and decide is not settlements.release:
            self.overloaded_refusals += 1
            raise Overloaded
        if self.storage_full and not self._may_finish(decide):
            self.storage_full_refusals += 1
            raise StorageFull

    def _may_finish(self, decide: Decide) -> bool:
        assert self.free_bytes is not None
        return decide in FINISHING and self.free_bytes >= self._reserve_bytes // 2

    def found_free(self, free_bytes: int) -> None:
        """Note how much space there is."""
        before = self.storage_full
        self.free_bytes = free_bytes
        self.storage_full = free_bytes < self._reserve_bytes
        if self.storage_full != before:
            now = "new work is refused" if self.storage_full else "new work is welcome again"
            _logger.warning("%d bytes are free on the log's disk: %s", free_bytes, now)

    def saw_log(self, now_us: int) -> None:
        """Note whether the log has got on since the last look.

        The time between two looks counts up to what it should be: a process that was stopped for a
        while has not had a stuck disk.
        """
        seen_us, durable = self._seen
        log = self._log
        if log.last == log.durable_position or log.durable_position != durable:
            self.stuck_secs = 0.0
        else:
            self.stuck_secs += min((now_us - seen_us) / SECOND_US, 2 * LOOK_SECS)
        self._seen = now_us, log.durable_position


def free_bytes_of(directory: Path) -> int:
    """Give how much this process may still write to the disk of a directory."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


async def watch_space(
    pressure: Pressure, free_bytes: Callable[[], int], every_secs: float = LOOK_SECS
) -> None:
    """Look at the free space until cancelled; a hung disk hangs a thread, and nobody else."""
    failed = False
    while True:
        try:
            pressure.found_free(await asyncio.to_thread(free_bytes))
            failed = False
        except OSError as error:
            if not failed:
                _logger.warning("the free space of the log's disk cannot be told", exc_info=error)
            failed = True
        await asyncio.sleep(every_secs)


async def watch_log(
    pressure: Pressure, stuck_secs_max: float, on_stuck: Callable[[float], None] | None
) -> None:
    """Look at the log until cancelled; `on_stuck` hears when it was stuck too long, if ever."""
    while True:
        pressure.saw_log(monotonic_us())
        if on_stuck is not None and 0 < stuck_secs_max < pressure.stuck_secs:
            on_stuck(pressure.stuck_secs)
        await asyncio.sleep(LOOK_SECS)
