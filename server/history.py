"""A job's history, read back from the log: each event names the record before that tells of the job.

The cost is that of the history itself, wherever in the log it stands. Where earlier records have
expired, it ends there: what is left is told, and that there was more is no error.
"""

import asyncio

from eventlog import Log, LogExpired
from projections.entities import Job
from projections.events import JobCreated, Record, decode
from projections.feed import Fact
from projections.trail import Step, steps

_RECORDS_PER_TURN = 32


async def told(facts: list[Fact]) -> list[Step]:
    """Tell what each event of a job changed, given and answered oldest first."""
    found: list[Step] = []
    for step in steps(facts):
        found.append(step)
        if len(found) % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
    return found


async def history(log: Log, job: Job) -> list[Fact]:
    """Give everything that was told of a job and has not expired, the newest first.

    Raises:
        LogDamaged: a record is not what was written.
        Undecodable: a record is of a version that this one does not know.

    """
    job_id, position = job.id, job.trail
    await log.durable(position)
    found: list[Fact] = []
    while position:
        try:
            body = await log.body(position)
        except LogExpired:
            break
        here = _of(job_id, decode(position, body))
        found.extend(here)
        last = here[-1].event
        if isinstance(last, JobCreated):
            break
        before = getattr(last, "prev", 0)
        if not before:
            found.extend(await _scanned(log, job_id, position))
            break
        position = before
        if len(found) % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
    return found


def _of(job_id: str, record: Record) -> list[Fact]:
    """Give the record's events of the job, the last first."""
    return [
        Fact(record, index, event)
        for index, event in enumerate(record.events)
        if getattr(event, "job", None) == job_id
    ][::-1]


async def _scanned(log: Log, job_id: str, before: int) -> list[Fact]:
    """Give what older records tell, the newest first: those of vocabulary 1 name no earlier one."""
    after = 0
    while True:
        try:
            return await _scan(log, job_id, after, before)
        except LogExpired as expired:
            after = expired.first - 1


async def _scan(log: Log, job_id: str, after: int, before: int) -> list[Fact]:
    mentioned = job_id.encode()
    found: list[Fact] = []
    async for batch in log.read(after):
        for position, body in batch:
            if position < before and mentioned in body:
                found[:0] = _of(job_id, decode(position, body))
        if batch[-1][0] >= before:
            break
    return found
