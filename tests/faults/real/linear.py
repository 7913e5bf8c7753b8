"""Is there one order of operations on one job that explains every answer? (Wing and Gong's search.)

The model below is a job as its clients may see it. A lease ends by itself, never before its time;
an operation without an answer may have happened at any moment since, or not at all. Moments are
microseconds of the wall clock, which the server and its clients share.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tests.faults.real.ledger import NEVER, Op, moment_us

LEASE_US: Final = 5_000_000
UNTOLD: Final = "untold:"
_STEPS_MAX: Final = 400_000
_ENDED: Final = frozenset({"completed", "deadletter", "cancelled"})


class Job(Struct, frozen=True):
    """A job at the moment `now`, which is the earliest it can be. The lease ends in `ends`…`last`."""

    now: float = 0.0
    status: str = "none"
    lease: str | None = None
    ends: float = 0.0
    last: float = 0.0
    retries: int = 0
    retries_max: int = 0
    ready: float = 0.0


def steps(job: Job, op: Op) -> Iterator[Job]:
    """Give every job that `op` may leave behind, if it happens now; none when it cannot have."""
    for before in _by_itself(job):
        now = max(before.now, op.wall_from)
        if now <= op.wall_to:
            yield from _after(replace(before, now=now), op)


def _by_itself(job: Job) -> Iterator[Job]:
    yield job
    if job.status == "processing":
        yield _attempt_over(replace(job, now=max(job.now, job.ends)), ready=0.0)
        if str(job.lease).startswith(UNTOLD):  # its client has gone: it may have been taken back
            yield replace(job, status="pending", lease=None)


def _attempt_over(job: Job, ready: float) -> Job:
    if job.retries >= job.retries_max:
        return replace(job, status="deadletter", lease=None)
    return replace(job, status="pending", lease=None, retries=job.retries + 1, ready=ready)


def _after(job: Job, op: Op) -> Iterator[Job]:
    made = _changed(job, op)
    match op.outcome:
        case "ok" if op.kind == "get":
            if (op.answer["status"], op.answer["retry_count"]) == (job.status, job.retries):
                yield from _seen(job, op.answer["lease_id"])
        case "ok" if op.kind == "create" and not op.answer["created"]:
            if job.status != "none":
                yield job
        case "ok" | "unknown":
            if made is not None:
                yield made
        case _:
            code = "NOT_FOUND" if job.status == "none" else _refusal(job, op)
            if made is None and code == op.answer["code"]:
                yield job


def _seen(job: Job, lease: str | None) -> Iterator[Job]:
    """Someone read the lease: it is the known one, or that of a claim that was never answered."""
    if job.lease in (lease, f"{UNTOLD}{lease}"):
        yield job
    elif job.lease == UNTOLD:
        yield replace(job, lease=f"{UNTOLD}{lease}")


def _refusal(job: Job, op: Op) -> str:
    return "CONFLICT" if job.status in _ENDED or op.kind == "cancel" else "LEASE_EXPIRED"


def _changed(job: Job, op: Op) -> Job | None:  # noqa: C901, PLR0911 - one case for each operation
    """Give the job after the operation was accepted; None when it has to be refused."""
    held = (
        job.status == "processing" and job.lease == op.asked.get("lease_id") and job.now < job.last
    )
    match op.kind:
        case "create" if job.status == "none":
            return replace(job, status="pending", retries_max=op.asked["max_retries"])
        case "claim" if job.status == "pending":
            lease, ends, last = _lease(job, op)
            now = max(job.now, job.ready)
            if now <= op.wall_to:
                return replace(job, now=now, status="processing", lease=lease, ends=ends, last=last)
        case "complete" if held:
            return replace(job, status="completed", lease=None)
        case "fail" if held:
            told = op.answer or {}
            text = told.get("next_retry_at")
            after = _attempt_over(job, moment_us(text) if text else job.now)
            if told.get("status", after.status) == after.status:
                return after
        case "heartbeat" if held:
            _, ends, last = _lease(job, op)
            return replace(job, ends=ends, last=last)
        case "cancel" if job.status == "pending":
            return replace(job, status="cancelled")
    return None


def _lease(job: Job, op: Op) -> tuple[str, float, float]:
    """Give a lease, and its end at the earliest and at the latest."""
    if not op.ok:
        return UNTOLD, job.now + LEASE_US, NEVER
    told = op.answer["jobs"][0] if op.kind == "claim" else op.answer
    until = moment_us(told["lease_expires_at"])
    return told.get("lease_id", ""), until, until


def linearizable(ops: Sequence[Op], steps_max: int = _STEPS_MAX) -> bool | None:
    """Tell whether one order explains all; None when the search was given up."""
    ops = sorted(ops, key=lambda op: op.invoked)
    needed = sum(1 << index for index, op in enumerate(ops) if op.outcome != "unknown")
    seen: set[tuple[int, Job]] = set()
    stack = [(0, Job())]
    while stack:
        place = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        done, job = place
        if done & needed == needed:
            return True
        if len(seen) > steps_max:
            return None
        for index in _next(ops, done):
            stack.extend((done | 1 << index, after) for after in steps(job, ops[index]))
    return False


def _next(ops: Sequence[Op], done: int) -> Iterator[int]:
    """Give the operations that may come next: those begun before any other of the rest was over."""
    rest = [index for index in range(len(ops)) if not done >> index & 1]
    first_end = min(ops[index].returned for index in rest)
    return (index for index in reversed(rest) if ops[index].invoked <= first_end)
