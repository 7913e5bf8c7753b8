"""What was told of jobs before a record, read back from the log for many at a time.

Each event names the record before, so all jobs walk back together, a record of each at a time: what
lies close together is read in one go. Memory is that of the events of the jobs asked for.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from eventlog import Entry, Log, LogExpired
from projections.events import JobCreated, JobEvent, JobRestored, Record, decode
from projections.past import Told

NEAR_RECORDS: Final = 256
"""Positions that are no further apart are read in one go."""
_RECORDS_PER_TURN: Final = 32


class Pasts(Struct, frozen=True):
    """What was told of each job, the oldest first; or why that is not known."""

    told: dict[str, list[Told]]
    unknown: dict[str, str]


async def pasts(log: Log, before: Mapping[str, int]) -> Pasts:
    """Read what was told of each of these jobs up to and with the record at its position.

    Raises:
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.

    """
    walks = {job_id: _Walk(job_id, position) for job_id, position in before.items()}
    under_way = list(walks.values())
    while under_way:
        by_position: defaultdict[int, list[_Walk]] = defaultdict(list)
        for walk in under_way:
            by_position[walk.position].append(walk)
        seen = 0
        async with aclosing(bodies(log, by_position)) as found:
            async for position, body in found:
                _step(by_position.pop(position), decode(position, body))
                seen += 1
                if seen % _RECORDS_PER_TURN == 0:
                    await asyncio.sleep(0)
        for walk in (walk for missed in by_position.values() for walk in missed):
            walk.unknown = f"records before {log.first}, which tell what it was, have expired"
        under_way = [walk for walk in under_way if not walk.arrived and walk.unknown is None]
    return Pasts(
        {job_id: walk.told[::-1] for job_id, walk in walks.items() if walk.unknown is None},
        {job_id: walk.unknown for job_id, walk in walks.items() if walk.unknown is not None},
    )


async def bodies(log: Log, positions: Iterable[int]) -> AsyncGenerator[Entry, None]:
    """Give the bodies at these positions, in order; those that have expired are left out."""
    for run in _runs(sorted(positions)):
        left = run
        while left:
            try:
                async with aclosing(_read(log, left)) as entries:
                    async for entry in entries:
                        left = left[1:]
                        yield entry
            except LogExpired as expired:
                left = [position for position in left if position >= expired.first]


async def _read(log: Log, run: list[int]) -> AsyncGenerator[Entry, None]:
    if len(run) == 1:
        yield run[0], await log.body(run[0])
        return
    wanted = set(run)
    async for batch in log.read(run[0] - 1):
        for entry in batch:
            if entry[0] in wanted:
                yield entry
        if batch[-1][0] >= run[-1]:
            return


class _Walk:
    """One job's way back; what was told so far, the newest first."""

    def __init__(self, job_id: str, position: int) -> None:
        self.job_id = job_id
        self.position = position
        self.told: list[Told] = []
        self.arrived = False
        self.unknown: str | None = None


def _step(walks: list[_Walk], record: Record) -> None:
    """Take what a record tells of the jobs whose walks have come to it."""
    by_id = {walk.job_id: walk for walk in walks}
    for event in reversed(record.events):
        walk = by_id.get(getattr(event, "job", ""))
        if walk is None or walk.arrived:
            continue
        assert isinstance(event, JobEvent)
        walk.told.append((record, event))
        if isinstance(event, JobCreated | JobRestored):
            walk.arrived = True
        else:
            walk.position = event.prev
    for walk in walks:
        if not walk.arrived and not walk.position:
            walk.unknown = "its history is of an older version, which noted no way back"


def _runs(positions: list[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for position in positions:
        if run and position - run[-1] > NEAR_RECORDS:
            yield run
            run = []
        run.append(position)
    if run:
        yield run
