"""One job or one queue through its history: each record that tells of it, and what that changed.

A record is atomic: nobody ever saw the state between two of its events, so a step is a record.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from msgspec import Struct

from projections.events import DEFAULT_ORG, Event, JobEvent, Record, WorkerEvent
from projections.fold import refold
from projections.lifecycle import Status
from projections.moments import to_text
from projections.state import State
from spoolog import changes

Facts = dict[str, Any]


class Subject(Protocol):
    """What is stepped through."""

    def concerned(self, state: State, record: Record) -> dict[int, Event]:
        """Give the events about it, by their places; `state` is the one before the record."""
        ...

    def facts(self, state: State) -> Facts:
        """Give what is known of it; nothing when it is not there."""
        ...


class Step(Struct, frozen=True):
    """A record, those of its events that concern the subject, and the facts that it changed."""

    record: Record
    events: tuple[Event, ...]
    indexes: tuple[int, ...]
    changed: dict[str, list[Any]]


class OneJob(Struct, frozen=True):
    """A job, by its id."""

    job: str

    def concerned(self, state: State, record: Record) -> dict[int, Event]:  # noqa: ARG002 - a Subject
        """Give the events that name this job."""
        return {
            index: event
            for index, event in enumerate(record.events)
            if isinstance(event, JobEvent) and event.job == self.job
        }

    def facts(self, state: State) -> Facts:
        """Give the job's fields that may change."""
        job = state.job(DEFAULT_ORG, self.job)
        if job is None:
            return {}
        row = changes.JOB.row(job)
        return {
            name: changes.told(name, value)
            for name, value in zip(changes.JOB.names, row, strict=True)
        }


class OneQueue(Struct, frozen=True):
    """A queue, by its name: its own events, and those of its jobs and workers."""

    queue: str

    def concerned(self, state: State, record: Record) -> dict[int, Event]:
        """Give the events about the queue, and about its jobs and workers."""
        found: dict[int, Event] = {}
        members: set[str] = set()
        for index, event in enumerate(record.events):
            subject = getattr(event, "job", None) or getattr(event, "worker", None)
            named = getattr(event, "queue", None)
            if named is None:
                mine = subject in members or self._holds(state, event)
            else:
                mine = named == self.queue and event.org == DEFAULT_ORG
            if mine:
                found[index] = event
                if subject is not None:
                    members.add(subject)
        return found

    def facts(self, state: State) -> Facts:
        """Give how deep the queue is, what is ready, what waits longest, and its configuration."""
        shelf = state.shelf(DEFAULT_ORG, self.queue)
        oldest = shelf.oldest_waiting()
        found: Facts = {status.value: shelf.count(status) for status in Status}
        found["ready"] = len(shelf.ready)
        found["oldest_waiting_job"] = None if oldest is None else oldest.id
        found["oldest_waiting_at"] = None if oldest is None else to_text(oldest.created_at)
        queue = state.queue(DEFAULT_ORG, self.queue)
        if queue is not None:
            row = changes.QUEUE.row(queue)
            for name, value in zip(changes.QUEUE.names, row, strict=True):
                found[name] = changes.told(name, value)
        return found

    def _holds(self, state: State, event: Event) -> bool:
        """Whether the event is about a job or worker that is in the queue."""
        if event.org != DEFAULT_ORG:
            return False
        if isinstance(event, JobEvent):
            job = state.tables.jobs.get(event.job)
            return job is not None and job.queue == self.queue
        if isinstance(event, WorkerEvent):
            worker = state.tables.workers.get(event.worker)
            return worker is not None and worker.queue == self.queue
        return False


def steps(state: State, records: Iterable[Record], subject: Subject) -> Iterator[Step]:
    """Fold the records one by one, and give those that concern the subject.

    Raises:
        Undecodable: a record does not follow from those before it.

    """
    for record in records:
        found = subject.concerned(state, record)
        if not found:
            refold(state, record)
            continue
        before = subject.facts(state)
        refold(state, record)
        after = subject.facts(state)
        yield Step(record, tuple(found.values()), tuple(found), changes.different(before, after))
