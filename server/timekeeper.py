"""The one background loop: sleep until something is due, then have it done, in batches."""

import asyncio
from typing import Final

from projections import bounds
from server.engine import Engine
from server.pressure import Busy

BATCH_MAX: Final = 500
_PAUSE_SECS: Final = 0.001
_SLEEP_SECS_MAX: Final = 1.0


async def keep_time(engine: Engine) -> None:
    """Run until cancelled. Moments missed while the server was down are due at once."""
    moved = asyncio.Event()
    engine.on_next_due = moved.set
    while True:
        moved.clear()
        try:
            done = engine.perform_duties(BATCH_MAX)
        except Busy:
            await asyncio.sleep(_SLEEP_SECS_MAX)  # what is due stays due
            continue
        if done == BATCH_MAX:
            # A real pause, not sleep(0): requests and the log's writer thread come first.
            await asyncio.sleep(_PAUSE_SECS)
        else:
            await _until_due(engine, moved)


async def _until_due(engine: Engine, moved: asyncio.Event) -> None:
    next_due = engine.state.agenda.next_due()
    wait_secs = _SLEEP_SECS_MAX
    if next_due is not None:
        wait_secs = max(0.0, (next_due - engine.now_us()) / bounds.SECOND_US)
    try:
        # The wall clock may be stepped while this sleeps, so it looks again every second.
        await asyncio.wait_for(moved.wait(), timeout=min(wait_secs, _SLEEP_SECS_MAX))
    except TimeoutError:
        return
