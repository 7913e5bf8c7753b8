"""Traffic as a busy installation has it, made up: what ``spoolog bench gen`` writes.

Several queues with workers of their own, jobs one at a time and in bulk, priorities, delays,
failures with backoff, dead letters that somebody retries or purges, leases that run out, workers
that are heard of. All commands go through the engine, as a server's do; time, ids and chance come
from the seed, so the same seed gives the same log.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any, Final, TypeVar

from msgspec import Raw, Struct

from eventlog import Log
from projections.bounds import SECOND_US
from projections.decide import Caller, Policy, actions, claims, jobs, queues, retention, settlements
from projections.decide import workers as worker_rules
from projections.events import DEFAULT_ORG, Record
from projections.lifecycle import Status
from projections.moments import EPOCH
from projections.specs import (
    BulkCompletion,
    BulkCompletionItem,
    BulkItem,
    BulkJobs,
    Claim,
    Completion,
    DeadPurge,
    Extension,
    Failure,
    NewJob,
    NewWorker,
    Pause,
    QueueConfig,
    WorkerPulse,
)
from projections.state import State
from server.engine import SYSTEM, Engine

T = TypeVar("T")
_START_US: Final = 1_780_272_000_000_000
_COMMAND_US_MAX: Final = 4_000
_KEPT_FINISHED: Final = 20_000
_RETIRED_AT_ONCE: Final = 500
_DEAD_MAX: Final = 200
_CLAIMED_MAX: Final = 5
_BULK: Final = (5, 30)
_SETTINGS: Final = Raw(b'{"retry_base_secs":20,"retry_jitter":0.2}')
_CALLERS: Final = ("key_web", "key_api", "key_partner")
_WORKERS: Final = "key_workers"
_ERRORS: Final = (
    "connection reset by peer",
    "HTTP 503 from the payment provider",
    "timeout after 30 s",
    "KeyError: 'customer'",
)

# Chances, from 0 to 1.
_CREATES: Final = 0.30
_CREATES_MANY: Final = 0.36
_WORKS: Final = 0.999
_DELAYED: Final = 0.05
_PRIORITISED: Final = 0.8
_HEARTBEAT: Final = 0.1
_EXTENDED: Final = 0.95
_LEFT: Final = 0.002


class Kind(Struct, frozen=True):
    """One queue: its share of the traffic, its workers, and how its jobs go."""

    queue: str
    job_type: str
    share: int
    workers: int
    failing: float
    text: bytes


KINDS: Final = (
    Kind("emails", "send-mail", 40, 8, 0.02, b"Dear customer, " * 8),
    Kind("webhooks", "deliver", 25, 6, 0.10, b"https://hooks.example.com/" * 5),
    Kind("images", "resize", 15, 6, 0.03, b"1600x1200,"),
    Kind("payments", "charge", 10, 4, 0.05, b"EUR 25.00; " * 4),
    Kind("reports", "render", 6, 2, 0.08, b"quarter,region,total;" * 15),
    Kind("sync", "pull", 4, 2, 0.20, b"incremental"),
)


class Traffic:
    """A source of commands on an empty log."""

    def __init__(self, log: Log, seed: int) -> None:
        self.events = 0
        """recorded so far"""
        self._random = Random(seed)  # noqa: S311 - no secret is made of it
        self._chance = self._random.random
        self._now_us = _START_US
        self._numbers = count(1)
        self._by_share = [kind for kind in KINDS for _ in range(kind.share)]
        self._dead: list[str] = []
        policy = Policy(keep_finished_jobs=_KEPT_FINISHED)
        self.engine = Engine(State(), log, self._clock, self._new_id, policy, fraction=self._chance)
        self.engine.listeners.append(self._count)

    def begin(self) -> None:
        """Configure the queues and announce the workers."""
        for kind in KINDS:
            self._do("key_web", queues.configure, kind.queue, QueueConfig(settings=_SETTINGS))
            for number in range(kind.workers):
                worker = NewWorker(
                    queue_name=kind.queue,
                    hostname=f"{kind.queue}-{number}.example.com",
                    worker_id=f"{kind.queue}-worker-{number}",
                )
                self._do(_WORKERS, worker_rules.register, worker)

    def step(self) -> None:
        """Let a little happen: mostly jobs that come, and a worker that works."""
        kind, chance = self._any(self._by_share), self._chance()
        if chance < _CREATES:
            self._create(kind)
        elif chance < _CREATES_MANY:
            self._create_many(kind)
        elif chance < _WORKS:
            self._work(kind)
        else:
            self._manage(kind)

    def tidy(self) -> None:
        """Let finished jobs leave the state, as the timekeeper does."""
        while self.engine.execute(retention.retire, SYSTEM, _RETIRED_AT_ONCE).answer:
            pass

    # -- what happens

    def _create(self, kind: Kind) -> None:
        chance = self._chance()
        soon = EPOCH + timedelta(microseconds=self._now_us + 30 * SECOND_US)
        key = f"order-{next(self._numbers)}" if kind.queue == "payments" else None
        spec = NewJob(
            queue_name=kind.queue,
            payload=self._payload(kind),
            priority=int(100 * chance) - 50 if chance > _PRIORITISED else None,
            max_retries=2,
            tags=Raw(b'["bulk","eu"]'),
            idempotency_key=key,
            scheduled_at=soon if chance < _DELAYED else None,
        )
        self._do(self._any(_CALLERS), jobs.create, spec)

    def _create_many(self, kind: Kind) -> None:
        many = range(self._random.randrange(*_BULK))
        items = [BulkItem(payload=self._payload(kind)) for _ in many]
        spec = BulkJobs(queue_name=kind.queue, jobs=items, default_max_retries=2)
        self._do("key_cron", jobs.create_bulk, spec)

    def _work(self, kind: Kind) -> None:
        worker = f"{kind.queue}-worker-{int(kind.workers * self._chance())}"
        limit = 1 + int(_CLAIMED_MAX * self._chance())
        wanted = Claim(queue_name=kind.queue, worker_id=worker, limit=limit)
        claimed = self._do(_WORKERS, claims.claim, wanted)
        if self._chance() < _HEARTBEAT:
            pulse = WorkerPulse(current_jobs=len(claimed))
            self._do(_WORKERS, worker_rules.heartbeat, worker, pulse)
        done = [job_id for job_id in claimed if self._goes_well(kind, worker, job_id)]
        if len(done) == 1:
            spec = Completion(worker_id=worker, result=self._result())
            self._do(_WORKERS, settlements.complete, done[0], spec)
        elif done:
            items = [BulkCompletionItem(job_id=one, result=self._result()) for one in done]
            many = BulkCompletion(worker_id=worker, jobs=items)
            self._do(_WORKERS, settlements.complete_bulk, many)

    def _goes_well(self, kind: Kind, worker: str, job_id: str) -> bool:
        """Fail an attempt, or leave it until its lease runs out; mostly do neither."""
        chance = self._chance()
        if chance < kind.failing:
            failure = Failure(worker_id=worker, error=self._any(_ERRORS))
            settled = self._do(_WORKERS, settlements.fail, job_id, failure)
            if settled.status is Status.DEADLETTER:
                self._dead.append(job_id)
        elif chance > _EXTENDED:
            self._do(_WORKERS, claims.extend, job_id, Extension(worker_id=worker))
        return chance >= kind.failing + _LEFT

    def _manage(self, kind: Kind) -> None:
        """Look after things: a deployment, dead letters that are sent back or purged."""
        self._do("key_web", queues.pause, kind.queue, Pause(reason="deployment"))
        self._do("key_web", queues.resume, kind.queue)
        if self._dead:
            self._do("key_web", jobs.retry, self._dead.pop())
        if len(self._dead) > _DEAD_MAX:
            purge = actions.of_dead_purge(SYSTEM, DeadPurge(confirm=True))
            self._do("key_web", actions.apply, purge, self._new_id(), self._dead)
            self._dead = []

    def _do(self, by: str, decide: Callable[..., Any], *args: object) -> Any:
        caller = Caller(DEFAULT_ORG, by, self._new_id())
        return self.engine.execute(decide, caller, *args).answer

    # -- chance, time and names

    def _any(self, things: Sequence[T]) -> T:
        return things[int(len(things) * self._chance())]

    def _payload(self, kind: Kind) -> Raw:
        number = next(self._numbers)
        return Raw(
            b'{"job_type":"%b","customer":%d,"to":"customer-%d@example.com","text":"%b"}'
            % (kind.job_type.encode(), number % 9973, number % 9973, kind.text)
        )

    def _result(self) -> Raw:
        return Raw(b'{"ok":true,"took_ms":%d}' % int(900 * self._chance()))

    def _clock(self) -> int:
        self._now_us += 1 + int(_COMMAND_US_MAX * self._chance())
        return self._now_us

    def _new_id(self) -> str:
        """Make a UUIDv7 of the moment and of chance."""
        digits = f"{self._now_us // 1_000:012x}{self._random.getrandbits(74):019x}"
        return f"{digits[:8]}-{digits[8:12]}-7{digits[12:15]}-8{digits[15:18]}-{digits[18:30]}"

    def _count(self, record: Record) -> None:
        self.events += len(record.events)
