"""What the data directory takes on disk, measured from time to time for whoever wants to show it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from eventlog import LogDamaged
from eventlog.inventory import Inventory
from eventlog.usage import Usage
from server.clock import monotonic_us

NOTHING: Final = Usage(1, 0, 0, 0, 0, 0, 0, 0)
_EVERY_SECS: Final = 30.0
_logger = logging.getLogger("spoolog.disk")


class DiskUse:
    """The newest measurement, in `now`, and the files in `files`; nothing before the first."""

    def __init__(
        self, measure: Callable[[], Usage], take_stock: Callable[[], Inventory] = Inventory
    ) -> None:
        self.now = NOTHING
        self.files = Inventory()
        self.measured_us: int | None = None
        """on the monotonic clock"""
        self._measure = measure
        self._take_stock = take_stock

    async def watch(self) -> None:
        """Measure until cancelled, on a thread: a hung disk hangs that, and nobody else."""
        while True:
            try:
                self.now, self.files = await asyncio.to_thread(self._look)
                self.measured_us = monotonic_us()
            except (OSError, LogDamaged) as error:
                _logger.warning("the data directory cannot be measured", exc_info=error)
            await asyncio.sleep(_EVERY_SECS)

    def _look(self) -> tuple[Usage, Inventory]:
        return self._measure(), self._take_stock()
