"""Handlers of how an attempt ends: complete and fail, one job or many."""

from projections import bounds
from projections.decide import settlements
from projections.decide.settlements import BulkSettled
from projections.moments import to_text_or_none
from projections.specs import BulkCompletion, BulkFailure, Completion, Failure
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import settlements as views
from server.http.wire import Body, reply

COMPLETION = Body(Completion)
FAILURE = Body(Failure)
BULK_COMPLETION = Body(BulkCompletion, bytes_max=bounds.BULK_BODY_BYTES_MAX)
BULK_FAILURE = Body(BulkFailure)


async def complete(call: Call) -> Answer:
    """Finish a job."""
    spec = await COMPLETION.read(call.request)
    job_id = call.path("id")
    call.engine.execute(settlements.complete, call.caller, job_id, spec)
    return await reply(call, views.Settled())


async def fail(call: Call) -> Answer:
    """Report a failed attempt: retried after its backoff, dead-lettered, or cancelled if so asked."""
    spec = await FAILURE.read(call.request)
    job_id = call.path("id")
    settled = call.engine.execute(settlements.fail, call.caller, job_id, spec).answer
    retry_at = to_text_or_none(settled.retry_at)
    return await reply(
        call, views.FailedAttempt(True, settled.retry_at is not None, settled.status, retry_at)
    )


async def complete_bulk(call: Call) -> Answer:
    """Finish up to 100 jobs as one record; items that are refused are reported by index."""
    spec = await BULK_COMPLETION.read(call.request)
    settled = call.engine.execute(settlements.complete_bulk, call.caller, spec).answer
    return await reply(call, _view(settled))


async def fail_bulk(call: Call) -> Answer:
    """Report up to 100 failed attempts as one record; refused items are reported by index."""
    spec = await BULK_FAILURE.read(call.request)
    settled = call.engine.execute(settlements.fail_bulk, call.caller, spec).answer
    return await reply(call, _view(settled))


def _view(made: BulkSettled) -> views.BulkSettled:
    return views.BulkSettled(
        succeeded=[
            views.ItemSettled(index, job_id, one.status, to_text_or_none(one.retry_at))
            for index, job_id, one in made.succeeded
        ],
        failed=[
            views.ItemRefused(index, job_id, refused.code, refused.message)
            for index, job_id, refused in made.failed
        ],
        total=len(made.succeeded) + len(made.failed),
        success_count=len(made.succeeded),
        failure_count=len(made.failed),
    )
