"""What the clients of a simulated server do: every command there is, on what they were told of.

Each function gives the operation with its answer, taken in the tick it was carried out; whether the
answer is ever told is the world's business. Workers also try leases that they lost long ago.
"""

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from datetime import timedelta
from random import Random
from typing import Any

from msgspec import Raw

from projections.decide import Caller, actions, claims, jobs, queues, settlements, workers
from projections.errors import Refused
from projections.lifecycle import Status
from projections.moments import EPOCH
from projections.specs import (
    ActionFilter,
    BulkCompletion,
    BulkCompletionItem,
    BulkFailure,
    BulkFailureItem,
    BulkItem,
    BulkJobs,
    Cancellation,
    Claim,
    Completion,
    DeadPurge,
    DeadRetry,
    Extension,
    Failure,
    JobAction,
    NewJob,
    NewWorker,
    Pause,
    QueueConfig,
    Verb,
    WorkerPulse,
)
from server import actions as server_actions
from server.engine import Engine
from tests.faults.ledger import Ledger, Op

ME = Caller("default", "key_sim", "req-sim")
QUEUES = ("mail", "video", "slow")
WORKERS = ("w1", "w2", "w3")
KEYS = tuple(f"k{n}" for n in range(12))


class Clients:
    """Chooses commands by weights of its own and carries them out."""

    def __init__(self, rng: Random, ledger: Ledger) -> None:
        self.engine: Engine | None = None
        self.seen_position = 0
        self.seen_jobs: set[str] = set()
        self._rng = rng
        self._ledger = ledger
        self._numbers = 0
        self._names = sorted(_COMMANDS)
        self._weights = [rng.choice((0, 1, 1, 3)) for _ in self._names]
        for name in ("create", "claim", "complete"):
            self._weights[self._names.index(name)] = 6
        self._weights[self._names.index("finish")] = 0

    def act(self) -> Op:
        """Do one thing.

        Raises:
            LogError: the log takes no more records.

        """
        (name,) = self._rng.choices(self._names, self._weights)
        return self.perform(name)

    def perform(self, name: str, *args: Any) -> Op:
        """Do this, and look at what has changed."""
        engine = self._engine()
        self._numbers += 1
        op = Op(self._numbers, name)
        before = set(engine.state.tables.jobs)
        op.retired = sorted(self.seen_jobs - before)
        try:
            _COMMANDS[name](self, op, *args)
        except Refused as refused:
            op.refusal = refused.code
        state = engine.state
        op.at_us, op.position = engine.now_us(), state.position
        op.seen = [
            copy(job) for job in state.tables.jobs.values() if job.position > self.seen_position
        ]
        self.seen_jobs = set(state.tables.jobs)
        op.gone = sorted(before - self.seen_jobs)
        self.seen_position = state.position
        if op.refusal is not None and op.answer is None:
            op.kind = "refused"
        return op

    def _engine(self) -> Engine:
        assert self.engine is not None
        return self.engine

    def _do(self, decide: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return self._engine().execute(decide, ME, *args, **options).answer

    # -- choosing

    def _queue(self) -> str:
        return self._rng.choice(QUEUES)

    def _job(self) -> str:
        known = list(self._ledger.jobs)
        return self._rng.choice(known) if known and self._rng.random() < 0.98 else "nobody"

    def _lease(self) -> tuple[str, str, str | None]:
        """Give a job, a worker and a lease: mostly a claim that was told lately, sometimes a wrong one."""
        claimed = self._ledger.claimed
        if not claimed:
            return self._job(), self._rng.choice(WORKERS), None
        recent = claimed[-6:] if self._rng.random() < 0.7 else claimed
        job, worker, lease = self._rng.choice(recent)
        roll = self._rng.random()
        if roll < 0.05:
            worker = self._rng.choice(WORKERS)
        return job, worker, None if roll > 0.8 else lease

    def _leases(self) -> tuple[str, dict[str, str | None]]:
        """Give a worker and several of its leases."""
        _, worker, _ = self._lease()
        chosen = [self._lease() for _ in range(self._rng.randint(1, 5))]
        return worker, {job: lease for job, _, lease in chosen}

    # -- commands

    def create(self, op: Op) -> None:
        rng = self._rng
        now_us = self._engine().now_us()
        key = rng.choice(KEYS) if rng.random() < 0.3 else None
        spec = NewJob(
            queue_name=self._queue(),
            payload=Raw(b'{"op":%d}' % op.number),
            priority=rng.choice((None, None, -5, 0, 5, 50)),
            max_retries=rng.choice((None, 0, 1, 2)),
            scheduled_at=self._moment(now_us, 0.2, (-5, 3, 30)),
            expires_at=self._moment(now_us, 0.1, (-5, 10, 60)),
            idempotency_key=key,
            parent_job_id=self._job() if rng.random() < 0.2 else None,
            tags=Raw(b'["red"]') if rng.random() < 0.3 else Raw(b"null"),
        )
        op.keys = [key]
        op.answer = [self._do(jobs.create, spec)]

    def _moment(self, now_us: int, chance: float, secs: tuple[int, ...]) -> Any:
        if self._rng.random() >= chance:
            return None
        return EPOCH + timedelta(microseconds=now_us, seconds=self._rng.choice(secs))

    def bulk(self, op: Op) -> None:
        rng = self._rng
        keys = [rng.choice(KEYS) if rng.random() < 0.3 else None for _ in range(rng.randint(1, 12))]
        keys = [key for n, key in enumerate(keys) if key is None or key not in keys[:n]]
        items = [
            BulkItem(
                payload=Raw(b'{"op":%d}' % op.number),
                priority=rng.choice((None, 7)),
                idempotency_key=key,
            )
            for key in keys
        ]
        made = self._do(jobs.create_bulk, BulkJobs(queue_name=self._queue(), jobs=items))
        op.keys = keys
        op.answer = [one for _, one in made.succeeded]

    def claim(self, op: Op, queue: str | None = None, limit: int = 0) -> None:
        rng = self._rng
        op.queue, op.worker = queue or self._queue(), rng.choice(WORKERS)
        op.secs = rng.choice((5, 10, 30))
        spec = Claim(
            queue_name=op.queue,
            worker_id=op.worker,
            limit=limit or rng.choice((1, 1, 2, 5)),
            lease_duration_secs=op.secs,
        )
        op.answer = self._do(claims.claim, spec)

    def complete(self, op: Op) -> None:
        job, worker, lease = self._lease()
        spec = Completion(worker_id=worker, lease_id=lease, result=Raw(b'{"op":%d}' % op.number))
        self._settle(op, settlements.complete, (job, worker, lease), spec)

    def fail(self, op: Op) -> None:
        job, worker, lease = self._lease()
        spec = Failure(worker_id=worker, lease_id=lease, error=f"op {op.number}")
        self._settle(op, settlements.fail, (job, worker, lease), spec)

    def extend(self, op: Op) -> None:
        job, worker, lease = self._lease()
        secs = self._rng.choice((5, 20, 60))
        spec = Extension(worker_id=worker, lease_id=lease, lease_duration_secs=secs)
        self._settle(op, claims.extend, (job, worker, lease), spec)

    def _settle(self, op: Op, decide: Any, held: tuple[str, str, str | None], spec: Any) -> None:
        job, op.worker, lease = held
        op.leases, op.answer = {job: lease}, list[str]()
        self._do(decide, job, spec)
        op.answer = [job]

    def complete_bulk(self, op: Op) -> None:
        op.worker, op.leases = self._leases()
        self._complete(op)

    def finish(self, op: Op, claim: Op) -> None:
        """Complete what a claim was given."""
        op.worker = claim.worker
        handed_out = {job.id: job.lease for job in claim.seen}
        op.leases = {job_id: handed_out[job_id] for job_id in claim.answer}  # type: ignore[attr-defined]
        self._complete(op)

    def _complete(self, op: Op) -> None:
        op.kind = "complete"
        items = [BulkCompletionItem(job_id=job, lease_id=lease) for job, lease in op.leases.items()]
        made = self._do(settlements.complete_bulk, BulkCompletion(worker_id=op.worker, jobs=items))
        op.answer = [job for _, job, _ in made.succeeded]

    def fail_bulk(self, op: Op) -> None:
        op.kind = "fail"
        op.worker, op.leases = self._leases()
        items = [
            BulkFailureItem(job_id=job, lease_id=lease, error="no")
            for job, lease in op.leases.items()
        ]
        made = self._do(settlements.fail_bulk, BulkFailure(worker_id=op.worker, jobs=items))
        op.answer = [job for _, job, _ in made.succeeded]

    def release(self, op: Op) -> None:
        job, worker, lease = self._lease()
        op.worker, op.leases = worker, {job: lease}
        self._do(settlements.release, ((job, lease or "none"),))

    def cancel(self, op: Op) -> None:
        self._do(jobs.cancel, self._job())

    def stop(self, op: Op) -> None:
        self._do(jobs.stop, self._job(), Cancellation(reason=f"op {op.number}"))

    def retry(self, op: Op) -> None:
        dead = [job.id for job in self._ledger.jobs.values() if job.status is Status.DEADLETTER]
        self._do(jobs.retry, self._rng.choice(dead) if dead else self._job())

    def priority(self, op: Op) -> None:
        self._do(jobs.set_priority, self._job(), self._rng.choice((-9, 0, 9)))

    def configure(self, op: Op) -> None:
        rng = self._rng
        settings = (
            Raw(b'{"concurrency_limit":%d}' % rng.randint(1, 4))
            if rng.random() < 0.5
            else Raw(b"{}")
        )
        spec = QueueConfig(
            rate_limit=rng.choice((None, 1, 50)), max_retries=rng.choice((0, 2)), settings=settings
        )
        self._do(queues.configure, self._queue(), spec)

    def pause(self, op: Op, queue: str | None = None) -> None:
        op.queue = queue or self._queue()
        op.answer = self._do(queues.pause, op.queue, Pause(reason=f"op {op.number}"))

    def resume(self, op: Op, queue: str | None = None) -> None:
        op.queue = queue or self._queue()
        op.answer = self._do(queues.resume, op.queue)

    def delete(self, op: Op) -> None:
        op.queue = self._queue()
        with_jobs = self._rng.random() < 0.2
        op.answer = self._do(
            queues.delete, op.queue, delete_jobs=with_jobs, jobs_max=500, action_id="deletion-1"
        )

    def actions(self, op: Op) -> None:
        verb = self._rng.choice(list(Verb))
        op.kind = {
            Verb.CANCEL: "cancel_action",
            Verb.RETRY: "retry_action",
            Verb.PURGE: "purge",
            Verb.SET_PRIORITY: "set_priority",
        }[verb]
        wanted = ActionFilter(queue_name=self._queue(), tag=self._rng.choice((None, "red")))
        spec = JobAction(action=verb, filter=wanted, priority=3)
        self._act(actions.of_request(ME, spec))

    def _act(self, action: Any) -> None:
        performing = server_actions.perform(self._engine(), ME, action)
        with suppress(StopIteration):
            while True:  # it pauses for others, who have nothing to do meanwhile
                performing.send(None)

    def retry_dead(self, op: Op) -> None:
        op.kind = "retry_action"
        self._act(actions.of_dead_retry(ME, DeadRetry(queue_name=self._queue())))

    def purge(self, op: Op) -> None:
        self._act(actions.of_dead_purge(ME, DeadPurge(confirm=True, queue_name=self._queue())))

    def register(self, op: Op) -> None:
        worker = self._rng.choice(WORKERS)
        self._do(
            workers.register, NewWorker(queue_name=self._queue(), hostname="h", worker_id=worker)
        )

    def pulse(self, op: Op) -> None:
        self._do(workers.heartbeat, self._rng.choice(WORKERS), WorkerPulse(current_jobs=1))

    def deregister(self, op: Op) -> None:
        self._do(workers.deregister, self._rng.choice(WORKERS))


_COMMANDS: dict[str, Callable[..., None]] = {
    name: command
    for name, command in vars(Clients).items()
    if not name.startswith("_") and name not in {"act", "perform"}
}
