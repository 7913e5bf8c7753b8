"""Writes a data directory with as many events as asked for, to try things on: ``spoolog bench gen``.

What happens in it is ``tools.bench.traffic``. It can be read, replayed and served like any other.
"""

import asyncio
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct, json

from eventlog import FileLog, SyncMode
from server.clock import monotonic_us
from server.settings import VERSION
from server.snapshotting import keep
from spoolog.folding import without_gc
from tools.bench.traffic import Traffic
from tools.output import Advance, Misuse

FACTS: Final = "traffic.json"
"""beside the log: what was written, for whoever measures it"""
_STEPS_PER_TURN: Final = 500
_CREATED_US: Final = 1_780_272_000_000_000


class Written(Struct, frozen=True):
    """What there is in the directory."""

    events: int
    records: int
    seed: int
    elapsed_us: int


def write(data_dir: Path, events: int, *, seed: int, snapshots: int, advance: Advance) -> Written:
    """Write at least so many events into a new directory, and snapshots on the way.

    Raises:
        Misuse: there is something in it.

    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise Misuse(f"{data_dir} is not empty")
    began_us = monotonic_us()
    with without_gc():
        traffic = asyncio.run(_write(data_dir, events, seed, snapshots, advance))
    took_us = monotonic_us() - began_us
    written = Written(traffic.events, traffic.engine.state.position, seed, took_us)
    (data_dir / FACTS).write_bytes(json.encode(written))
    return written


async def _write(
    data_dir: Path, events: int, seed: int, snapshots: int, advance: Advance
) -> Traffic:
    moments = count(_CREATED_US)
    log = FileLog.open(
        data_dir,
        clock=lambda: next(moments),
        new_cluster_id=lambda: f"bench-{seed}",
        sync=SyncMode.NONE,
        writer=f"spoolog {VERSION}",
    )
    try:
        await log.begin()
        traffic = Traffic(log, seed)
        traffic.begin()
        for part in range(snapshots + 1):
            await _fill(traffic, events * (part + 1) // (snapshots + 1), events, advance)
            if part < snapshots:
                await log.seal()
                state = traffic.engine.state
                keep(data_dir, state, now_us=state.tables.at, writer=f"spoolog {VERSION}")
        return traffic
    finally:
        await log.close()


async def _fill(traffic: Traffic, upto: int, events: int, advance: Advance) -> None:
    while traffic.events < upto:
        for _ in range(_STEPS_PER_TURN):
            traffic.step()
        traffic.tidy()
        await traffic.engine.durable(traffic.engine.state.position)
        advance(traffic.events, events)
