"""The life of one job, event by event: when, which attempt, and what each event changed.

The differences are found by folding the job's own events, oldest first, as the state was folded.
That is exact, because what an event does to its job depends on nothing but the job.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Raw, Struct

from projections.entities import Job, Queue
from projections.events import JobClaimed, JobCreated, JobReleased, JobRestored
from projections.feed import Fact
from projections.fold import FOLDS
from projections.state import State

Value = str | int | bool | None

TOLD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "status": "status",
        "priority": "priority",
        "retry_count": "retry_count",
        "worker": "assigned_worker_id",
        "lease_until": "lease_expires_at",
        "scheduled_at": "scheduled_at",
        "started_at": "started_at",
        "completed_at": "completed_at",
        "last_error": "last_error",
        "blocked": "blocked",
        "cancel_requested_at": "cancel_requested_at",
    }
)
"""The fields of a job whose changes are told, and how the API calls them."""

_OF_WHAT_IS_GONE: Final = ("status",)
"""of a job that leaves the state, which had all the others to its end"""


class Change(Struct, frozen=True):
    """One field of the job before and after an event; times in microseconds."""

    field: str
    before: Value
    after: Value


class Step(Struct, frozen=True):
    """One event of a job's life.

    `attempt` counts the claims so far, but for those that did not reach their worker. `changes` is
    None where the job's beginning is not among the events.
    """

    fact: Fact
    attempt: int
    since_last_us: int | None
    changes: tuple[Change, ...] | None


def steps(facts: Iterable[Fact]) -> Iterator[Step]:
    """Tell the events of one job, given oldest first."""
    life, attempt = _Life(), 0
    last_us: int | None = None
    for fact in facts:
        event, at_us = fact.event, fact.record.at
        attempt += isinstance(event, JobClaimed)
        since_last_us = None if last_us is None else at_us - last_us
        yield Step(fact, attempt, since_last_us, life.changed_by(fact))
        attempt -= isinstance(event, JobReleased)
        last_us = at_us


class _Life:
    """A state with one job in it, as far as its events have been told."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._known: dict[str, Value] = {}

    def changed_by(self, fact: Fact) -> tuple[Change, ...] | None:
        """Fold an event and give the difference; None while its beginning was not told."""
        event, record = fact.event, fact.record
        if self._state is None and isinstance(event, JobCreated | JobRestored):
            self._state = _with_queue(event)
        state = self._state
        if state is None:
            return None
        FOLDS[type(event)](state, event, record)
        job = next(iter(state.tables.jobs.values()), None)
        before, self._known = self._known, _values(job)
        return tuple(
            Change(TOLD[name], before.get(name), self._known.get(name))
            for name in (TOLD if job is not None else _OF_WHAT_IS_GONE)
            if before.get(name) != self._known.get(name)
        )


def _with_queue(event: JobCreated | JobRestored) -> State:
    """Give a state in which nothing is but the job's queue, which a claim stamps."""
    queue = Queue(
        id="", org=event.org, name=event.queue, created_at=0, updated_at=0, settings=Raw(b"{}")
    )
    state = State()
    state.tables.queues = {event.org: {event.queue: queue}}
    return state


def _values(job: Job | None) -> dict[str, Value]:
    """Give what is told of a job; nothing of one that is not there."""
    if job is None:
        return {}
    found = {name: getattr(job, name) for name in TOLD}
    return found | {"status": job.status.value, "blocked": job.blocked or None}
