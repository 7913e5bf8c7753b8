"""Takes back what a record did, or tells what would go back: with the whole action it is part of.

The records of an action go back in reverse order, each in parts that are judged anew, so that a
million jobs hold up nobody. What was before is read from the log; what is there now, and whether
the way back is open, is judged by ``decide.undo``. An undo that is cut short has done its parts so
far, and asking for it again does the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from eventlog import LogExpired
from projections import bounds
from projections.decide import Caller
from projections.decide.undo import (
    Judging,
    Refusal,
    Step,
    Subject,
    TakenBack,
    Undoing,
    take_back,
)
from projections.entities import Job
from projections.errors import Conflict, Denied, Expired, NotFound
from projections.events import JobDeleted, QueueDeleted, Record, decode
from projections.past import jobs_of_before, queues_touched
from projections.undoing import (
    JobTouched,
    JobUndo,
    jobs_touched,
    objection,
    opener,
    returning,
    words,
)
from server.engine import Engine
from server.pace import Pace
from server.pasts import Reading, pasts

REFUSED_TOLD_MAX: Final = 100
RECORDS_TOLD_MAX: Final = 100
_PENDING_BYTES_MAX: Final = 4 * bounds.MIB
"""An undo waits for the disk long before it could overload it."""
_JOB_EFFORT: Final = 20
_EVENT_EFFORT: Final = 3
"""Microseconds, about, that it takes to fold what was told of a job, which may be much."""
_REMOVING: Final = (JobDeleted, QueueDeleted)
_RETURNED_HINTS: Final = (b'"job.restored"', b'"queue.restored"', b'"queue.created"')


class Undone(Struct):
    """What was, or would be, taken back of the action that `record` is part of.

    `refused` and `positions` hold the first hundred; the numbers beside them count all.
    """

    record: Record
    what: str
    action_id: str | None = None
    undone: int = 0
    cannot: int = 0
    refused: list[Refusal] = []
    records: int = 0
    positions: list[int] = []


async def undo(engine: Engine, caller: Caller, position: int, *, dry_run: bool) -> Undone:
    """Take back what the record at `position` did, and all other records of the same action.

    Raises:
        Denied: the key is bound to queues.
        NotFound, Expired: no such record; not any more.
        Conflict: it did nothing that is ever taken back.
        Busy: not now; the parts before are done.
        LogError, Undecodable: the log cannot be read, or takes no more records.

    """
    if not caller.unrestricted:
        raise Denied("Taking back needs a key for all queues")
    if not dry_run and engine.admission is not None:
        engine.admission(take_back)  # at once, and not after a wait for a disk that lags
    await engine.durable(engine.state.position)
    try:
        record = await _record(engine, caller, position)
        scope = await _scope(engine, caller.org, record)
        undone = Undone(record, words(record, caller.org))
        await _Taking(engine, caller, scope, undone, dry_run=dry_run).take_all()
    except LogExpired as expired:
        raise Expired(f"Records before {expired.first} have expired") from expired
    return undone


class _Scope(Struct, frozen=True):
    """The records of an action, and what came back since its first, with where it last did."""

    positions: list[int]
    returned: dict[str, int]


class _Taking:
    """An undo under way."""

    def __init__(
        self, engine: Engine, caller: Caller, scope: _Scope, undone: Undone, *, dry_run: bool
    ) -> None:
        self._undone = undone
        self._engine = engine
        self._caller = caller
        self._scope = scope
        self._parts = frozenset(scope.positions)
        self._steps: dict[str, Step] = {}
        self._first = 0
        self._waiting: list[Refusal] = []
        self._reading = Reading(engine.log)
        self._rehearsal: Judging | None = None
        if dry_run:
            self._rehearsal = Judging(
                engine.state, caller.org, engine.now_us(), engine.policy, self._steps
            )
        else:
            undone.action_id = engine.new_id()

    async def take_all(self) -> None:
        """Take back the records of the action, the last first."""
        async with aclosing(self._reading.each(self._scope.positions[::-1])) as parts:
            async for position, body in parts:
                await self._take(decode(position, body))

    async def _take(self, record: Record) -> None:
        """Take back one record of the action."""
        org = self._caller.org
        returned = self._scope.returned
        queues = [queue.since(returned) for queue in queues_touched(record, org)]
        touched = jobs_touched(record, org)
        size = bounds.JOBS_PER_RECORD_MAX
        for start in range(0, max(len(touched), 1), size):
            jobs = [job async for job in self._jobs(touched[start : start + size])]
            subjects: list[Subject] = [*queues, *jobs] if start == 0 else list(jobs)
            await self._parts_of(subjects)
        while waiting := self._waiting:
            # What they wait for may have gone back since, in a part behind theirs.
            self._waiting = []
            await self._parts_of([one.subject for one in waiting])
            if len(self._waiting) == len(waiting):
                self._refuse(self._waiting)
                self._waiting = []

    async def _parts_of(self, subjects: list[Subject]) -> None:
        while subjects:
            subjects = self._part(subjects)
            await asyncio.sleep(0)
            if self._engine.log.pending_bytes > _PENDING_BYTES_MAX:
                await self._engine.durable(self._engine.state.position)

    def _refuse(self, refused: list[Refusal]) -> None:
        undone = self._undone
        undone.cannot += len(refused)
        undone.refused.extend(refused[: REFUSED_TOLD_MAX - len(undone.refused)])

    async def _jobs(self, touched: list[JobTouched]) -> AsyncIterator[JobUndo]:
        """Give the jobs with what they were before."""
        returned = self._scope.returned
        wanted = {
            job.job_id: job.prev
            for job in touched
            if not job.restored and job.came_back(returned) is None
        }
        found = await pasts(self._engine.log, self._reading, wanted)
        pace = Pace()
        for job in touched:
            told = found.told.get(job.job_id, [])
            before = jobs_of_before({job.job_id: told}).get(job.job_id)
            unknown = job.came_back(returned) or found.unknown.get(job.job_id)
            yield JobUndo(job.job_id, job.position, job.removed, before, job.place, unknown)
            await pace.spend(_JOB_EFFORT + _EVENT_EFFORT * len(told))

    def _part(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Take back a record's worth of them; give what is left."""
        if self._rehearsal is not None:
            taken, position = self._rehearsal.judge(subjects), None
            self._rehearsal.events.clear()
        else:
            taken, position = self._record(subjects)
        for subject in taken.done:
            before = subject.before
            if isinstance(before, Job) and before.position in self._parts:
                self._steps[before.id] = Step(before.position, position)
        self._undone.undone += len(taken.done)
        self._refuse(taken.refused)
        self._waiting += taken.waiting
        return taken.left

    def _record(self, subjects: Sequence[Subject]) -> tuple[TakenBack, int]:
        undone = self._undone
        assert undone.action_id is not None
        undoing = Undoing(undone.record.position, undone.action_id, self._first, self._steps)
        made = self._engine.execute(take_back, self._caller, undoing, subjects)
        if made.answer.done:
            self._first = self._first or made.position
            undone.records += 1
            if len(undone.positions) < RECORDS_TOLD_MAX:
                undone.positions.append(made.position)
        return made.answer, made.position


