"""From a data directory to an engine: lock, replay, take over the log, record the start.

Nothing on disk changes before the whole log was read and found sound. The HTTP face opens its port
only with the engine that this gives.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from eventlog import FileLog, Log, LogFailed
from projections.decide import access as access_commands
from projections.decide import system
from projections.events import decode
from projections.fold import refold
from projections.state import State
from server import access, ids
from server.clock import WallClock, monotonic_us
from server.engine import SYSTEM, Engine
from server.settings import VERSION, Settings

Progress = Callable[[int, int], None]


class Started(Struct, frozen=True):
    """An engine that is ready to serve, and how it came to be.

    `new_key` is the API key, when it was made at this start. `torn` tells of an unfinished last
    write that was set aside.
    """

    engine: Engine
    secret: bytes
    new_key: str | None
    replayed_records: int
    replay_us: int
    torn: str | None


async def open_engine(
    settings: Settings,
    on_failure: Callable[[LogFailed], None],
    progress: Progress | None = None,
) -> Started:
    """Start from the data directory of the settings.

    Raises:
        LogError: another server holds it, or the log is damaged; nothing was changed.
        Undecodable: the log is intact and not one that this version can fold; likewise.

    """
    clock = WallClock()
    uuid7 = ids.uuid7_source(clock)
    log = FileLog.open(
        settings.data_dir,
        clock=clock,
        new_cluster_id=uuid7,
        sync=settings.sync,
        sync_interval_ms=settings.sync_interval_ms,
        segment_bytes_max=settings.segment_bytes,
        writer=f"spoolog {VERSION}",
        on_failure=on_failure,
    )
    try:
        return await _start(settings, log, clock, uuid7, progress)
    except BaseException:
        await log.close()
        raise


async def _start(
    settings: Settings,
    log: FileLog,
    clock: WallClock,
    uuid7: Callable[[], str],
    progress: Progress | None,
) -> Started:
    began_us = monotonic_us()
    state = await replayed(log, progress)
    replay_us = monotonic_us() - began_us
    clock.start_at(state.tables.at)
    records = state.position
    torn = None if log.recovery is None else str(log.recovery)
    epoch = await log.begin()
    engine = Engine(state, log, clock, uuid7, settings.policy())
    engine.execute(system.start, SYSTEM, VERSION, epoch)
    secret, new_key = _admit(settings.data_dir, settings, engine)
    await engine.durable(state.position)
    return Started(engine, secret, new_key, records, replay_us, torn)


async def replayed(log: Log, progress: Progress | None = None) -> State:
    """Fold a whole log. `progress` hears the position reached and the last one after each batch."""
    state = State()
    async for batch in log.read(state.position):
        for position, body in batch:
            refold(state, decode(position, body))
        if progress is not None:
            progress(state.position, log.last)
    return state


def _admit(data_dir: Path, settings: Settings, engine: Engine) -> tuple[bytes, str | None]:
    secret = access.hash_secret(data_dir)
    key, made = access.bootstrap_key(data_dir, settings.api_key, settings.key_prefix)
    engine.execute(access_commands.bootstrap, SYSTEM, access.new_key(secret, "bootstrap", key))
    return secret, key if made else None
