"""What was told of jobs before a record, read back from the log for many at a time.

Each event names the record before, so all jobs walk back together, a record of each at a time: what
lies close together is read in one go. Memory is that of the events of the jobs asked for, and a bound.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from itertools import groupby
from typing import Final

from msgspec import Struct

from eventlog import Entry, Log, LogExpired
from projections.bounds import MIB
from projections.events import JobCreated, JobEvent, JobRestored, Record, decode
from projections.past import Told
from server.pace import Pace, reading_effort

BLOCKS_RECORDS: Final = (4_096, 64, 8)
"""Of the records of one block, several are read in one go."""
KEPT_BYTES_MAX: Final = 32 * MIB


class Pasts(Struct, frozen=True):
    """What was told of each job, the oldest first; or why that is not known."""

    told: dict[str, list[Told]]
    unknown: dict[str, str]


async def pasts(log: Log, reading: "Reading", before: Mapping[str, int]) -> Pasts:
    """Read what was told of each of these jobs up to and with the record at its position.

    Raises:
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.

    """
    walks = {job_id: _Walk(job_id, position) for job_id, position in before.items()}
    under_way, pace = list(walks.values()), Pace()
    while under_way:
        by_position: defaultdict[int, list[_Walk]] = defaultdict(list)
        for walk in under_way:
            by_position[walk.position].append(walk)
        async with aclosing(reading.bodies(by_position)) as found:
            async for position, body in found:
                _step(by_position.pop(position), decode(position, body))
                await pace.spend(reading_effort(body))
        for walk in (walk for missed in by_position.values() for walk in missed):
            walk.unknown = f"records before {log.first}, which tell what it was, have expired"
        under_way = [walk for walk in under_way if not walk.arrived and walk.unknown is None]
    return Pasts(
        {job_id: walk.told[::-1] for job_id, walk in walks.items() if walk.unknown is None},
        {job_id: walk.unknown for job_id, walk in walks.items() if walk.unknown is not None},
    )


class Reading:
    """Reads records here and there; those near what was read lately are in memory, up to a bound."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._bodies: dict[int, bytes] = {}
        self._bytes = 0
        self._reached: dict[int, int] = {}
        """by where a reading began, the last record that it gave"""

    async def bodies(self, positions: Iterable[int]) -> AsyncGenerator[Entry, None]:
        """Give the bodies at these positions, in order; those that have expired are left out."""
        for _, near in groupby(sorted(positions), key=lambda at: at // BLOCKS_RECORDS[0]):
            wanted = list(near)
            for position in wanted:
                if len(wanted) > 1:
                    await self._read_near(position)
                body = self._bodies.get(position) or await self._body(position)
                if body is not None:
                    yield position, body

    async def each(self, positions: Sequence[int]) -> AsyncGenerator[Entry, None]:
        """Give the bodies at these positions, in the order asked, which is that of one action.

        Raises:
            LogExpired: one is not there any more.

        """
        for position in positions:
            if len(positions) > 1:
                await self._read_near(position)
            yield position, self._bodies.get(position) or await self._log.body(position)

    async def _body(self, position: int) -> bytes | None:
        try:
            return await self._log.body(position)
        except LogExpired:
            return None

    async def _read_near(self, position: int) -> None:
        """Read the block around it; a smaller one where the records are too large for that."""
        for size in BLOCKS_RECORDS:
            start = position - position % size
            if position not in self._bodies and self._reached.get(start, position) >= position:
                await self._read_from(start)

    async def _read_from(self, start: int) -> None:
        """Keep what can be read from here at once; what was read first makes room."""
        self._reached[start] = 0
        with suppress(LogExpired):  # some of it; single records may still be there
            async for batch in self._log.read(max(start - 1, 0)):
                for position, body in batch:
                    self._bytes += len(body) - len(self._bodies.pop(position, b""))
                    self._bodies[position] = body
                self._reached[start] = batch[-1][0]
                break
        for position in list(self._bodies) if self._bytes > KEPT_BYTES_MAX else ():
            self._bytes -= len(self._bodies.pop(position))
            if self._bytes <= KEPT_BYTES_MAX:
                break


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