async def _record(engine: Engine, caller: Caller, position: int) -> Record:
    if not 1 <= position <= engine.log.durable_position:
        raise NotFound(f"There is no record {position}")
    record = decode(position, await engine.log.body(position))
    if not any(event.org == caller.org for event in record.events):
        raise NotFound(f"There is no record {position}")
    why_not = objection(record, caller.org)
    if why_not is not None:
        raise Conflict(f"Record {position} cannot be taken back; {why_not}")
    return record


async def _scope(engine: Engine, org: str, record: Record) -> _Scope:
    """Find the records of the same action, and what came back since.

    What was deleted, came back and was deleted again has left no trace in the state.
    """
    log, opening = engine.log, opener(record, org)
    if opening is None and not any(isinstance(event, _REMOVING) for event in record.events):
        return _Scope([record.position], {})
    first = record.position if opening is None else opening.first
    action = None if opening is None else opening.action
    if first and first < log.first:
        raise LogExpired(log.first)
    scope = _Scope([record.position] if action is None else [], {})
    hints = _RETURNED_HINTS if action is None else (*_RETURNED_HINTS, action.encode())
    async for batch in log.read((first or log.first) - 1):
        for position, body in batch:
            if any(hint in body for hint in hints):
                _note(scope, decode(position, body), org, action)
                await asyncio.sleep(0)
    return scope


def _note(scope: _Scope, record: Record, org: str, action: str | None) -> None:
    opening = opener(record, org)
    if action is not None and opening is not None and opening.action == action:
        scope.positions.append(record.position)
    scope.returned.update(dict.fromkeys(returning(record, org), record.position))
