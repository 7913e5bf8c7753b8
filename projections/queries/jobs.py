"""Which jobs match, in which order, which page; and how many there are of each status.

A listing starts from the smallest index that covers its filter, so its cost is that of the
candidates, not of all jobs. Scope: ``visible`` says which queues the caller may see.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from msgspec import Struct

from projections.entities import Job
from projections.lifecycle import Status
from projections.rawjson import job_type
from projections.specs import JobFilter
from projections.state import State

Visible = Callable[[str], bool]

_STATUSES: Final = {status.value: status for status in Status}
_EARLIEST: Final = -(1 << 62)
_JOBS_MAX: Final = 1 << 62  # more than there can be; islice takes no number beyond 63 bits

# Times and texts that a job does not have sort before all others.
ORDERS: Final[dict[str, Callable[[Job], Any]]] = {
    "created_at": lambda job: job.seq,
    "updated_at": lambda job: job.updated_at,
    "scheduled_at": lambda job: _EARLIEST if job.scheduled_at is None else job.scheduled_at,
    "completed_at": lambda job: _EARLIEST if job.completed_at is None else job.completed_at,
    "priority": lambda job: job.priority,
    "status": lambda job: job.status.value,
    "queue_name": lambda job: job.queue,
    "retry_count": lambda job: job.retry_count,
}


class Page(Struct, frozen=True):
    """One page of jobs, and whether another follows."""

    jobs: list[Job]
    has_more: bool


def find(state: State, org: str, wanted: JobFilter, visible: Visible) -> Page:
    """Give the page that `wanted` asks for; an unknown order falls back to time of creation."""
    by_creation = wanted.order_by not in ORDERS or wanted.order_by == "created_at"
    candidates = _candidates(state, org, wanted)
    end = min(wanted.offset + wanted.limit + 1, _JOBS_MAX)
    if candidates is None and by_creation:
        jobs = state.tables.jobs.values()
        in_order = reversed(jobs) if wanted.descending else jobs
        matching = (job for job in in_order if job.org == org and _matches(job, wanted, visible))
        best = list(islice(matching, end))
    else:
        order = ORDERS.get(wanted.order_by, ORDERS["created_at"])
        every = state.tables.jobs.values() if candidates is None else candidates
        matching = (job for job in every if job.org == org and _matches(job, wanted, visible))
        pick = heapq.nlargest if wanted.descending else heapq.nsmallest
        best = pick(end, matching, key=lambda job: (order(job), job.seq))
    return Page(best[wanted.offset : end - 1], len(best) == end)


class Matching:
    """placeholder"""

    def __init__(
        self, state: State, org: str, wanted: JobFilter, visible: Visible, *, ids: Any = None
    ) -> None:
        every = state.tables.jobs.values() if ids is None else by_ids(state, org, ids, visible)
        self._ids = [job.id for job in every if job.org == org and _matches(job, wanted, visible)]

    def step(self, rows: int) -> bool:
        return True

    def ids(self) -> list[str]:
        return self._ids


def counts(state: State, org: str, visible: Visible) -> dict[Status, int]:
    """Count the organization's jobs by status."""
    shelves = [shelf for name, shelf in state.shelves.get(org, {}).items() if visible(name)]
    return {status: sum(shelf.count(status) for shelf in shelves) for status in Status}


def by_ids(state: State, org: str, ids: Iterable[str], visible: Visible) -> list[Job]:
    """Give those of the jobs that exist, in the order asked."""
    jobs = (state.job(org, job_id) for job_id in dict.fromkeys(ids))
    return [job for job in jobs if job is not None and visible(job.queue)]


def _candidates(state: State, org: str, wanted: JobFilter) -> Iterable[Job] | None:
    """Give the jobs of the index that covers the filter, in no order; nothing when none does."""
    if wanted.tag is not None:
        return state.tags.get((org, wanted.tag), {}).values()
    if wanted.queue_name is None and wanted.statuses is None:
        return None
    return _shelved(state, org, wanted)


def _shelved(state: State, org: str, wanted: JobFilter) -> Iterator[Job]:
    shelves = state.shelves.get(org, {})
    if wanted.queue_name is not None:
        shelves = {name: shelf for name, shelf in shelves.items() if name == wanted.queue_name}
    statuses = list(Status)
    if wanted.statuses is not None:
        statuses = [_STATUSES[name] for name in sorted(wanted.statuses) if name in _STATUSES]
    places = (shelf.by_status[status] for shelf in shelves.values() for status in statuses)
    return chain.from_iterable(place.values() for place in places)


def _matches(job: Job, wanted: JobFilter, visible: Visible) -> bool:
    return (
        visible(job.queue)
        and (wanted.queue_name is None or job.queue == wanted.queue_name)
        and (wanted.statuses is None or job.status.value in wanted.statuses)
        and (wanted.created_after is None or job.created_at >= wanted.created_after)
        and (wanted.created_before is None or job.created_at < wanted.created_before)
        and (wanted.job_type is None or job_type(job.payload) == wanted.job_type)
        and (wanted.q is None or _found_in(job, wanted.q.lower()))
    )


def _found_in(job: Job, text: str) -> bool:
    """Free text: the start of the id, or a part of the queue name or job type."""
    return (
        job.id.startswith(text)
        or text in job.queue.lower()
        or text in job_type(job.payload).lower()
    )
