"""Long work in slices, so that requests are let in between: who does it says how much it has done."""

import asyncio
from typing import Final

_EFFORT_PER_SLICE: Final = 1_000
"""About so many microseconds."""


class Pace:
    """Lets others in whenever enough was done.

    Those that share a `turn` do no more in a turn of the event loop, however many they are, than one
    of them.
    """

    def __init__(self, turn: asyncio.Lock | None = None) -> None:
        self._turn = turn or asyncio.Lock()
        self._effort = 0

    async def spend(self, effort: int) -> None:
        """Account for so much effort, in microseconds or so."""
        self._effort += effort
        if self._effort >= _EFFORT_PER_SLICE:
            self._effort = 0
            async with self._turn:
                await asyncio.sleep(0)


def reading_effort(body: bytes) -> int:
    """Give about how long it takes to decode a record, and to tell of it."""
    return 5 + len(body) // 16
