"""Long work in slices, so that requests are let in between: who does it says how much it has done."""

import asyncio
from typing import Final

_EFFORT_PER_SLICE: Final = 1_000
"""About so many microseconds."""


class Pace:
    """Lets others in whenever enough was done."""

    def __init__(self) -> None:
        self._effort = 0

    async def spend(self, effort: int) -> None:
        """Account for so much effort, in microseconds or so."""
        self._effort += effort
        if self._effort >= _EFFORT_PER_SLICE:
            self._effort = 0
            await asyncio.sleep(0)
