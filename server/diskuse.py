"""What the data directory takes on disk, measured from time to time for whoever wants to show it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from eventlog.usage import Usage

NOTHING: Final = Usage(1, 0, 0, 0, 0, 0, 0, 0)
_EVERY_SECS: Final = 30.0
_logger = logging.getLogger("spoolog.disk")


class DiskUse:
    """The newest measurement, in `now`; nothing before the first."""

    def __init__(self, measure: Callable[[], Usage]) -> None:
        self.now = NOTHING
        self._measure = measure

    async def watch(self) -> None:
        """Measure until cancelled, on a thread: a hung disk hangs that, and nobody else."""
        while True:
            try:
                self.now = await asyncio.to_thread(self._measure)
            except OSError as error:
                _logger.warning("the data directory cannot be measured", exc_info=error)
            await asyncio.sleep(_EVERY_SECS)
