"""The outside checker: what clients were told, and whether it still holds.

Every answered operation is entered here once its record is durable, with what a look at the jobs it
changed showed at that moment. Each change of a job from one look to the next must be one that the
operation, or time alone, may make. The rules are written down here once more, on purpose: nothing is
asked of the lifecycle, the fence or the agenda. After a restart every known job must be as it was
told, but for what time has done since. A job that has ended may go by itself once it is over age or
over the count; its idempotency key is free from then on.
"""

from collections.abc import Callable

from msgspec import Struct, field

from projections.decide import Policy
from projections.entities import Job
from projections.lifecycle import Status

WAITING = {Status.PENDING, Status.SCHEDULED}
ENDED = {Status.COMPLETED, Status.CANCELLED, Status.DEADLETTER}


class Violation(AssertionError):
    """Something that was promised does not hold."""


class Op(Struct):
    """One operation of a client: what it asked, what it was answered, and what a look showed then."""

    number: int
    kind: str
    at_us: int = 0
    """the server's time behind it"""
    position: int = 0
    """what must be durable before its answer is told"""
    answer: object = None
    refusal: str | None = None
    queue: str = ""
    worker: str = ""
    leases: dict[str, str | None] = field(default_factory=dict)
    """of a settlement: job id and the lease that was shown, if one was"""
    secs: int = 0
    seen: list[Job] = field(default_factory=list)
    """the jobs that have changed since the operation before"""
    retired: list[str] = field(default_factory=list)
    """the jobs that had gone before it, by time alone"""
    gone: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    """of the jobs it asked for"""


