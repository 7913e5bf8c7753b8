"""The one background loop: sleep until something is due, then have it done, in batches."""

import asyncio
from typing import Final

from projections import bounds
from projections.decide import retention
from server.engine import SYSTEM, Engine
from server.pressure import Busy

BATCH_MAX: Final = 500
_PAUSE_SECS: Final = 0.001
_SLEEP_SECS_MAX: Final = 1.0
_RETIRE_INTERVAL_US: Final = bounds.SECOND_US


async def keep_time(engine: Engine) -> None:
    """Run until cancelled. Moments missed while the server was down are due at once."""
    moved = asyncio.Event()
    engine.on_next_due = moved.set
    retiring = _Retiring(engine)
    while True:
        moved.clear()
        try:
            more = engine.perform_duties(BATCH_MAX) == BATCH_MAX or retiring.step()
        except Busy:
            await asyncio.sleep(_SLEEP_SECS_MAX)  # what is due stays due
            continue
        if more:
            # A real pause, not sleep(0): requests and the log's writer thread come first.
            await asyncio.sleep(_PAUSE_SECS)
        else:
            await _until_due(engine, moved, retiring.next_us())


class _Retiring:
    """Retires finished jobs, but rests in between: a record for many costs less than one for each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rests_until_us = 0

    def step(self) -> bool:
        """Retire what has been kept long enough; tell whether that was a full batch."""
        now_us = self._engine.now_us()
        if now_us < self._rests_until_us:
            return False
        retired = self._engine.execute(retention.retire, SYSTEM, bounds.JOBS_PER_RECORD_MAX).answer
        if retired == bounds.JOBS_PER_RECORD_MAX:
            return True
        self._rests_until_us = now_us + _RETIRE_INTERVAL_US
        return False

    def next_us(self) -> int | None:
        """Give the moment of the next step that has something to do."""
        next_us = retention.next_retirement(self._engine.state, self._engine.policy)
        return None if next_us is None else max(next_us, self._rests_until_us)


async def _until_due(engine: Engine, moved: asyncio.Event, retirement: int | None) -> None:
    moments = [at for at in (engine.state.agenda.next_due(), retirement) if at is not None]
    wait_secs = _SLEEP_SECS_MAX
    if moments:
        wait_secs = max(0.0, (min(moments) - engine.now_us()) / bounds.SECOND_US)
    try:
        # The wall clock may be stepped while this sleeps, so it looks again every second. Not
        # wait_for: on Python 3.11 it forgets a cancellation that comes in the moment of the call.
        async with asyncio.timeout(min(wait_secs, _SLEEP_SECS_MAX)):
            await moved.wait()
    except TimeoutError:
        return
