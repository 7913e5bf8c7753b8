"""Jobs before and after a worker has them: create, bulk create, cancel, retry, reprioritise."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import DecodeError, Raw, Struct, UnsetType
from msgspec.structs import replace

from projections import bounds
from projections.decide import Caller, Context, Decision, dependants
from projections.decide.queues import Reviving, ensured
from projections.entities import Job, Queue
from projections.errors import Conflict, Invalid, NotFound, Refused
from projections.events import (
    Event,
    JobCancelled,
    JobCancelRequested,
    JobCreated,
    JobPriorityChanged,
    JobRetried,
)
from projections.lifecycle import TERMINAL, Status, may
from projections.moments import EARLIEST_US, LATEST_US, to_us
from projections.rawjson import bounded, document, words
from projections.specs import BulkItem, BulkJobs, Cancellation, NewJob
from projections.state import State

_STRICT_NAME: Final = re.compile(bounds.STRICT_QUEUE_NAME_PATTERN)


class Created(Struct, frozen=True):
    """The job's id, and whether it is new or an idempotency key was met before."""

    job_id: str
    new: bool


class BulkCreated(Struct, frozen=True):
    """What became of each item, by its index: created (or met before), or why not."""

    succeeded: list[tuple[int, Created]]
    failed: list[tuple[int, str]]


class Stopping(Struct, frozen=True):
    """Whether the job is cancelled now, or its worker was asked to stop."""

    job_id: str
    cancelled: bool


class Reprioritised(Struct, frozen=True):
    """The change that was made."""

    job_id: str
    old_priority: int
    new_priority: int


def found(state: State, caller: Caller, job_id: str) -> Job:
    """Give the caller's job; one of another organization or queue scope is not there.

    Raises:
        NotFound: no such job for this caller.

    """
    job = state.job(caller.org, job_id)
    if job is None or not caller.may_use(job.queue):
        raise NotFound("Job not found")
    return job


def create(
    state: State, ctx: Context, spec: NewJob, traceparent: str | None = None
) -> Decision[Created]:
    """Enqueue one job, or give the one that was created with the same idempotency key.

    Raises:
        Denied, Invalid, TooLarge: key scope; a rule is broken; the payload is over 1 MiB.

    """
    _check_queue(ctx, spec.queue_name)
    queue_events, queue = ensured(state, ctx, spec.queue_name)
    made = _created(ctx, queue, spec, traceparent)
    if spec.idempotency_key is not None:
        known = state.idempotency.get((ctx.org, spec.idempotency_key))
        if known is not None:
            return Decision((), Created(known.id, new=False))
    if made.parent is None:
        return Decision((*queue_events, made), Created(made.job, new=True))
    return Decision((*queue_events, *child(state, ctx, made)), Created(made.job, new=True))


def create_bulk(
    state: State, ctx: Context, spec: BulkJobs, traceparent: str | None = None
) -> Decision[BulkCreated]:
    """Enqueue up to 100 jobs in one record. Bad items are reported, the others stand.

    Raises:
        Denied, Invalid: the request as a whole is refused.

    """
    _check_queue(ctx, spec.queue_name)
    queue_events, queue = ensured(state, ctx, spec.queue_name)
    known = dict(_known_keys(state, ctx, spec))
    answer = BulkCreated([], [])
    made: list[Event] = []
    for index, item in enumerate(spec.jobs):
        key = item.idempotency_key
        try:
            event = _created(ctx, queue, _whole(spec, item), traceparent)
        except Refused as refused:
            answer.failed.append((index, refused.message))
            continue
        if key is not None and key in known:
            answer.succeeded.append((index, Created(known[key], new=False)))
            continue
        if key is not None:
            known[key] = event.job
        made.append(event)
        answer.succeeded.append((index, Created(event.job, new=True)))
    return Decision((*queue_events, *made) if made else (), answer)


def cancel(state: State, ctx: Context, job_id: str) -> Decision[None]:
    """Cancel a job that no worker has yet.

    Raises:
        NotFound, Conflict: unknown; already claimed or ended.

    """
    job = found(state, ctx.caller, job_id)
    if not may(job.status, "job.cancelled"):
        raise Conflict(f"Job is already {job.status}")
    return Decision(tuple(cancelling(state, job, set())), None)


def stop(state: State, ctx: Context, job_id: str, spec: Cancellation) -> Decision[Stopping]:
    """Cancel a waiting job, or ask the worker of a running one to stop; asking again is no error.

    Raises:
        NotFound, Conflict: unknown; ended before.

    """
    job = found(state, ctx.caller, job_id)
    if job.status in TERMINAL:
        raise Conflict(f"Job is already {job.status}")
    events = tuple(cancelling(state, job, set(), spec.reason))
    return Decision(events, Stopping(job.id, job.status is not Status.PROCESSING))


def retry(state: State, ctx: Context, job_id: str) -> Decision[str]:
    """Send a failed or dead-lettered job back to its queue, one retry older.

    Raises:
        NotFound, Conflict: unknown; in any other status.

    """
    job = found(state, ctx.caller, job_id)
    if not may(job.status, "job.retried"):
        raise Conflict(f"Only failed or dead-lettered jobs can be retried; job is {job.status}")
    queue_events = Reviving(state, ctx).queue_of(job)
    return Decision((*queue_events, revived(job, job.retry_count + 1)), job.id)


