"""A great many jobs in every state, made at once: what lists and dashboards are measured on.

They are recorded by the thousand, which no client could do, so a million are there in half a minute.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Raw

from eventlog import FileLog, SyncMode
from projections.decide import Context, Decision, Policy
from projections.events import (
    Event,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobCreated,
    JobFailed,
    QueueCreated,
)
from projections.state import State
from server import ids
from server.clock import WallClock
from server.engine import SYSTEM, Engine
from server.settings import VERSION
from server.snapshotting import keep
from spoolog.folding import without_gc
from tools.output import Advance

QUEUES: Final = tuple(f"queue-{number:02d}" for number in range(20))
_JOBS_PER_RECORD: Final = 1_000
_KINDS: Final = ("send-mail", "resize", "charge", "export", "import", "purge", "sync", "")
_FAR_US: Final = 1 << 52
_WRITER: Final = f"spoolog {VERSION}"


def write(data_dir: Path, jobs: int, advance: Advance) -> None:
    """Fill a new data directory, with a snapshot at its end from which a server starts quickly."""
    with without_gc():
        asyncio.run(_write(data_dir, jobs, advance))


async def _write(data_dir: Path, jobs: int, advance: Advance) -> None:
    clock = WallClock()
    log = FileLog.open(
        data_dir,
        clock=clock,
        new_cluster_id=lambda: "bench",
        sync=SyncMode.NONE,
        writer=_WRITER,
    )
    try:
        await log.begin()
        engine = Engine(State(), log, clock, ids.uuid7_source(clock), Policy())
        await fill(engine, jobs, advance)
        await log.seal()
        keep(data_dir, engine.state, now_us=clock(), writer=_WRITER)
    finally:
        await log.close()


async def fill(engine: Engine, jobs: int, advance: Advance) -> None:
    """Create jobs in all queues, and let them live."""
    created = _created(engine)
    queues = [QueueCreated(queue=name, id=engine.new_id()) for name in QUEUES]
    engine.execute(_record, SYSTEM, tuple(queues))
    for start in range(0, jobs, _JOBS_PER_RECORD):
        part = list(islice(created, min(_JOBS_PER_RECORD, jobs - start)))
        engine.execute(_record, SYSTEM, tuple(part))
        lived = [event for index, one in enumerate(part, start) for event in _life(index, one)]
        engine.execute(_record, SYSTEM, tuple(lived))
        advance(start + len(part), jobs)
        await asyncio.sleep(0)
    await engine.durable(engine.state.position)


def _record(_state: State, _ctx: Context, events: tuple[Event, ...]) -> Decision[None]:
    return Decision(events, None)


def _created(engine: Engine) -> Iterator[JobCreated]:
    number = 0
    while True:
        kind = _KINDS[number % len(_KINDS)]
        text = f'"to":"user{number}@example.com","n":{number}'
        payload = f'{{"job_type":"{kind}",{text}}}' if kind else f"{{{text}}}"
        tags = b'["all","urgent"]' if number % 1_000 == 0 else b'["all"]'
        yield JobCreated(
            job=engine.new_id(),
            queue=QUEUES[number % len(QUEUES)],
            payload=Raw(payload.encode()),
            max_retries=3,
            timeout_secs=300,
            priority=number % 7,
            tags=Raw(tags),
        )
        number += 1


def _life(number: int, made: JobCreated) -> Iterator[Event]:
    """Let half be completed, some fail, some be dead, cancelled or running; the rest wait."""
    claimed = JobClaimed(job=made.job, worker="w", lease="l", lease_until=_FAR_US)
    match number // len(QUEUES) % 20:
        case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9:
            yield claimed
            yield JobCompleted(job=made.job, worker="w", result=Raw(b"1"))
        case 10 | 11:
            yield claimed
            yield JobFailed(
                job=made.job, worker="w", error=f"job {number} timed out", retry_at=_FAR_US
            )
        case 12:
            yield claimed
            yield JobFailed(job=made.job, worker="w", error=f"no such user: {number}")
        case 13:
            yield claimed
        case 14:
            yield JobCancelled(job=made.job)
        case _:
            return
