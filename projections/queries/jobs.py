"""Which jobs match, in which order, which page; and how many there are of each status.

A search runs in slices; ``find`` runs one to its end. Scope: ``visible`` says which queues the
caller may see.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from msgspec import Struct

from projections.columns import CHUNK_BITS, Chunk
from projections.entities import Job
from projections.lifecycle import Status
from projections.queries.orders import best, order_key, ranks_of
from projections.queries.search import Filter, Visible, seqs_of
from projections.queries.vectors import Numbers
from projections.specs import JobFilter
from projections.state import State

ORDERS: Final = frozenset(
    {
        "created_at",
        "updated_at",
        "scheduled_at",
        "completed_at",
        "priority",
        "status",
        "queue_name",
        "retry_count",
    }
)
_CHUNKS_PER_SLICE: Final = 8
_TEXTS_PER_SLICE: Final = 20_000
_JOBS_MAX: Final = 1 << 62  # more than there can be


class Page(Struct, frozen=True):
    """One page of jobs, and whether another follows."""

    jobs: list[Job]
    has_more: bool


def find(state: State, org: str, wanted: JobFilter, visible: Visible) -> Page:
    """Give the page that `wanted` asks for; an unknown order falls back to time of creation."""
    search = Search(state, org, wanted, visible)
    while not search.step():
        pass
    return search.page()


class Search:
    """One page in the making. Times and texts that a job does not have sort before all others."""

    def __init__(self, state: State, org: str, wanted: JobFilter, visible: Visible) -> None:
        self._filter = Filter(state, org, wanted, visible)
        self._wanted = wanted
        chunks = self._filter.chunks()
        # Met in the order of creation that breaks ties, so that the first k of equals are the best.
        self._chunks = chunks if wanted.descending else chunks[::-1]  # taken from the end
        self._end = min(wanted.offset + wanted.limit + 1, _JOBS_MAX)
        order_by = wanted.order_by if wanted.order_by in ORDERS else "created_at"
        self._best: _ByCreation | _ByKey
        if order_by == "created_at":
            self._best = _ByCreation(wanted.offset, self._end, descending=wanted.descending)
        else:
            self._best = _ByKey(
                state, order_by, wanted.offset, self._end, descending=wanted.descending
            )

    def step(self) -> bool:
        """Search a few milliseconds' worth further; True when the page is found."""
        if not self._filter.prepare(_TEXTS_PER_SLICE):
            return False
        for _ in range(_CHUNKS_PER_SLICE):
            if self._is_done():
                return True
            costly = not self._filter.is_reading and self._filter.is_costly(self._chunks[-1])
            found = self._filter.next(self._chunks, descending=self._wanted.descending)
            if found is not None and len(found[1]):
                self._best.take(*found)
            if costly or self._filter.worked:
                break
        return self._is_done()

    def page(self) -> Page:
        """Give the page as it is now, once it is found."""
        seqs = self._best.seqs()
        has_more = self._best.found >= self._end
        jobs = (self._filter.job(seq) for seq in seqs[: self._wanted.limit])
        return Page([job for job in jobs if job is not None], has_more)

    def _is_done(self) -> bool:
        return self._best.full or not (self._chunks or self._filter.is_reading)


class Matching:
    """All jobs that match, oldest first, up to `jobs_max`; with `ids` only those among them."""

    def __init__(
        self,
        state: State,
        org: str,
        wanted: JobFilter,
        visible: Visible,
        *,
        ids: Iterable[str] | None = None,
        jobs_max: int | None = None,
    ) -> None:
        self._filter = Filter(state, org, wanted, visible)
        self._chunks = self._filter.chunks()[::-1]
        self._jobs_max = _JOBS_MAX if jobs_max is None else jobs_max
        self._among: set[int] | None = None
        self._found: list[str] = []
        if ids is not None:
            self._among = {job.seq for job in by_ids(state, org, ids, visible)}
            wanted_chunks = {seq >> CHUNK_BITS for seq in self._among}
            self._chunks = [number for number in self._chunks if number in wanted_chunks]

    def step(self) -> bool:
        """Search a few milliseconds' worth further; True when all are found."""
        if not self._filter.prepare(_TEXTS_PER_SLICE):
            return False
        if not self._is_done():
            found = self._filter.next(self._chunks, descending=False)
            if found is not None:
                self._collect(seqs_of(*found))
        return self._is_done()

    def ids(self) -> list[str]:
        """Give the ids that were found."""
        return self._found[: self._jobs_max]

    def _is_done(self) -> bool:
        left = self._chunks or self._filter.is_reading
        return not left or len(self._found) >= self._jobs_max

    def _collect(self, seqs: Numbers) -> None:
        for seq in seqs.tolist():
            if self._among is None or seq in self._among:
                job = self._filter.job(seq)
                if job is not None:
                    self._found.append(job.id)


