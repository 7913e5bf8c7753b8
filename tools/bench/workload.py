"""A life of jobs for the measurements: created, claimed, extended, failed, retried, completed.

Time and ids come from counters, so the same call gives the same log. All commands go through the
engine, as a server's do.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Raw

from eventlog import FileLog, Log, SyncMode
from projections.decide import Caller, Policy, claims, jobs, settlements
from projections.events import DEFAULT_ORG
from projections.specs import Claim, Completion, Extension, Failure, NewJob
from projections.state import State
from server.engine import Engine
from tools.output import Advance

QUEUE: Final = "bench"
WORKER: Final = "worker-1"
PAYLOAD: Final = b'{"to":"someone@example.com","text":"%s"}' % (b"x" * 160)
CALLER: Final = Caller(DEFAULT_ORG, "key_bench", "3f0f5b3a-0000-4000-8000-000000000001")
_START_US: Final = 1_795_461_256_000_000
_STEP_US: Final = 100
_BACKLOG: Final = 50
_FAIL_EVERY: Final = 10
_EXTEND_EVERY: Final = 4
_DURABLE_EVERY: Final = 2_000


def counted_clock() -> Callable[[], int]:
    """Make a clock that moves on by a tenth of a millisecond whenever it is read."""
    moments = count(_START_US, _STEP_US)
    return lambda: next(moments)


def counted_ids() -> Callable[[], str]:
    """Make a source of ids that look like UUIDs."""
    numbers = count(1)
    return lambda: f"01960000-0000-7000-8000-{next(numbers):012x}"


def an_engine(log: Log) -> Engine:
    """Make an engine on an empty log."""
    return Engine(State(), log, counted_clock(), counted_ids(), Policy())


def a_job(payload: bytes = PAYLOAD) -> NewJob:
    """Give a job to create, with a payload of about 200 bytes."""
    return NewJob(queue_name=QUEUE, payload=Raw(payload))


async def write_log(data_dir: Path, events: int, advance: Advance) -> int:
    """Fill a new log with about `events` events and give how many records it has."""
    log = FileLog.open(
        data_dir, clock=counted_clock(), new_cluster_id=lambda: "bench", sync=SyncMode.NONE
    )
    try:
        await log.begin()
        engine = an_engine(log)
        for step in count():
            if engine.state.position >= events:
                break
            live_a_little(engine, step)
            if step % _DURABLE_EVERY == 0:
                await engine.durable(engine.state.position)
                advance(engine.state.position, events)
        return engine.state.position
    finally:
        await log.close()


def live_a_little(engine: Engine, step: int) -> None:
    """Create a job; once there is a backlog also claim one and settle it."""
    engine.execute(jobs.create, CALLER, a_job())
    if step < _BACKLOG:
        return
    claimed = engine.execute(claims.claim, CALLER, Claim(queue_name=QUEUE, worker_id=WORKER))
    for job_id in claimed.answer:
        if step % _EXTEND_EVERY == 0:
            engine.execute(claims.extend, CALLER, job_id, Extension(worker_id=WORKER))
        if step % _FAIL_EVERY == 0:
            failure = Failure(worker_id=WORKER, error="it did not work this time")
            engine.execute(settlements.fail, CALLER, job_id, failure)
        else:
            done = Completion(worker_id=WORKER, result=Raw(b'{"sent":true}'))
            engine.execute(settlements.complete, CALLER, job_id, done)
