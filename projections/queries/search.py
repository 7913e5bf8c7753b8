"""Finds jobs among millions by vector operations over their columns, a slice at a time.

A slice is a few chunks of rows, so that whoever asks can let others in between; the state may go on
changing meanwhile. Jobs created after the start are not found, jobs removed or changed so that they
match no more are left out.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from projections.columns import CHUNK_BITS, CODES, GONE, STATUSES, Chunk
from projections.entities import Job
from projections.lifecycle import Status
from projections.queries.freetext import FreeText
from projections.queries.grams import PIECE, Grams
from projections.queries.vectors import Mask, Numbers, column, taken
from projections.queries.wording import Wording
from projections.specs import JobFilter
from projections.state import State

Visible = Callable[[str], bool]

_STATUSES: Final = {status.value: status for status in Status}
_BYTES_PER_PART: Final = 4_000_000
"""Of texts, read without letting others in."""
_JOBS_PER_PART: Final = 4_096
"""So many jobs at most, however small."""
_MANY: Final = 10_000
"""From so many jobs on, a tag is looked for in every chunk, rather than its chunks listed."""


class Filter:
    """A filter made ready: tables that say, for each code in a column, whether it matches."""

    def __init__(self, state: State, org: str, wanted: JobFilter, visible: Visible) -> None:
        self.wanted = wanted
        self.seq_last = state.tables.seq
        self._state = state
        columns = state.columns
        names = None if wanted.queue_name is None else {wanted.queue_name}
        self._queues = np.fromiter(
            (
                place[0] == org and (names is None or place[1] in names) and visible(place[1])
                for place in columns.queues.texts
            ),
            dtype=np.bool_,
        )
        self._statuses = np.array([code != GONE for code in range(len(STATUSES))])
        if wanted.statuses is not None:
            asked = {_STATUSES.get(name) for name in wanted.statuses}
            self._statuses &= np.array([status in asked for status in STATUSES])
        self._kind = None if wanted.job_type is None else columns.kinds.number(wanted.job_type)
        self._tagged = None if wanted.tag is None else state.tags.get((org, wanted.tag))
        self._text = None if wanted.q is None else FreeText(state, wanted.q)
        self._wording = Wording.of(wanted)
        self._needle = None if self._wording is None else self._wording.needle
        self._is_sieved = self._needle is not None and len(self._needle) >= PIECE
        self.worked = False
        """Whether `next` has read texts, or noted what they are made of."""
        self._unread: list[int] = []  # taken from the end; numbers, since rows move in a packing

    @property
    def is_reading(self) -> bool:
        """Whether texts of the last chunk are still to be read."""
        return bool(self._unread)

    def is_costly(self, number: int) -> bool:
        """Whether this chunk takes a slice of its own, because its ids must be noted first."""
        chunk = self._state.columns.chunks.get(number)
        return self._text is not None and chunk is not None and not chunk.knows_ids

    def prepare(self, texts_max: int) -> bool:
        """Go on with what must be known first, by up to so many texts; True when it is."""
        return self._text is None or self._text.prepare(texts_max)

    def chunks(self) -> list[int]:
        """Give the numbers of the chunks that may hold a match, oldest first."""
        wanted, every = self.wanted, self._state.columns.chunks
        if not self._statuses.any() or not self._queues.any():
            return []
        if (wanted.tag is not None and self._tagged is None) or (
            wanted.job_type is not None and self._kind is None
        ):
            return []
        numbers: Iterator[int] = iter(every)
        if self._tagged is not None and len(self._tagged.seqs) < _MANY:
            tagged = np.unique(column(self._tagged.seqs) >> CHUNK_BITS)
            numbers = (number for number in tagged.tolist() if number in every)
        return sorted(numbers)

    def rows(self, number: int) -> tuple[Chunk, Numbers] | None:
        """Give the rows of a chunk that match, in order of creation; nothing when it is gone."""
        chunk = self._state.columns.chunks.get(number)
        if chunk is None:
            return None
        mask = self._statuses[column(chunk.status)]
        mask &= taken(self._queues, column(chunk.queue))
        if chunk.end > self.seq_last + 1:
            mask &= _seqs(chunk) <= self.seq_last
        self._restrict_times(chunk, mask)
        if self._kind is not None:
            mask &= column(chunk.kind) == self._kind
        if self._tagged is not None:
            mask &= self._carries_tag(chunk)
        if self._text is not None:
            mask &= self._text.mask(chunk)
        if self._wording is not None:
            self._wording.restrict(chunk, mask)
        return chunk, np.flatnonzero(mask)

    def _sieve(self, number: int) -> bool:
        """Note a part of what a chunk's payloads are made of; False when there is nothing to do."""
        chunk = self._state.columns.chunks.get(number)
        if (
            chunk is None
            or not self._is_sieved
            or chunk.seqs is not None
            or chunk.end > self.seq_last
        ):
            return False
        if not isinstance(chunk.grams, Grams):
            chunk.grams = Grams()
        if chunk.grams.done:
            return False
        chunk.grams.add_part(chunk)
        return True

    def begin_reading(self, chunk: Chunk, rows: Numbers, *, descending: bool) -> None:
        """Set rows aside whose texts decide; those that come first are read first."""
        if self._needle is not None and isinstance(chunk.grams, Grams) and chunk.grams.done:
            rows = chunk.grams.passing(rows, self._needle) if self._is_sieved else rows
        seqs = seqs_of(chunk, rows)
        self._unread = (seqs if descending else seqs[::-1]).tolist()

    def read(self, wording: Wording) -> tuple[Chunk, Numbers] | None:
        """Read some of the jobs set aside; give the rows that match, in order of creation."""
        chunk = self._state.columns.chunks.get(self._unread[-1] >> CHUNK_BITS)
        if chunk is None:
            self._unread = []
            return None
        part = self._unread[: -_JOBS_PER_PART - 1 : -1]
        unpacked, jobs = chunk.seqs is None, chunk.jobs
        found: list[int] = []
        count, read = len(part), 0
        for done, seq in enumerate(part, 1):
            row = seq - chunk.base if unpacked else chunk.row(seq)
            job = None if row is None else jobs[row]
            if row is None or job is None:
                continue  # removed since it was set aside
            matches, cost = wording.judge(job, chunk, row)
            if matches:
                found.append(row)
            read += cost
            if read >= _BYTES_PER_PART:
                count = done
                break
        del self._unread[-count:]
        return chunk, np.array(sorted(found), dtype=np.int64)

    def next(self, chunks: list[int], *, descending: bool) -> tuple[Chunk, Numbers] | None:
        """Give the matches of the next part, taking a chunk from the end when none is begun."""
        self.worked = False
        if not self._unread:
            if self._sieve(chunks[-1]):
                self.worked = True
                return None
            found = self.rows(chunks.pop())
            if self._wording is None or found is None or self._wording.is_known(*found):
                return found
            self.begin_reading(*found, descending=descending)
        self.worked = bool(self._unread)
        return self.read(self._wording) if self._wording is not None and self._unread else None

    def job(self, seq: int) -> Job | None:
        """Give a job that was found, if it is still there and in one of the statuses asked for."""
        chunk = self._state.columns.chunks.get(seq >> CHUNK_BITS)
        row = None if chunk is None else chunk.row(seq)
        if chunk is None or row is None or not self._statuses[chunk.status[row]]:
            return None
        return chunk.jobs[row]

    def _restrict_times(self, chunk: Chunk, mask: Mask) -> None:
        wanted = self.wanted
        if wanted.created_after is not None:
            mask &= column(chunk.created_at) >= wanted.created_after
        if wanted.created_before is not None:
            mask &= column(chunk.created_at) < wanted.created_before

    def _carries_tag(self, chunk: Chunk) -> Mask:
        assert self._tagged is not None
        tagged = column(self._tagged.seqs)
        mask = np.zeros(len(chunk.status), dtype=np.bool_)
        begin, end = np.searchsorted(tagged, (chunk.base, chunk.end)).tolist()
        tagged = tagged[begin:end]
        if chunk.seqs is None:
            mask[tagged - chunk.base] = True
        else:
            seqs = column(chunk.seqs)
            places = np.searchsorted(seqs, tagged).clip(max=len(seqs) - 1)
            mask[places[seqs[places] == tagged]] = True
        return mask


def seqs_of(chunk: Chunk, rows: Numbers) -> Numbers:
    """Give the numbers of the jobs in these rows."""
    return rows + chunk.base if chunk.seqs is None else column(chunk.seqs)[rows]


def _seqs(chunk: Chunk) -> Numbers:
    if chunk.seqs is not None:
        return column(chunk.seqs)
    return np.arange(chunk.base, chunk.base + len(chunk.status), dtype=np.int64)


assert set(CODES.values()) == set(range(1, len(STATUSES)))
