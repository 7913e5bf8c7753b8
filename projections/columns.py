"""Every job as a row of numbers, in chunks by order of creation: what listings filter and sort by.

Derived from the jobs, never stored. Plain arrays, so that writing a row is cheap; the queries lay
vector operations over the same memory. A chunk most of whose jobs are gone is packed, so that
memory follows the jobs that there are, not those that there have been.
"""

from array import array
from collections.abc import Iterator
from typing import Final

from projections.entities import Job
from projections.lifecycle import Status
from projections.numbered import Numbered
from projections.rawjson import job_type

CHUNK_BITS: Final = 13
CHUNK_ROWS: Final = 1 << CHUNK_BITS
_PACKED_BELOW: Final = CHUNK_ROWS // 16

GONE: Final = 0
"""Status code of a row without a job."""
CODES: Final = {status: code for code, status in enumerate(Status, start=1)}
STATUSES: Final = (None, *Status)
"""Status code -> status."""
_UUID: Final = 36
NEVER: Final = -(1 << 62)
"""Stands for a time that a job does not have: before all others."""

_TYPES: Final = {
    "status": "b",
    "priority": "b",
    "retry_count": "i",
    "error": "b",
    "queue": "i",
    "kind": "i",
    "created_at": "q",
    "updated_at": "q",
    "scheduled_at": "q",
    "completed_at": "q",
}
_BLANK: Final = {
    name: array(code, bytes(array(code).itemsize * CHUNK_ROWS)) for name, code in _TYPES.items()
}


class Chunk:
    """Rows of jobs whose order of creation shares all but its last bits; `seqs` once it is packed."""

    __slots__ = (
        *_TYPES,
        "_rows",
        "base",
        "error_kinds",
        "grams",
        "id_keys",
        "jobs",
        "live",
        "seqs",
    )

    def __init__(self, base: int) -> None:
        self.base = base
        self.jobs: list[Job | None] = [None] * CHUNK_ROWS
        self.grams: object | None = None
        """What a search for text in payloads has noted of this chunk, for the next one."""
        self.live = 0
        self.seqs: array[int] | None = None
        self._rows: dict[int, int] | None = None
        self.status = _BLANK["status"][:]
        self.priority = _BLANK["priority"][:]
        self.retry_count = _BLANK["retry_count"][:]
        self.error = _BLANK["error"][:]
        """Whether there is a last error."""
        self.error_kinds = array("q")
        """A number for the kind of each row's last error, 0 where not known; made when first asked for."""
        self.queue = _BLANK["queue"][:]
        self.kind = _BLANK["kind"][:]
        self.created_at = _BLANK["created_at"][:]
        self.updated_at = _BLANK["updated_at"][:]
        self.scheduled_at = _BLANK["scheduled_at"][:]
        self.completed_at = _BLANK["completed_at"][:]
        self.id_keys = array("Q")
        """Of the rows so far, made when first asked for."""

    @property
    def end(self) -> int:
        """The first number behind this chunk."""
        return self.base + CHUNK_ROWS

    @property
    def knows_ids(self) -> bool:
        """Whether ``keys_of_ids`` has nothing to compute."""
        return bool(self.id_keys) and len(self.id_keys) == len(self.jobs) and self.id_keys[-1] != 0

    def keys_of_ids(self) -> "array[int]":
        """Give the ``id_key`` of each row; 0 where there is no job, or none yet."""
        if not self.knows_ids:
            keys = (0 if job is None else id_key(job.id) for job in self.jobs)
            self.id_keys = array("Q", keys)
        return self.id_keys

    def row(self, seq: int) -> int | None:
        """Give the row of a job; nothing when it was packed away."""
        return seq - self.base if self._rows is None else self._rows.get(seq)

    def pack(self) -> None:
        """Keep the rows that hold a job, and no others."""
        rows = [row for row, code in enumerate(self.status) if code != GONE]
        old = self.seqs
        self.seqs = array("q", (self.base + row if old is None else old[row] for row in rows))
        self.jobs = [self.jobs[row] for row in rows]
        self.grams = None
        self.id_keys = array("Q")
        self.error_kinds = array("q")
        self._rows = {seq: row for row, seq in enumerate(self.seqs)}
        for name, code in _TYPES.items():
            column = getattr(self, name)
            setattr(self, name, array(code, (column[row] for row in rows)))


