"""Jobs that wait for a parent: let go when it is completed, cancelled when it never will be.

What becomes of them stands in the same record as what became of the parent (contract section 3.9).
"""

from collections.abc import Collection, Iterator

from projections.entities import Job
from projections.events import Event, JobCancelled, JobDeleted, JobUnblocked
from projections.state import State

PARENT_FAILED = "Parent job failed or was deadlettered"
PARENT_DELETED = "Parent job was deleted"


def let_go(state: State, parent: Job) -> Iterator[Event]:
    """Give the events of those that waited for a job that is completed."""
    for child in _waiting_for(state, parent):
        yield JobUnblocked(org=child.org, job=child.id, prev=child.trail)


def deleting(state: State, jobs: Collection[Job]) -> Iterator[Event]:
    """Give the events that delete these jobs, and what becomes of others that waited for them."""
    ended = {job.id for job in jobs}
    for job in jobs:
        yield deleted(job)
        yield from give_up(state, job, ended, PARENT_DELETED)


def deleted(job: Job) -> JobDeleted:
    """Give the event that deletes a job, with the place in line that it would come back to."""
    return JobDeleted(org=job.org, job=job.id, prev=job.trail, place=job.place or job.seq)


def give_up(
    state: State, parent: Job, ended: set[str], error: str = PARENT_FAILED
) -> Iterator[Event]:
    """Give the events of those that waited for a job that will never be completed, all the way down.

    `ended` holds the ids of jobs that this decision has ended already; it is added to.
    """
    ended.add(parent.id)
    parents = [parent]
    while parents:
        for child in _waiting_for(state, parents.pop()):
            if child.id not in ended:
                ended.add(child.id)
                parents.append(child)
                yield JobCancelled(org=child.org, job=child.id, prev=child.trail, error=error)


def _waiting_for(state: State, parent: Job) -> list[Job]:
    return list(state.dependants.get(parent.id, {}).values())
