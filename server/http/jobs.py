"""Handlers of jobs before and after a worker has them."""

from projections import bounds
from projections.decide import jobs
from projections.decide.jobs import found
from projections.entities import Job
from projections.errors import BadRequest
from projections.lifecycle import Status
from projections.queries import jobs as queries
from projections.queries.listing import listing
from projections.specs import (
    BatchStatusQuery,
    BulkJobs,
    Cancellation,
    DeadListQuery,
    HistoryQuery,
    JobListQuery,
    NewJob,
    NewPriority,
)
from server import questions as asks
from server.history import history as read_history
from server.history import told as tell_history
from server.http.answer import Answer
from server.http.at import answered
from server.http.call import Call
from server.http.params import Query
from server.http.trace import traceparent_of
from server.http.views import history as history_views
from server.http.views import jobs as views
from server.http.wire import Body, done, reply

NEW_JOB = Body(NewJob)
BULK_JOBS = Body(BulkJobs, bytes_max=bounds.BULK_BODY_BYTES_MAX)
NEW_PRIORITY = Body(NewPriority)
CANCELLATION = Body(Cancellation, empty_ok=True)
JOB_LIST = Query(JobListQuery)
DEAD_LIST = Query(DeadListQuery)
HISTORY = Query(HistoryQuery)
BATCH_STATUS = Query(BatchStatusQuery)


async def create(call: Call) -> Answer:
    """Enqueue one job: 201, or 200 with the earlier one for a known idempotency key."""
    spec = await NEW_JOB.read(call.request)
    made = call.engine.execute(
        jobs.create, call.caller, spec, traceparent_of(call.request.headers)
    ).answer
    return await reply(call, views.Created(made.job_id, made.new), status=201 if made.new else 200)


async def create_bulk(call: Call) -> Answer:
    """Enqueue up to 100 jobs as one record; bad items are reported by index."""
    spec = await BULK_JOBS.read(call.request)
    made = call.engine.execute(
        jobs.create_bulk, call.caller, spec, traceparent_of(call.request.headers)
    ).answer
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
    return await answered(call, asks.OneJob(call.path("id")))


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
    asked = JOB_LIST.read(call.request)
    return await answered(call, asks.JobPage(listing(asked, asked.status)))


async def list_dead(call: Call) -> Answer:
    """Give a page of dead letters; X-Has-More tells whether another follows."""
    asked = DEAD_LIST.read(call.request)
    return await answered(call, asks.JobPage(listing(asked, Status.DEADLETTER.value)))


async def history(call: Call) -> Answer:
    """Give a job's events, the oldest first; X-Has-More tells whether more follow."""
    asked = HISTORY.read(call.request)
    facts = await read_history(call.engine.log, _found(call))
    told = await tell_history(facts[::-1])
    if (asked.order_dir or "asc").lower() == "desc":
        told.reverse()
    offset = max(asked.offset or 0, 0)
    limit = bounds.PAGE_HISTORY_DEFAULT if asked.limit is None else asked.limit
    end = offset + min(max(limit, 1), bounds.PAGE_HISTORY_MAX)
    view = [history_views.event(one) for one in told[offset:end]]
    return await reply(call, view, has_more=end < len(told))


async def explain(call: Call) -> Answer:
    """Tell why a job is where it is: what it waits for, who has it, how many are before it."""
    return await answered(call, asks.ExplainedJob(call.path("id")))


async def stats(call: Call) -> Answer:
    """Count the organization's jobs by status."""
    return await answered(call, asks.CountedJobs())


async def batch_status(call: Call) -> Answer:
    """Give the status of up to 100 jobs; unknown ids are left out."""
    caller = call.caller
    if "ids" not in call.request.query:
        raise BadRequest("The query parameter ids is required")
    asked = BATCH_STATUS.read(call.request).ids
    ids = [job_id for part in asked.split(",") if (job_id := part.strip())]
    if len(ids) > bounds.BATCH_STATUS_IDS_MAX:
        raise BadRequest(f"At most {bounds.BATCH_STATUS_IDS_MAX} ids at a time")
    jobs_found = queries.by_ids(call.engine.state, caller.org, ids, caller.may_use)
    return await reply(call, [views.batch_status(job) for job in jobs_found])


def _found(call: Call) -> Job:
    engine = call.engine
    return found(engine.state, call.caller, call.path("id"))
