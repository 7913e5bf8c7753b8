"""From a data directory to an engine: lock, snapshot, replay, take over the log, record the start.

Nothing on disk changes before the whole log was read and found sound. The HTTP face opens its port
only with the engine that this gives.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from eventlog import FileLog, Log, LogFailed, Snapshot, SnapshotStore
from eventlog.disk import OsDisk
from eventlog.home import Home
from projections.decide import access as access_commands
from projections.decide import system
from projections.events import decode
from projections.fold import refold
from projections.state import State
from server import access, figures, ids, mount
from server.clock import WallClock, monotonic_us
from server.engine import SYSTEM, Engine
from server.series import Series, going_on
from server.settings import VERSION, Settings
from server.tally import LogMeter
from spoolog import restore

Progress = Callable[[int, int], None]


class Started(Struct, frozen=True):
    """An engine that is ready to serve, and how it came to be.

    `snapshot` is where the replay began. `new_key` is the API key, when it was made at this start.
    `warnings` tell of an unfinished last write that was set aside, and of snapshots passed over.
    `meter` hears of the log's batches, `series` has counted what was replayed, on top of what was
    kept with the snapshot.
    """

    engine: Engine
    secret: bytes
    new_key: str | None
    snapshot: Snapshot | None
    replayed_records: int
    replay_us: int
    warnings: list[str]
    meter: LogMeter
    series: Series


async def open_engine(
    settings: Settings,
    on_failure: Callable[[LogFailed], None],
    progress: Progress | None = None,
) -> Started:
    """Start from the data directory of the settings.

    Raises:
        UnsafeFileSystem: no log may live there.
        LogError: another server holds it, or the log is damaged, or its beginning has expired and no
            snapshot tells what it came to; nothing was changed.
        Undecodable: the log is intact and not one that this version can fold; likewise.

    """
    warning = mount.check(settings.data_dir)
    clock = WallClock()
    uuid7 = ids.uuid7_source(clock)
    meter = LogMeter()
    log = FileLog.open(
        settings.data_dir,
        clock=clock,
        new_cluster_id=uuid7,
        sync=settings.sync,
        sync_interval_ms=settings.sync_interval_ms,
        segment_bytes_max=settings.segment_bytes,
        writer=f"spoolog {VERSION}",
        on_failure=on_failure,
        meter=meter,
    )
    try:
        started = await _start(settings, log, clock, uuid7, meter=meter, progress=progress)
    except BaseException:
        await log.close()
        raise
    if warning is not None:
        started.warnings.append(warning)
    return started


async def _start(
    settings: Settings,
    log: FileLog,
    clock: WallClock,
    uuid7: Callable[[], str],
    *,
    meter: LogMeter,
    progress: Progress | None,
) -> Started:
    began_us = monotonic_us()
    store = SnapshotStore(settings.data_dir, log.cluster)
    # On a thread: a million jobs take seconds, and a signal must be heard meanwhile.
    restored = await asyncio.to_thread(
        partial(restore.newest, store, log.state_after, last=log.last)
    )
    state, warnings = restored.state, restored.passed_over
    began_at = state.position
    kept = await asyncio.to_thread(
        figures.read, OsDisk(), Home(settings.data_dir), restored.snapshot, warnings.append
    )
    series = going_on(state, kept, clock())
    await replay(log, state, progress, series)
    replay_us = monotonic_us() - began_us
    clock.start_at(state.tables.at)
    records = state.position - began_at
    epoch = await log.begin()
    if log.recovery is not None:
        warnings.append(f"set aside: {log.recovery}")
    engine = Engine(state, log, clock, uuid7, settings.policy())
    engine.before_fold.append(series.count)
    engine.execute(system.start, SYSTEM, VERSION, epoch)
    secret, new_key = _admit(settings.data_dir, settings, engine)
    await engine.durable(state.position)
    return Started(
        engine, secret, new_key, restored.snapshot, records, replay_us, warnings, meter, series
    )


async def replay(
    log: Log, state: State, progress: Progress | None = None, series: Series | None = None
) -> None:
    """Fold all that the log holds behind a state into it.

    `progress` hears the position reached and the last one after each batch; `series` counts.
    """
    async for batch in log.read(state.position):
        for position, body in batch:
            record = decode(position, body)
            if series is not None:
                series.count_replayed(record)
            refold(state, record)
        if progress is not None:
            progress(state.position, log.last)


async def replayed(log: Log) -> State:
    """Fold a whole log."""
    state = State()
    await replay(log, state)
    return state


def _admit(data_dir: Path, settings: Settings, engine: Engine) -> tuple[bytes, str | None]:
    secret = access.hash_secret(data_dir)
    key, made = access.bootstrap_key(data_dir, settings.api_key, settings.key_prefix)
    engine.execute(access_commands.bootstrap, SYSTEM, access.new_key(secret, "bootstrap", key))
    return secret, key if made else None