class Columns:
    """All chunks, by number."""

    __slots__ = ("_newest", "chunks", "kinds", "queues")

    def __init__(self) -> None:
        self._newest = -1
        self.chunks: dict[int, Chunk] = {}
        self.queues = Numbered()
        """(organization, queue name)"""
        self.kinds = Numbered()
        """job types"""

    def add(self, job: Job) -> None:
        """Take in a new job, with what never changes in its life."""
        number = job.seq >> CHUNK_BITS
        chunk = self.chunks.get(number)
        if chunk is None:
            self._settle(self._newest)
            chunk = self.chunks[number] = Chunk(number << CHUNK_BITS)
            self._newest = number
        row = job.seq - chunk.base
        chunk.live += 1
        chunk.jobs[row] = job
        chunk.queue[row] = self.queues.take(job.org, job.queue)
        chunk.kind[row] = self.kinds.take(job_type(job.payload))
        chunk.created_at[row] = job.created_at
        _write(chunk, row, job)

    def put(self, job: Job) -> None:
        """Note what may have changed."""
        chunk = self.chunks[job.seq >> CHUNK_BITS]
        row = chunk.row(job.seq)
        assert row is not None
        _write(chunk, row, job)

    def remove(self, job: Job) -> None:
        """Forget a job."""
        number = job.seq >> CHUNK_BITS
        chunk = self.chunks[number]
        row = chunk.row(job.seq)
        assert row is not None
        self.queues.drop(chunk.queue[row])
        self.kinds.drop(chunk.kind[row])
        chunk.status[row] = GONE
        chunk.jobs[row] = None
        chunk.live -= 1
        if number != self._newest:  # more rows are to come there
            self._settle(number)

    def has(self, seq: int) -> bool:
        """Whether there is a job of this number."""
        chunk = self.chunks.get(seq >> CHUNK_BITS)
        row = None if chunk is None else chunk.row(seq)
        return chunk is not None and row is not None and chunk.status[row] != GONE

    def _settle(self, number: int) -> None:
        """Give back the memory of rows without a job, where that is most of them."""
        chunk = self.chunks.get(number)
        if chunk is None:
            return
        if not chunk.live:
            del self.chunks[number]
        elif chunk.live < _PACKED_BELOW and 2 * chunk.live < len(chunk.status):
            chunk.pack()


class Tagged:
    """The jobs that carry a word, by order of creation; those that are gone vanish in time."""

    __slots__ = ("_gone", "seqs")

    def __init__(self) -> None:
        self.seqs = array("q")
        self._gone = 0

    def add(self, seq: int) -> None:
        """Take in the newest job."""
        self.seqs.append(seq)

    def remove(self, columns: Columns) -> bool:
        """Count one job that is gone from `columns`; tell whether any is left."""
        self._gone += 1
        if 2 * self._gone > len(self.seqs):
            self.seqs = array("q", self.live(columns))
            self._gone = 0
        return bool(self.seqs)

    def live(self, columns: Columns) -> Iterator[int]:
        """Give the jobs that there are."""
        return (seq for seq in self.seqs if columns.has(seq))


def _write(chunk: Chunk, row: int, job: Job) -> None:
    chunk.status[row] = CODES[job.status]
    chunk.priority[row] = job.priority
    chunk.retry_count[row] = job.retry_count
    chunk.error[row] = job.last_error is not None
    if chunk.error_kinds:
        chunk.error_kinds[row] = 0
    chunk.updated_at[row] = job.updated_at
    chunk.scheduled_at[row] = NEVER if job.scheduled_at is None else job.scheduled_at
    chunk.completed_at[row] = NEVER if job.completed_at is None else job.completed_at


def id_key(job_id: str) -> int:
    """Give the first 64 bits of a UUID as a number that sorts as the text does; 0 for other ids."""
    try:
        return int(f"{job_id[:8]}{job_id[9:13]}{job_id[14:18]}", 16) if len(job_id) == _UUID else 0
    except ValueError:
        return 0
