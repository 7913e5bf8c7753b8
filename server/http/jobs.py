"""Handlers of jobs before and after a worker has them."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from msgspec import ValidationError, convert
from msgspec.structs import replace

from projections import bounds
from projections.decide import jobs
from projections.decide.jobs import found
from projections.entities import Job
from projections.errors import BadRequest, Invalid
from projections.lifecycle import Status
from projections.moments import to_us
from projections.queries import jobs as queries
from projections.queries.explain import explain as explain_job
from projections.specs import BulkJobs, Cancellation, JobFilter, NewJob, NewPriority
from server.history import history as read_history
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import explain as explain_views
from server.http.views import history as history_views
from server.http.views import jobs as views
from server.http.wire import Body, done, reply

Query = Mapping[str, str]

NEW_JOB = Body(NewJob)
BULK_JOBS = Body(BulkJobs, bytes_max=bounds.BULK_BODY_BYTES_MAX)
NEW_PRIORITY = Body(NewPriority)
CANCELLATION = Body(Cancellation, empty_ok=True)


async def create(call: Call) -> Answer:
    """Enqueue one job: 201, or 200 with the earlier one for a known idempotency key."""
    spec = await NEW_JOB.read(call.request)
    made = call.engine.execute(jobs.create, call.caller, spec).answer
    return await reply(call, views.Created(made.job_id, made.new), status=201 if made.new else 200)


async def create_bulk(call: Call) -> Answer:
    """Enqueue up to 100 jobs as one record; bad items are reported by index."""
    spec = await BULK_JOBS.read(call.request)
    made = call.engine.execute(jobs.create_bulk, call.caller, spec).answer
    view = views.BulkCreated(
        succeeded=[views.BulkSucceeded(i, one.job_id, one.new) for i, one in made.succeeded],
        failed=[views.BulkFailed(index, error) for index, error in made.failed],
        total=len(spec.jobs),
        success_count=len(made.succeeded),
        failure_count=len(made.failed),
    )
    return await reply(call, view)


async def get(call: Call) -> Answer:
    """Give one whole job."""
    job = _found(call)
    return await reply(call, views.job(job))


async def cancel(call: Call) -> Answer:
    """Cancel a waiting job."""
    call.engine.execute(jobs.cancel, call.caller, call.path("id"))
    return await done(call)


async def stop(call: Call) -> Answer:
    """Cancel a waiting job, or ask the worker of a running one to stop: 202."""
    spec = await CANCELLATION.read(call.request)
    made = call.engine.execute(jobs.stop, call.caller, call.path("id"), spec).answer
    status = Status.CANCELLED if made.cancelled else Status.PROCESSING
    view = views.Stopping(made.job_id, status, cancel_requested=not made.cancelled)
    return await reply(call, view, status=200 if made.cancelled else 202)


async def retry(call: Call) -> Answer:
    """Send a failed or dead-lettered job back; the answer is the whole job."""
    call.engine.execute(jobs.retry, call.caller, call.path("id"))
    return await reply(call, views.job(_found(call)))


async def set_priority(call: Call) -> Answer:
    """Replace a waiting job's priority."""
    spec = await NEW_PRIORITY.read(call.request)
    job_id = call.path("id")
    engine, caller = call.engine, call.caller
    made = engine.execute(jobs.set_priority, caller, job_id, spec.priority).answer
    return await reply(
        call, views.PriorityChanged(made.job_id, made.old_priority, made.new_priority)
    )


async def list_(call: Call) -> Answer:
    """Give a page of summaries; X-Has-More tells whether another follows."""
    return await _page(call, _filter(call.request.query))


async def list_dead(call: Call) -> Answer:
    """Give a page of dead letters; X-Has-More tells whether another follows."""
    dead = replace(_filter(call.request.query), statuses=frozenset({Status.DEADLETTER.value}))
    return await _page(call, dead)


async def history(call: Call) -> Answer:
    """Give a job's events, the oldest first; X-Has-More tells whether more follow."""
    told = await read_history(call.engine.log, _found(call))
    query = call.request.query
    if query.get("order_dir", "asc").lower() != "desc":
        told.reverse()
    offset = max(_integer(query, "offset", 0), 0)
    limit = _integer(query, "limit", bounds.PAGE_HISTORY_DEFAULT)
    end = offset + min(max(limit, 1), bounds.PAGE_HISTORY_MAX)
    view = [history_views.event(one) for one in told[offset:end]]
    return await reply(call, view, has_more=end < len(told))


async def explain(call: Call) -> Answer:
    """Tell why a job is where it is: what it waits for, who has it, how many are before it."""
    engine, job = call.engine, _found(call)
    now_us = engine.now_us()
    made = explain_job(engine.state, job, now_us)
    return await reply(call, explain_views.explanation(job, made, now_us, engine.state.position))


async def stats(call: Call) -> Answer:
    """Count the organization's jobs by status."""
    caller = call.caller
    counts = queries.counts(call.engine.state, caller.org, caller.may_use)
    view = {status.value: counts[status] for status in Status}
    return await reply(call, {**view, "total": sum(counts.values())})


async def batch_status(call: Call) -> Answer:
    """Give the status of up to 100 jobs; unknown ids are left out."""
    caller = call.caller
    asked = call.request.query.get("ids")
    if asked is None:
        raise BadRequest("The query parameter ids is required")
    ids = [job_id for part in asked.split(",") if (job_id := part.strip())]
    if len(ids) > bounds.BATCH_STATUS_IDS_MAX:
        raise BadRequest(f"At most {bounds.BATCH_STATUS_IDS_MAX} ids at a time")
    jobs_found = queries.by_ids(call.engine.state, caller.org, ids, caller.may_use)
    return await reply(call, [views.batch_status(job) for job in jobs_found])


async def _page(call: Call, wanted: JobFilter) -> Answer:
    caller = call.caller
    search = queries.Search(call.engine.state, caller.org, wanted, caller.may_use)
    while not search.step():  # noqa: ASYNC110 - a pause, not a poll
        await asyncio.sleep(0)
    page = search.page()
    view = [views.summary(job) for job in page.jobs]
    return await reply(call, view, has_more=page.has_more)


def _found(call: Call) -> Job:
    engine = call.engine
    return found(engine.state, call.caller, call.path("id"))


def _filter(query: Query) -> JobFilter:
    """Read the list parameters (contract section 1.6): limits are clamped, unknown words ignored."""
    statuses = query.get("status")
    return JobFilter(
        queue_name=query.get("queue_name") or None,
        statuses=frozenset(statuses.split(",")) if statuses else None,
        tag=query.get("tag") or None,
        q=query.get("q") or None,
        job_type=query.get("job_type") or None,
        contains=query.get("contains") or None,
        created_after=_moment(query, "created_after"),
        created_before=_moment(query, "created_before"),
        order_by=query.get("order_by", "created_at"),
        descending=query.get("order_dir", "desc").lower() != "asc",
        limit=min(max(_integer(query, "limit", bounds.PAGE_JOBS_DEFAULT), 1), bounds.PAGE_JOBS_MAX),
        offset=max(_integer(query, "offset", 0), 0),
    )


def _integer(query: Query, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError as reason:
        raise Invalid(name, "must be an integer") from reason


def _moment(query: Query, name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return to_us(convert(text, datetime))
    except ValidationError as reason:
        raise Invalid(name, "must be an RFC 3339 time") from reason
