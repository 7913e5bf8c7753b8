"""Handlers of jobs before and after a worker has them."""

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web
from msgspec import ValidationError, convert

from projections import bounds
from projections.decide import jobs
from projections.decide.jobs import found
from projections.entities import Job
from projections.errors import BadRequest, Invalid
from projections.lifecycle import Status
from projections.moments import to_us
from projections.queries import jobs as queries
from projections.specs import BulkJobs, JobFilter, NewJob, NewPriority
from server.http import views
from server.http.caller import CALLER
from server.http.wire import Body, done, engine_of, reply

Query = Mapping[str, str]

NEW_JOB = Body(NewJob)
BULK_JOBS = Body(BulkJobs, bytes_max=bounds.BULK_BODY_BYTES_MAX)
NEW_PRIORITY = Body(NewPriority)


async def create(request: web.Request) -> web.Response:
    """Enqueue one job: 201, or 200 with the earlier one for a known idempotency key."""
    spec = await NEW_JOB.read(request)
    made = engine_of(request).execute(jobs.create, request[CALLER], spec).answer
    return await reply(
        request, views.Created(made.job_id, made.new), status=201 if made.new else 200
    )


async def create_bulk(request: web.Request) -> web.Response:
    """Enqueue up to 100 jobs as one record; bad items are reported by index."""
    spec = await BULK_JOBS.read(request)
    made = engine_of(request).execute(jobs.create_bulk, request[CALLER], spec).answer
    view = views.BulkCreated(
        succeeded=[views.BulkSucceeded(i, one.job_id, one.new) for i, one in made.succeeded],
        failed=[views.BulkFailed(index, error) for index, error in made.failed],
        total=len(spec.jobs),
        success_count=len(made.succeeded),
        failure_count=len(made.failed),
    )
    return await reply(request, view)


async def get(request: web.Request) -> web.Response:
    """Give one whole job."""
    job = _found(request)
    return await reply(request, views.job(job))


async def cancel(request: web.Request) -> web.Response:
    """Cancel a waiting job."""
    engine_of(request).execute(jobs.cancel, request[CALLER], request.match_info["id"])
    return await done(request)


async def retry(request: web.Request) -> web.Response:
    """Send a failed or dead-lettered job back; the answer is the whole job."""
    engine_of(request).execute(jobs.retry, request[CALLER], request.match_info["id"])
    return await reply(request, views.job(_found(request)))


async def set_priority(request: web.Request) -> web.Response:
    """Replace a waiting job's priority."""
    spec = await NEW_PRIORITY.read(request)
    job_id = request.match_info["id"]
    engine, caller = engine_of(request), request[CALLER]
    made = engine.execute(jobs.set_priority, caller, job_id, spec.priority).answer
    return await reply(
        request, views.PriorityChanged(made.job_id, made.old_priority, made.new_priority)
    )


async def list_(request: web.Request) -> web.Response:
    """Give a page of summaries; X-Has-More tells whether another follows."""
    caller = request[CALLER]
    page = queries.find(
        engine_of(request).state, caller.org, _filter(request.query), caller.may_use
    )
    view = [views.summary(job) for job in page.jobs]
    return await reply(request, view, has_more=page.has_more)


async def stats(request: web.Request) -> web.Response:
    """Count the organization's jobs by status."""
    caller = request[CALLER]
    counts = queries.counts(engine_of(request).state, caller.org, caller.may_use)
    view = {status.value: counts[status] for status in Status}
    return await reply(request, {**view, "total": sum(counts.values())})


async def batch_status(request: web.Request) -> web.Response:
    """Give the status of up to 100 jobs; unknown ids are left out."""
    caller = request[CALLER]
    asked = request.query.get("ids")
    if asked is None:
        raise BadRequest("The query parameter ids is required")
    ids = [job_id for part in asked.split(",") if (job_id := part.strip())]
    if len(ids) > bounds.BATCH_STATUS_IDS_MAX:
        raise BadRequest(f"At most {bounds.BATCH_STATUS_IDS_MAX} ids at a time")
    jobs_found = queries.by_ids(engine_of(request).state, caller.org, ids, caller.may_use)
    return await reply(request, [views.batch_status(job) for job in jobs_found])


def _found(request: web.Request) -> Job:
    engine = engine_of(request)
    return found(engine.state, request[CALLER], request.match_info["id"])


def _filter(query: Query) -> JobFilter:
    """Read the list parameters (contract section 1.6): limits are clamped, unknown words ignored."""
    statuses = query.get("status")
    return JobFilter(
        queue_name=query.get("queue_name") or None,
        statuses=frozenset(statuses.split(",")) if statuses else None,
        tag=query.get("tag") or None,
        q=query.get("q") or None,
        job_type=query.get("job_type") or None,
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
