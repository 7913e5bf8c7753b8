"""What a client that was away has missed, read from the log: the very frames that it would have had.

A job's life is made out as the log goes by; of one that began earlier, from the records before that
tell of it. So a client may be cut off anywhere, and be told each frame once.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from typing import Final

from eventlog import Log, LogExpired
from projections import live
from projections.events import Event, Record, WorkerRegistered, decode
from projections.frames import Frame, Mark, Wanted
from projections.live import Life
from projections.state import State
from server.pace import Pace, reading_effort

LIVES_MAX: Final = 20_000
"""that are remembered on the way; others are made out anew when they are met again"""
_RECORDS_PER_SIGN: Final = 1_000
_TELLING_EFFORT: Final = 50
"""Microseconds, about, that it takes to send what a record tells."""


class Missed:
    """The frames behind a mark that someone wants, in order, as far as the log has them."""

    def __init__(self, log: Log, state: State, wanted: Wanted, mark: Mark, pace: Pace) -> None:
        self.reached = mark.after
        """the last position that was looked at"""
        self._log = log
        self._state = state
        self._wanted = wanted
        self._mark = mark
        self._pace = pace
        self._lives: OrderedDict[str, Life] = OrderedDict()
        self._queues: dict[str, str] = {}
        """of the workers that registered on the way, by then"""

    async def upto(self, position: int) -> AsyncGenerator[list[Frame], None]:
        """Give what is wanted of the records up to `position`, which is durable.

        Now and then it gives nothing, during a long search.

        Raises:
            LogExpired: some of it has expired.
            LogDamaged, Undecodable: a record is not what was written; not one this version knows.

        """
        async for batch in self._log.read(self.reached):
            for at, body in batch:
                if at > position:
                    return
                found = await self._frames(decode(at, body))
                self.reached = at
                mine = [
                    one for one in found if self._mark.is_before(one) and self._wanted.takes(one)
                ]
                if mine or at % _RECORDS_PER_SIGN == 0:
                    yield mine
                await self._pace.spend(reading_effort(body) + _TELLING_EFFORT * bool(mine))

    async def _frames(self, record: Record) -> list[Frame]:
        before: dict[str, Life] = {}
        for event in record.events:
            job_id = getattr(event, "job", None)
            if job_id is None or not live.is_told(event) or isinstance(event, live.BIRTHS):
                continue
            if job_id not in before:
                before[job_id] = self._lives.get(job_id) or await self._made_out(event)
        found, after = live.frames(
            record, lambda event: before[getattr(event, "job", "")], self._queue_of_worker
        )
        for event in record.events:
            if isinstance(event, WorkerRegistered):
                self._queues[event.worker] = event.queue
        for job_id, life in after.items():
            self._lives[job_id] = life
            self._lives.move_to_end(job_id)
        while len(self._lives) > LIVES_MAX:
            self._lives.popitem(last=False)
        return found

    async def _made_out(self, event: Event) -> Life:
        """Give a job's life before an event, from what the log told of it."""
        job_id, position = getattr(event, "job", ""), getattr(event, "prev", 0)
        told: list[tuple[Event, int]] = []
        while position:
            try:
                body = await self._log.body(position)
                record = decode(position, body)
                await self._pace.spend(reading_effort(body))
            except LogExpired:
                break
            mine = [one for one in record.events if getattr(one, "job", None) == job_id]
            told += [(one, record.at) for one in reversed(mine)]
            first = mine[0]
            if isinstance(first, live.BIRTHS):
                return _lived(live.born(first), told[:-1][::-1])
            position = getattr(first, "prev", 0)
        job = self._state.tables.jobs.get(job_id)
        return live.assumed(event, "" if job is None else job.queue)

    def _queue_of_worker(self, worker_id: str) -> str | None:
        if worker_id in self._queues:
            return self._queues[worker_id]
        worker = self._state.tables.workers.get(worker_id)
        return None if worker is None else worker.queue


def _lived(life: Life, told: list[tuple[Event, int]]) -> Life:
    for event, at in told:
        life = live.lived(life, event, at)
    return life
