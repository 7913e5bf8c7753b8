"""What jobs and queues were before a record: what ``decide.undo`` compares with, and goes back to.

A job of before is folded from the events that told of it, in a small state of its own, without indexes. A queue of
before stands in the event that changed it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from projections.entities import Job, Queue
from projections.events import (
    JobCreated,
    JobEvent,
    JobRestored,
    QueueCreated,
    QueueEvent,
    QueueFacts,
    QueueRestored,
    Record,
)
from projections.fold import FOLDS
from projections.rawjson import EMPTY_OBJECT
from projections.state import State
from projections.undoing import QueueUndo, facts

_UNTOLD: Final = "the record is of an older version, which did not note what was before"

Told = tuple[Record, JobEvent]
Past = Iterable[Told]
"""What was told of a job since it came to be, the oldest first."""


class _Bare(State):
    """Tables without the indexes of jobs, which nobody asks here."""

    def add_job(self, job: Job) -> None:  # type: ignore[explicit-override]  # typing.override is of 3.12
        """Take in a job."""
        self.tables.jobs[job.id] = job

    def lift(self, job: Job) -> None:  # type: ignore[explicit-override]
        """Leave it where it is."""

    def put_back(self, job: Job) -> None:  # type: ignore[explicit-override]
        """Leave it where it is."""


def jobs_of_before(pasts: Mapping[str, Past]) -> dict[str, Job]:
    """Fold what was told of each job, from its creation or restoration on."""
    state = _Bare()
    for past in pasts.values():
        for record, event in past:
            if isinstance(event, JobCreated | JobRestored):
                _ensure_queue(state, event.org, event.queue)
            FOLDS[type(event)](state, event, record)
    return state.tables.jobs


def queues_touched(record: Record, org: str) -> Iterator[QueueUndo]:
    """Give the record's queues, with what they were before and after it."""
    names = [
        event.queue for event in record.events if isinstance(event, QueueEvent) and event.org == org
    ]
    for name in dict.fromkeys(names):
        told = [
            event
            for event in record.events
            if isinstance(event, QueueEvent) and (event.org, event.queue) == (org, name)
        ]
        yield _queue_touched(record, name, told)


def _queue_touched(record: Record, name: str, told: list[QueueEvent]) -> QueueUndo:
    first = told[0]
    before = None if isinstance(first, QueueCreated) else first.before
    if before is None and not isinstance(first, QueueCreated | QueueRestored):
        return QueueUndo(name, record.position, None, None, _UNTOLD)
    state = State()
    if before is not None:
        state.tables.queues[first.org] = {name: _queue(first.org, name, before)}
    for event in told:
        FOLDS[type(event)](state, event, record)
    after = state.queue(first.org, name)
    return QueueUndo(name, record.position, None if after is None else facts(after), before)


def _queue(org: str, name: str, told: QueueFacts) -> Queue:
    fields = {field: getattr(told, field) for field in QueueFacts.__struct_fields__}
    return Queue(org=org, name=name, **fields)


def _ensure_queue(state: State, org: str, name: str) -> None:
    queues = state.tables.queues.setdefault(org, {})
    if name not in queues:
        queues[name] = Queue("", org, name, 0, 0, EMPTY_OBJECT)
