"""Whether a long queue makes claims slow: the same claims on a long and on a short one."""

import asyncio
import gc
import time
from typing import Final

from msgspec import Raw

from eventlog import MemoryLog
from projections.decide import claims, jobs, settlements
from projections.specs import Claim, Completion
from server.engine import Engine
from spoolog.folding import without_gc
from tools.bench.report import Figure
from tools.bench.workload import CALLER, QUEUE, WORKER, a_job, an_engine
from tools.output import Advance, progress

TARGET_RATIO: Final = 2.0
SHORT: Final = 500
_TELL_EVERY: Final = 10_000
_WARM_UP: Final = 500


def measure(pending: int, claimed: int) -> Figure:
    """Claim alternately from both, and put each queue back to its length after each claim."""
    return asyncio.run(_measure(pending, claimed))


async def _measure(pending: int, claimed: int) -> Figure:
    with progress("filling a queue", pending) as advance, without_gc():
        long = await _filled(pending, advance)
    short = await _filled(SHORT, advance)
    gc.collect()
    gc.freeze()  # as a server does after its start
    try:
        for _ in range(_WARM_UP):
            _claim_ns(long)
            _claim_ns(short)
        long_ns = short_ns = 0
        for _ in range(claimed):
            long_ns += _claim_ns(long)
            short_ns += _claim_ns(short)
    finally:
        gc.unfreeze()
    return Figure(
        name="claim from a long queue / from a short one",
        value=round(long_ns / short_ns, 3),
        unit="ratio",
        target=TARGET_RATIO,
        better="less",
        command=f"spoolog bench claim --jobs {pending} --claims {claimed}",
        details={
            f"µs a claim with {pending:,} pending": round(long_ns / claimed / 1_000, 2),
            f"µs a claim with {SHORT:,} pending": round(short_ns / claimed / 1_000, 2),
            "claims of each": claimed,
        },
    )


async def _filled(pending: int, advance: Advance) -> Engine:
    log = MemoryLog()
    await log.begin()
    engine = an_engine(log)
    for index in range(pending):
        engine.execute(jobs.create, CALLER, a_job())
        if index % _TELL_EVERY == 0:
            advance(index, None)
            await asyncio.sleep(0)  # the log becomes durable at the end of a tick
    return engine


def _claim_ns(engine: Engine) -> int:
    """Time one claim, then settle the job and create another in its place."""
    began_ns = time.perf_counter_ns()
    claimed = engine.execute(claims.claim, CALLER, Claim(queue_name=QUEUE, worker_id=WORKER))
    took_ns = time.perf_counter_ns() - began_ns
    (job_id,) = claimed.answer
    done = Completion(worker_id=WORKER, result=Raw(b"null"))
    engine.execute(settlements.complete, CALLER, job_id, done)
    engine.execute(jobs.create, CALLER, a_job())
    return took_ns
