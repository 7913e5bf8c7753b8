"""A job's history, read back from the log: each event names the record before that tells of the job.

The cost is that of the history itself, wherever in the log it stands. Where earlier records have
expired, it ends there: what is left is told, and that there was more is no error.
"""

import asyncio

from msgspec import Struct

from eventlog import Log, LogExpired
from projections.entities import Job
from projections.events import JobCreated, JobEvent, Record, decode

_RECORDS_PER_TURN = 32


class Told(Struct, frozen=True):
    """One event of a job, in its record; `index` is its place among the record's events."""

    record: Record
    index: int
    event: JobEvent


async def history(log: Log, job: Job) -> list[Told]:
    """Give everything that was told of a job and has not expired, the newest first.

    Raises:
        LogDamaged: a record is not what was written.
        Undecodable: a record is of a version that this one does not know.

    """
    job_id, position = job.id, job.trail
    await log.durable(position)
    found: list[Told] = []
    while position:
        try:
            body = await log.body(position)
        except LogExpired:
            break
        told = _of(job_id, decode(position, body))
        found.extend(told)
        last = told[-1].event
        if isinstance(last, JobCreated):
            break
        if not last.prev:
            found.extend(await _scanned(log, job_id, position))
            break
        position = last.prev
        if len(found) % _RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
    return found


def _of(job_id: str, record: Record) -> list[Told]:
    """Give the record's events of the job, the last first."""
    told = [
        Told(record, index, event)  # type: ignore[arg-type]  # only job events name a job
        for index, event in enumerate(record.events)
        if getattr(event, "job", None) == job_id
    ]
    return told[::-1]


async def _scanned(log: Log, job_id: str, before: int) -> list[Told]:
    """Give what older records tell, the newest first: those of vocabulary 1 name no earlier one."""
    after = 0
    while True:
        try:
            return await _scan(log, job_id, after, before)
        except LogExpired as expired:
            after = expired.first - 1


async def _scan(log: Log, job_id: str, after: int, before: int) -> list[Told]:
    mentioned = job_id.encode()
    found: list[Told] = []
    async for batch in log.read(after):
        for position, body in batch:
            if position < before and mentioned in body:
                found[:0] = _of(job_id, decode(position, body))
        if batch[-1][0] >= before:
            break
    return found
