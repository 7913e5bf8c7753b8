"""Why a job waits, as the API tells it."""

from msgspec import Struct

from projections.entities import Job
from projections.lifecycle import Status
from projections.moments import to_text, to_text_or_none
from projections.queries import explain
from projections.state import State
from server.http.views.times import Time


class Reason(Struct, frozen=True, kw_only=True):
    """One thing that keeps the job from being handed out, or that explains its status."""

    code: str
    message: str
    since: Time | None
    until: Time | None
    by: str | None
    job_id: str | None
    limit: int | None


class Explanation(Struct, frozen=True, kw_only=True):
    """Answer to GET /jobs/{id}/explain.

    `ahead` is how many jobs would be handed out before this one; `ahead_at_least` tells that more
    were not counted.
    """

    job_id: str
    queue_name: str
    status: Status
    claimable: bool
    reasons: list[Reason]
    ahead: int | None
    ahead_at_least: bool
    last_claimed_at: Time | None
    active_workers: int
    explained_at: Time
    position: int


def explained(state: State, job: Job, now_us: int) -> Explanation:
    """Explain a job as it is in a state at `now_us`."""
    made = explain.explain(state, job, now_us)
    line = made.line
    return Explanation(
        job_id=job.id,
        queue_name=job.queue,
        status=job.status,
        claimable=made.claimable,
        reasons=[_reason(reason) for reason in made.reasons],
        ahead=None if line is None else line.ahead,
        ahead_at_least=line is not None and line.at_least,
        last_claimed_at=to_text_or_none(made.last_claimed_at),
        active_workers=made.active_workers,
        explained_at=to_text(now_us),
        position=state.position,
    )


def _reason(reason: explain.Reason) -> Reason:
    return Reason(
        code=reason.code,
        message=reason.message,
        since=to_text_or_none(reason.since),
        until=to_text_or_none(reason.until),
        by=reason.by,
        job_id=reason.job_id,
        limit=reason.limit,
    )
