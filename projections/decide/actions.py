"""One action on many jobs: cancel, retry, purge, set priority; dead letters sent back or purged.

Which jobs match is found by the queries; a decision here takes a part of them, judges each anew,
and records what it did as one record under the action's id.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Raw, Struct
from msgspec.json import encode

from projections import bounds
from projections.decide import Caller, Context, Decision
from projections.decide.dependants import deleting
from projections.decide.jobs import cancelling, moment, revived
from projections.decide.queues import Reviving
from projections.entities import Job
from projections.errors import BadRequest, Missing
from projections.events import BulkApplied, Event, JobPriorityChanged
from projections.lifecycle import ACTIVE, REVIVABLE, TERMINAL, WAITING, Status
from projections.specs import ActionFilter, DeadPurge, DeadRetry, JobAction, JobFilter, Verb
from projections.state import State

APPLIES_TO: Final[Mapping[Verb, frozenset[Status]]] = {
    Verb.CANCEL: ACTIVE,
    Verb.RETRY: REVIVABLE,
    Verb.PURGE: TERMINAL,
    Verb.SET_PRIORITY: WAITING,
}


class Action(Struct, frozen=True):
    """What is to be done, to which jobs: those that match the filter, or those of the ids that do.

    `asked` is the request's own filter, for the record.
    """

    verb: Verb
    filter: JobFilter
    asked: Raw
    job_ids: tuple[str, ...] | None = None
    priority: int | None = None
    jobs_max: int | None = None


class Applied(Struct, frozen=True):
    """The jobs that the action changed; the others were in no status for it."""

    job_ids: list[str]


def of_request(caller: Caller, spec: JobAction) -> Action:
    """Give the action that a request asks for.

    Raises:
        Denied, Invalid, Missing, BadRequest: key scope; a time out of the calendar; no priority to
            set; no criterion at all.

    """
    asked = spec.filter
    if asked == ActionFilter():
        raise BadRequest("The filter names no criterion; status=… names all jobs of a status")
    if asked.queue_name is not None:
        caller.require(asked.queue_name)
    if spec.action is Verb.SET_PRIORITY and spec.priority is None:
        raise Missing("priority", "required to set it")
    return Action(
        verb=spec.action,
        filter=JobFilter(
            queue_name=asked.queue_name,
            statuses=frozenset(asked.status.split(",")) if asked.status else None,
            tag=asked.tag,
            q=asked.q,
            job_type=asked.job_type,
            contains=asked.contains,
            error=asked.error,
            error_signature=asked.error_signature,
            created_after=moment("created_after", asked.created_after),
            created_before=moment("created_before", asked.created_before),
        ),
        asked=_document(asked),
        job_ids=None if asked.job_ids is None else tuple(asked.job_ids),
        priority=spec.priority if spec.action is Verb.SET_PRIORITY else None,
    )


def of_dead_retry(caller: Caller, spec: DeadRetry) -> Action:
    """Give the action that sends dead letters back.

    Raises:
        Denied: key scope.

    """
    ids = None if spec.job_ids is None else tuple(spec.job_ids)
    queue = spec.queue_name if ids is None else None
    if queue is not None:
        caller.require(queue)
    limit = bounds.DEAD_RETRY_MAX if spec.limit is None else spec.limit
    return Action(
        verb=Verb.RETRY,
        filter=JobFilter(queue_name=queue, statuses=frozenset({Status.DEADLETTER})),
        asked=_document(spec),
        job_ids=ids,
        jobs_max=limit if ids is None else None,
    )


def of_dead_purge(caller: Caller, spec: DeadPurge) -> Action:
    """Give the action that deletes dead letters for good.

    Raises:
        Denied, Invalid, BadRequest: key scope; a time out of the calendar; not confirmed.

    """
    if not spec.confirm:
        raise BadRequest("confirm must be true: a purge deletes the jobs")
    if spec.queue_name is not None:
        caller.require(spec.queue_name)
    return Action(
        verb=Verb.PURGE,
        filter=JobFilter(
            queue_name=spec.queue_name,
            statuses=frozenset({Status.DEADLETTER}),
            created_before=moment("older_than", spec.older_than),
        ),
        asked=_document(spec),
        jobs_max=bounds.DEAD_PURGE_MAX if spec.limit is None else spec.limit,
    )


def apply(
    state: State,
    ctx: Context,
    action: Action,
    action_id: str,
    job_ids: list[str],
    *,
    first: int = 0,
) -> Decision[Applied]:
    """Do to these jobs what the action says, as far as each may have it done now.

    `first` is the position of the first record under the action's id, if there is one already.
    """
    chosen = [job for job in _present(state, ctx, job_ids) if applies(action, job)]
    if not chosen:
        return Decision((), Applied([]))
    begun = BulkApplied(
        org=ctx.org,
        action=action_id,
        verb=action.verb,
        filter=action.asked,
        priority=action.priority,
        first=first or state.position + 1,
    )
    events = (begun, *_EVENTS[action.verb](state, ctx, action, chosen))
    return Decision(events, Applied([job.id for job in chosen]))


def applies(action: Action, job: Job) -> bool:
    """Whether the action would change this job."""
    if job.status not in APPLIES_TO[action.verb]:
        return False
    statuses = action.filter.statuses
    if statuses is not None and job.status.value not in statuses:
        return False
    if action.verb is Verb.CANCEL:
        return job.cancel_requested_at is None
    return action.verb is not Verb.SET_PRIORITY or job.priority != action.priority


def _present(state: State, ctx: Context, job_ids: list[str]) -> Iterator[Job]:
    for job_id in dict.fromkeys(job_ids):
        job = state.job(ctx.org, job_id)
        if job is not None and ctx.caller.may_use(job.queue):
            yield job


def _cancel(state: State, ctx: Context, action: Action, jobs: list[Job]) -> Iterator[Event]:
    ended: set[str] = set()
    for job in jobs:
        if job.id not in ended:
            yield from cancelling(state, job, ended)


def _retry(state: State, ctx: Context, action: Action, jobs: list[Job]) -> Iterator[Event]:
    reviving = Reviving(state, ctx)
    for job in jobs:
        yield from reviving.queue_of(job)
        yield revived(job, 0)


def _purge(state: State, ctx: Context, action: Action, jobs: list[Job]) -> Iterator[Event]:
    return deleting(state, jobs)


def _set_priority(state: State, ctx: Context, action: Action, jobs: list[Job]) -> Iterator[Event]:
    assert action.priority is not None
    for job in jobs:
        yield JobPriorityChanged(org=job.org, job=job.id, prev=job.trail, priority=action.priority)


_EVENTS: Final = {
    Verb.CANCEL: _cancel,
    Verb.RETRY: _retry,
    Verb.PURGE: _purge,
    Verb.SET_PRIORITY: _set_priority,
}


def _document(spec: ActionFilter | DeadRetry | DeadPurge) -> Raw:
    """Give what was asked for, without what was left out."""
    return Raw(
        encode(
            {
                name: value
                for name in spec.__struct_fields__
                if (value := getattr(spec, name)) is not None
            }
        )
    )
