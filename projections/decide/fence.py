"""The fence: only the holder of a job's current lease may settle or extend it (contract section 3.4)."""

from msgspec import Struct

from projections.decide import Context
from projections.decide.jobs import found
from projections.entities import Job
from projections.errors import Conflict, LeaseExpired, Missing
from projections.events import JobSettlementRefused
from projections.lifecycle import TERMINAL, Status
from projections.state import State


class LeaseHeld(Struct, frozen=True):
    """A claim to hold a job's lease: what for, by which worker, and under which lease id, if sent."""

    verb: str
    worker: str
    lease: str | None

    def refused(self, job: Job) -> JobSettlementRefused:
        """Give the event of a late write; the job stays as it is (design section 7, decision 15)."""
        return JobSettlementRefused(
            org=job.org,
            job=job.id,
            prev=job.trail,
            worker=self.worker,
            verb=self.verb,
            lease=self.lease,
        )


def held(
    state: State, ctx: Context, job_id: str, claimed: LeaseHeld
) -> tuple[Job, LeaseExpired | None]:
    """Give the job, and why the asker may not touch it, if so; that refusal is to be recorded.

    Raises:
        NotFound, Conflict, Missing: unknown; ended before; no lease id where one is required.

    """
    job = found(state, ctx.caller, job_id)
    if claimed.lease is None and ctx.policy.require_lease_id:
        raise Missing("lease_id", "required by this server")
    if job.status in TERMINAL:
        raise Conflict(f"Job is already {job.status}")
    return job, _objection(job, claimed, ctx.now_us)


def _objection(job: Job, claimed: LeaseHeld, now_us: int) -> LeaseExpired | None:
    if job.status is not Status.PROCESSING or job.lease_until is None:
        return LeaseExpired("Lease expired")
    if claimed.lease is not None and claimed.lease != job.lease:
        return LeaseExpired("lease_id does not match the job's current lease")
    if claimed.worker != job.worker:
        return LeaseExpired("Another worker holds the job's current lease")
    if job.lease_until <= now_us:
        return LeaseExpired("Lease expired")
    return None