class _ByCreation:
    """The page by order of creation: what stands before it is counted, never collected."""

    def __init__(self, offset: int, end: int, *, descending: bool) -> None:
        self.found = 0
        self._offset = offset
        self._end = end
        self._step = -1 if descending else 1
        self._seqs: list[int] = []

    @property
    def full(self) -> bool:
        return self.found >= self._end

    def take(self, chunk: Chunk, rows: Numbers) -> None:
        begin = max(self._offset - self.found, 0)
        end = max(self._end - self.found, 0)
        self._seqs.extend(seqs_of(chunk, rows[:: self._step][begin:end]).tolist())
        self.found += len(rows)

    def seqs(self) -> list[int]:
        return self._seqs


class _ByKey:
    """The page by a key, equals by order of creation.

    What may be on the page or before it is held as it came and never sorted: a page far down costs
    a selection of its first and last place, and only what lies between is put in order.
    """

    full = False

    def __init__(
        self, state: State, order_by: str, offset: int, end: int, *, descending: bool
    ) -> None:
        self.found = 0
        self._order_by = order_by
        self._ranks = ranks_of(state, order_by)
        self._offset = offset
        self._end = end
        self._sign = -1 if descending else 1
        self._keys: list[Numbers] = []
        self._seqs: list[Numbers] = []
        self._held = 0
        self._bound: int | None = None  # no better than the last that is held

    def take(self, chunk: Chunk, rows: Numbers) -> None:
        self.found += len(rows)
        keys = order_key(chunk, self._order_by, self._ranks)[rows] * self._sign
        if self._bound is not None:
            # Equals that come later in the order of creation are no better than what is held.
            better = keys < self._bound
            rows, keys = rows[better], keys[better]
        if not len(rows):
            return
        self._keys.append(keys[:: self._sign])
        self._seqs.append(seqs_of(chunk, rows)[:: self._sign])
        self._held += len(rows)
        if self._held > 2 * self._end:
            self._trim()

    def seqs(self) -> list[int]:
        if not self._held:
            return []
        self._trim()
        keys, seqs = self._keys[0], self._seqs[0]
        after = ~best(keys, self._offset)
        keys, seqs = keys[after], seqs[after]
        in_order: list[int] = seqs[np.argsort(keys, kind="stable")].tolist()
        return in_order

    def _trim(self) -> None:
        """Keep what can be on the page or before it."""
        keys, seqs = np.concatenate(self._keys), np.concatenate(self._seqs)
        if len(keys) > self._end:
            keep = best(keys, self._end)
            keys, seqs = keys[keep], seqs[keep]
            self._bound = int(keys.max())
        self._keys, self._seqs, self._held = [keys], [seqs], len(keys)


def counts(state: State, org: str, visible: Visible) -> dict[Status, int]:
    """Count the organization's jobs by status."""
    shelves = [shelf for name, shelf in state.shelves.get(org, {}).items() if visible(name)]
    return {status: sum(shelf.count(status) for shelf in shelves) for status in Status}


def by_ids(state: State, org: str, ids: Iterable[str], visible: Visible) -> list[Job]:
    """Give those of the jobs that exist, in the order asked."""
    jobs = (state.job(org, job_id) for job_id in dict.fromkeys(ids))
    return [job for job in jobs if job is not None and visible(job.queue)]
