"""What somebody did to a job, decided anew on the job as it is in the other history."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from projections.decide import Context, Decision, actions, dependants, jobs
from projections.decide.actions import Action
from projections.entities import Job
from projections.events import Event, JobCancelled, JobRetired, JobUnblocked
from projections.lifecycle import FINISHED, WAITING
from projections.rawjson import EMPTY_OBJECT
from projections.specs import Cancellation, JobFilter, Verb
from projections.state import State
from projections.whatif.life import Told

_ACTED: Final[Mapping[Told, Action]] = {
    Told.RETRY_AFRESH: Action(Verb.RETRY, JobFilter(), EMPTY_OBJECT),
    Told.PURGE: Action(Verb.PURGE, JobFilter(), EMPTY_OBJECT),
}


def done(state: State, ctx: Context, job: Job, what: Told, doomed: list[Job]) -> Decision[Any]:
    """Decide what was done; `doomed` are the jobs that a deletion took together.

    Raises:
        Refused: it cannot be done to the job as it is now.

    """
    match what:
        case Told.STOP:
            return jobs.stop(state, ctx, job.id, Cancellation())
        case Told.RETRY:
            return jobs.retry(state, ctx, job.id)
        case Told.RETRY_AFRESH | Told.PURGE:
            return actions.apply(state, ctx, _ACTED[what], "what-if", [job.id])
        case Told.DELETE:
            return Decision(tuple(dependants.deleting(state, doomed)), None)
        case _:
            return Decision(tuple(_of_the_rest(state, job, what)), None)


def _of_the_rest(state: State, job: Job, what: Told) -> Iterator[Event]:
    """Give the events of what no command stands for, where the job is in a status for it."""
    if what is Told.RETIRE and job.status in FINISHED:
        yield JobRetired(org=job.org, job=job.id, prev=job.trail)
    elif what is Told.UNBLOCK and job.status in WAITING and job.blocked:
        yield JobUnblocked(org=job.org, job=job.id, prev=job.trail)
    elif what is Told.GIVE_UP and job.status in WAITING:
        error = dependants.PARENT_FAILED
        yield JobCancelled(org=job.org, job=job.id, prev=job.trail, error=error)
        yield from dependants.give_up(state, job, set())
