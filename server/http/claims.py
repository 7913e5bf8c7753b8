"""Handlers of jobs handed to a worker: claim, with or without a wait, and extend."""

from projections.decide import claims, settlements
from projections.moments import to_text
from projections.specs import Claim, Extension
from server.http.answer import Answer
from server.http.call import Call
from server.http.views import claims as views
from server.http.wire import Body, reply

CLAIM = Body(Claim)
EXTENSION = Body(Extension)


async def claim(call: Call) -> Answer:
    """Hand out ready jobs, at once or as soon as there are some within `wait_secs`."""
    spec = await CLAIM.read(call.request)
    attempt = _Attempt(call, spec)
    if not attempt() and spec.wait_secs:
        place = (call.caller.org, spec.queue_name)
        await call.service.waiting.wait(place, attempt, spec.wait_secs)
    try:
        return await reply(call, views.Claimed(attempt.jobs))
    finally:
        if attempt.jobs and call.gone:
            # It hung up between its claim and this answer; another worker can have them at once.
            leases = tuple((job.id, job.lease_id) for job in attempt.jobs)
            call.engine.execute(settlements.release, call.caller, leases)


async def extend(call: Call) -> Answer:
    """Extend a lease; the answer tells whether the worker is asked to stop."""
    spec = await EXTENSION.read(call.request)
    job_id = call.path("id")
    made = call.engine.execute(claims.extend, call.caller, job_id, spec).answer
    return await reply(call, views.Extended(to_text(made.lease_until), made.cancel_requested))


class _Attempt:
    """One claim, tried as often as the line calls it; the jobs are rendered in the tick they are claimed."""

    def __init__(self, call: Call, spec: Claim) -> None:
        self.jobs: list[views.ClaimedJob] = []
        self._call = call
        self._spec = spec

    def __call__(self) -> bool:
        call, engine = self._call, self._call.engine
        if call.service.draining or call.gone:
            return True
        claimed = engine.execute(claims.claim, call.caller, self._spec).answer
        jobs = engine.state.tables.jobs
        self.jobs = [views.claimed(jobs[job_id]) for job_id in claimed]
        return bool(self.jobs)