def set_priority(state: State, ctx: Context, job_id: str, priority: int) -> Decision[Reprioritised]:
    """Replace a waiting job's priority.

    Raises:
        NotFound: unknown, or no longer waiting (contract section 10).

    """
    job = found(state, ctx.caller, job_id)
    if not may(job.status, "job.priority_changed"):
        raise NotFound("No pending or scheduled job with this id")
    answer = Reprioritised(job.id, job.priority, priority)
    if priority == job.priority:
        return Decision((), answer)
    event = JobPriorityChanged(org=job.org, job=job.id, prev=job.trail, priority=priority)
    return Decision((event,), answer)


def cancelling(
    state: State, job: Job, ended: set[str], reason: str | None = None
) -> Iterator[Event]:
    """Give the events that cancel a live job, or ask its worker to stop; none if it was asked.

    `ended` holds the ids of jobs that this decision has ended already; it is added to.
    """
    if job.status is not Status.PROCESSING:
        yield JobCancelled(org=job.org, job=job.id, prev=job.trail, error=reason)
        yield from dependants.give_up(state, job, ended)
    elif job.cancel_requested_at is None:
        yield JobCancelRequested(org=job.org, job=job.id, prev=job.trail, reason=reason)


def revived(job: Job, retry_count: int) -> JobRetried:
    """Give the event that sends a job back to its queue."""
    return JobRetried(org=job.org, job=job.id, prev=job.trail, retry_count=retry_count)


def _check_queue(ctx: Context, name: str) -> None:
    ctx.require(name)
    if ctx.policy.strict_queue_names and not _STRICT_NAME.match(name):
        raise Invalid("queue_name", "only lowercase letters, digits and hyphens, at most 64")


def _created(ctx: Context, queue: Queue, spec: NewJob, traceparent: str | None) -> JobCreated:
    policy = ctx.policy
    scheduled_at = moment("scheduled_at", spec.scheduled_at)
    return JobCreated(
        org=ctx.org,
        job=ctx.new_id(),
        queue=queue.name,
        payload=document("payload", spec.payload, bounds.PAYLOAD_BYTES_MAX),
        max_retries=_first(spec.max_retries, queue.max_retries, policy.max_retries),
        timeout_secs=_first(spec.timeout_seconds, queue.default_timeout_secs, policy.timeout_secs),
        priority=_first(spec.priority, None, 0),
        due_at=scheduled_at if scheduled_at is not None and scheduled_at > ctx.now_us else None,
        scheduled_at=scheduled_at,
        expires_at=moment("expires_at", spec.expires_at),
        idempotency_key=spec.idempotency_key,
        tags=_tags(spec.tags),
        parent=spec.parent_job_id,
        completion_webhook=spec.completion_webhook,
        completion_webhook_secret=spec.completion_webhook_secret,
        traceparent=traceparent,
    )


def child(state: State, ctx: Context, made: JobCreated) -> Iterator[Event]:
    """Give the events of a job with a parent: it waits, unless the parent has ended.

    A parent that is not there (any more) holds nothing back, as in the contract.
    """
    assert made.parent is not None
    parent = state.job(ctx.org, made.parent)
    if parent is None or not ctx.caller.may_use(parent.queue) or parent.status is Status.COMPLETED:
        yield made
        return
    if len(state.dependants.get(parent.id, ())) >= bounds.CHILDREN_WAITING_MAX:
        raise Invalid("parent_job_id", f"{bounds.CHILDREN_WAITING_MAX} jobs wait for it already")
    yield replace(made, blocked=True)
    if parent.status in TERMINAL:
        yield JobCancelled(org=made.org, job=made.job, error=dependants.PARENT_FAILED)


def moment(field: str, moment: datetime | None) -> int | None:
    """Give a time that can be shown again: its offset may move it out of the calendar."""
    if moment is None:
        return None
    at_us = to_us(moment)
    if not EARLIEST_US <= at_us <= LATEST_US:
        raise Invalid(field, "must lie in the years 1 to 9999, UTC")
    return at_us


def _tags(tags: Raw | UnsetType) -> Raw | UnsetType:
    text = bounded("tags", tags, bounds.TAGS_BYTES_MAX, b"{[")
    try:
        words(text)
    except DecodeError as reason:
        raise Invalid("tags", str(reason)) from reason
    return text


def _first(asked: int | None, of_queue: int | None, of_server: int) -> int:
    """Request before queue before server (contract section 3.8)."""
    if asked is not None:
        return asked
    return of_server if of_queue is None else of_queue


def _known_keys(state: State, ctx: Context, spec: BulkJobs) -> Iterator[tuple[str, str]]:
    for item in spec.jobs:
        if item.idempotency_key is not None:
            job = state.idempotency.get((ctx.org, item.idempotency_key))
            if job is not None:
                yield item.idempotency_key, job.id


def _whole(spec: BulkJobs, item: BulkItem) -> NewJob:
    """Give an item as a job of its own, the request's defaults filled in.

    Raises:
        Invalid: the item breaks a rule that a single job's types would have checked.

    """
    priority = spec.default_priority if item.priority is None else item.priority
    if priority is not None and not bounds.PRIORITY_MIN <= priority <= bounds.PRIORITY_MAX:
        raise Invalid("priority", f"must be {bounds.PRIORITY_MIN} to {bounds.PRIORITY_MAX}")
    key = item.idempotency_key
    if key is not None and not 1 <= len(key) <= bounds.IDEMPOTENCY_KEY_MAX:
        raise Invalid("idempotency_key", f"must have 1 to {bounds.IDEMPOTENCY_KEY_MAX} characters")
    return NewJob(
        queue_name=spec.queue_name,
        payload=item.payload,
        priority=priority,
        max_retries=spec.default_max_retries,
        timeout_seconds=spec.default_timeout_seconds,
        scheduled_at=item.scheduled_at,
        idempotency_key=item.idempotency_key,
    )