class Ledger:
    """What is known from outside."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.retired = 0
        self.jobs: dict[str, Job] = {}
        self.keys: dict[str, str] = {}
        self.claimed: list[tuple[str, str, str]] = []
        """every claim that was told: job, worker, lease"""
        self.paused: dict[str, bool] = {}
        self.acknowledged = 0
        self.position = 0
        """up to which something was told"""
        self._leases: set[str] = set()

    def enter(self, op: Op) -> None:
        """Take in an operation whose answer was told; operations come in the order of their effect."""
        require(op.position >= self.position, op, "it came out of order")
        self.position = op.position
        self.acknowledged += 1
        self._retire(op.retired, op)
        _ANSWERS.get(op.kind, _nothing)(self, op)
        for job_id in op.gone:
            self._take_out(job_id, op)
        for job in op.seen:
            self._look(job, op)

    def _take_out(self, job_id: str, op: Op) -> None:
        job = self.jobs.pop(job_id, None)
        if job is None:
            return
        require(op.kind in {"purge", "delete"}, op, f"job {job_id} has disappeared")
        require(op.kind != "purge" or may_have_ended(job, op), op, f"live job {job_id} was purged")
        self._free_keys()

    def _retire(self, job_ids: list[str], op: Op) -> None:
        """Take out what went by itself, oldest first, and see whether it was time."""
        for job_id in job_ids:
            job = self.jobs.get(job_id)
            require(job is not None, op, f"job {job_id}, which nobody saw, is gone")
            assert job is not None
            require(self._may_have_retired(job, op), op, f"a job was retired too early: {job}")
        for job_id in job_ids:
            del self.jobs[job_id]
        self.retired += len(job_ids)
        if job_ids:
            self._free_keys()

    def _may_have_retired(self, job: Job, op: Op) -> bool:
        ended_us = earliest_end(job)
        if ended_us is None or ended_us > op.at_us:
            return False
        keep_us = self._policy.keep_finished_us
        assert keep_us is not None
        ended_later = [one for one in self.jobs.values() if may_end_behind(one, ended_us, op)]
        over_count = len(ended_later) > self._policy.keep_finished_jobs  # itself among them
        return ended_us + keep_us <= op.at_us or over_count

    def _free_keys(self) -> None:
        self.keys = {key: job_id for key, job_id in self.keys.items() if job_id in self.jobs}

    def _look(self, job: Job, op: Op) -> None:
        known = self.jobs.get(job.id)
        if known is None:
            require(op.kind in {"create", "bulk"}, op, f"job {job.id} comes from nowhere")
        else:
            why = change_refused(known, job, op)
            require(why is None, op, f"job {job.id}: {why}\n  before {known}\n  now {job}")
        self.jobs[job.id] = job

    # -- answers

    def created(self, op: Op) -> None:
        """A key stands for one job; what was made is as it was asked for."""
        shown = {job.id: job for job in op.seen}
        for key, made in zip(op.keys, op.answer, strict=True):  # type: ignore[call-overload]
            if made.new:
                require(made.job_id in shown, op, "a new job is not there")
                require(key is None or key not in self.keys, op, f"key {key} was taken already")
                if key is not None:
                    self.keys[key] = made.job_id
            else:
                require(self.keys.get(key) == made.job_id, op, f"key {key} led to another job")

    def handed_out(self, op: Op) -> None:
        """Fresh leases, in order, nobody passed over, nothing from a paused queue."""
        ids = [str(job_id) for job_id in op.answer]  # type: ignore[attr-defined]
        shown = {job.id: job for job in op.seen}
        jobs = [shown[job_id] for job_id in ids if job_id in shown]
        require(len(jobs) == len(ids), op, "a claimed job did not change")
        require(not ids or not self.paused.get(op.queue), op, "the queue is paused")
        for job in jobs:
            require(
                job.status is Status.PROCESSING and job.worker == op.worker, op, "not handed out"
            )
            require(job.lease not in self._leases, op, "an old lease was given again")
            require(job.lease_until == op.at_us + op.secs * 1_000_000, op, "another lease time")
            assert job.lease is not None
            self._leases.add(job.lease)
            self.claimed.append((job.id, op.worker, job.lease))
        ranks = [(-job.priority, job.seq) for job in jobs]
        require(ranks == sorted(ranks), op, "out of order")
        if ranks:
            waiting = (shown.get(job.id, job) for job in self.jobs.values())
            ready = [job for job in waiting if is_ready(job, op)]
            require(all((-job.priority, job.seq) > ranks[-1] for job in ready), op, "passed over")

    def settled(self, op: Op) -> None:
        """Taken from the holder of a lease that runs, and from nobody else."""
        for job_id, lease in op.leases.items():
            known = self.jobs.get(job_id)
            if known is None:
                require(job_id not in op.answer, op, f"job {job_id}, which is gone, was settled")  # type: ignore[operator]
                continue
            holds = (
                known.status is Status.PROCESSING
                and known.worker == op.worker
                and lease in {None, known.lease}
                and (known.lease_until or 0) > op.at_us
            )
            taken = job_id in op.answer  # type: ignore[operator]
            require(
                taken == holds, op, f"job {job_id}: taken {taken}, holds the lease {holds}: {known}"
            )

    def switched(self, op: Op) -> None:
        """The queue is paused, or not any more."""
        self.paused[op.queue] = op.kind == "pause"

    def deleted(self, op: Op) -> None:
        """A queue that comes back is not paused."""
        if op.answer:
            self.paused.pop(op.queue, None)

    # -- restarts

    def compare(self, jobs: dict[str, Job], paused: set[str], latest_us: int) -> None:
        """Hold a restarted server to what was told; of an operation that is lost nothing is left."""
        op = Op(0, "restart", at_us=latest_us)
        self._retire([job_id for job_id in self.jobs if job_id not in jobs], op)
        for known in self.jobs.values():
            found = jobs[known.id]
            why = change_refused(known, found, op)
            require(why is None, op, f"job {known.id}: {why}\n  told {known}\n  found {found}")
        for job in jobs.values():
            require(job.id in self.jobs, op, f"job {job.id} comes from nowhere")
        for queue, was in self.paused.items():
            require((queue in paused) == was, op, f"queue {queue} is not as it was told: {was}")


def require(holds: bool, op: Op, why: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise Violation(f"{op.kind} (operation {op.number}): {why}")


def is_ready(job: Job, op: Op) -> bool:
    """Whether this claim could have had the job."""
    return (
        job.queue == op.queue
        and job.status is Status.PENDING
        and not job.blocked
        and job.due_at is None
        and (job.expires_at is None or job.expires_at > op.at_us)
    )


def may_have_ended(job: Job, op: Op) -> bool:
    """Whether the job had ended, or time may have ended it."""
    if job.status is Status.PROCESSING:
        return job.lease_until is not None and job.lease_until <= op.at_us
    late = job.expires_at is not None and job.expires_at <= op.at_us
    return job.status in ENDED or late or job.parent is not None


def earliest_end(job: Job) -> int | None:
    """Give the first moment at which it has ended as what may be retired, or time may end it so."""
    if job.status is Status.DEADLETTER:
        return None
    if job.status in ENDED:
        return job.completed_at
    if job.status is Status.PROCESSING:
        return job.lease_until
    return 0 if job.parent is not None else job.expires_at


def may_end_behind(job: Job, ended_us: int, op: Op) -> bool:
    """Whether a job ended at a moment or later, as far as anybody knows."""
    found_us = earliest_end(job)
    if found_us is None or found_us > op.at_us:
        return False
    return job.status not in ENDED or found_us >= ended_us


def change_refused(known: Job, now: Job, op: Op) -> str | None:
    """Say why a job cannot have come from one look to the other by this operation and time."""
    for name in (
        "queue",
        "payload",
        "idempotency_key",
        "max_retries",
        "parent",
        "seq",
        "created_at",
    ):
        if getattr(known, name) != getattr(now, name):
            return f"its {name} changed"
    if now.position < known.position:
        return "it is older than what was told"
    if now.position == known.position:
        return None if _same(known, now) else "it changed without a record"
    if known.priority != now.priority and op.kind not in {"priority", "set_priority"}:
        return "its priority changed"
    if now.retry_count < known.retry_count and op.kind != "retry_action":
        return "its retries went back"
    return _MOVES[known.status](known, now, op)


def _same(known: Job, now: Job) -> bool:
    names = [name for name in known.__struct_fields__ if name != "trail"]
    return all(getattr(known, name) == getattr(now, name) for name in names)


def _from_ended(known: Job, now: Job, op: Op) -> str | None:
    if known.status is not Status.DEADLETTER or op.kind not in {"retry", "retry_action"}:
        return "it had ended"
    late = known.expires_at is not None and known.expires_at <= op.at_us
    back = now.status is Status.PENDING or (now.status is Status.CANCELLED and late)
    return None if back else "a retry led elsewhere"


def _from_waiting(known: Job, now: Job, op: Op) -> str | None:
    if now.status in WAITING:
        return None
    if now.status is Status.PROCESSING:
        return None if op.kind == "claim" else "nobody claimed it"
    if now.status is not Status.CANCELLED:
        return "it ended without a claim"
    asked = op.kind in {"cancel", "stop", "cancel_action"}
    late = known.expires_at is not None and known.expires_at <= op.at_us
    return None if asked or late or known.parent is not None else "nobody cancelled it"


def _from_processing(known: Job, now: Job, op: Op) -> str | None:
    assert known.lease_until is not None
    ran_out = known.lease_until <= op.at_us
    shown = op.leases.get(known.id, "")
    holder = op.worker == known.worker and shown in {None, known.lease} and not ran_out
    if op.kind == "release":  # the server's own, which knows what it handed out
        holder = shown == known.lease
    if now.status is Status.PROCESSING:
        return _still_processing(known, now, op, ran_out=ran_out, holder=holder)
    if now.status is Status.COMPLETED:
        if op.kind != "complete" or not holder:
            return "somebody completed it who does not hold its lease"
        return None
    if ran_out or (op.kind in {"fail", "release"} and holder):
        return None
    return "its lease ran and was not given up"


def _still_processing(known: Job, now: Job, op: Op, *, ran_out: bool, holder: bool) -> str | None:
    if now.lease != known.lease:
        if op.kind == "claim" and ran_out:
            return None
        return "it was claimed twice, under leases that overlap"
    if now.lease_until != known.lease_until and not (op.kind == "extend" and holder):
        return "its lease was moved by somebody who does not hold it"
    asked = op.kind in {"stop", "cancel_action", "extend"}
    return None if asked else "it changed in its worker's hands"


def _nothing(ledger: Ledger, op: Op) -> None:
    """An answer of which nothing further is known."""


_MOVES: dict[Status, Callable[[Job, Job, Op], str | None]] = {
    Status.PENDING: _from_waiting,
    Status.SCHEDULED: _from_waiting,
    Status.PROCESSING: _from_processing,
    Status.COMPLETED: _from_ended,
    Status.CANCELLED: _from_ended,
    Status.DEADLETTER: _from_ended,
}
_ANSWERS: dict[str, Callable[[Ledger, Op], None]] = {
    "create": Ledger.created,
    "bulk": Ledger.created,
    "claim": Ledger.handed_out,
    "complete": Ledger.settled,
    "fail": Ledger.settled,
    "extend": Ledger.settled,
    "pause": Ledger.switched,
    "resume": Ledger.switched,
    "delete": Ledger.deleted,
}
