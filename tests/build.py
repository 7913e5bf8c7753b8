"""A small workbench around the pure core: commands in, events recorded, state out.

`Bench` is the engine without a log: decide, fold, keep the encoded records for a replay.
"""

from typing import Any

from msgspec import Raw

from projections.decide import (
    Caller,
    Context,
    Decision,
    Policy,
    claims,
    duties,
    jobs,
    retention,
    settlements,
)
from projections.decide.claims import Extended
from projections.decide.settlements import Settled
from projections.entities import Job
from projections.events import Event, Record, decode, encode
from projections.fold import fold
from projections.specs import Claim, Completion, Extension, Failure, NewJob
from projections.state import State
from tests.fakes import FakeClock, counting_ids


def a_caller(org: str = "default", queues: frozenset[str] = frozenset({"*"})) -> Caller:
    return Caller(org, "key_test", "req-test", queues)


def a_job(queue: str = "mail", payload: bytes = b'{"to":"a@example.com"}', **fields: Any) -> NewJob:
    return NewJob(queue_name=queue, payload=Raw(payload), **fields)


class Bench:
    """Runs commands against a state and keeps every record's bytes."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.state = State()
        self.clock = FakeClock()
        self.policy = policy or Policy()
        self.new_id = counting_ids()
        self.fraction = 0.5
        self.bodies: list[bytes] = []
        self.events: list[Event] = []

    def context(self, caller: Caller | None = None) -> Context:
        return Context(
            self.clock(), caller or a_caller(), self.new_id, lambda: self.fraction, self.policy
        )

    def do(self, decide: Any, *args: Any, caller: Caller | None = None) -> Any:
        decision: Decision[Any] = decide(self.state, self.context(caller), *args)
        self.record(decision.events)
        if decision.refusal is not None:
            raise decision.refusal
        return decision.answer

    def record(self, events: tuple[Event, ...]) -> None:
        if not events:
            return
        record = Record(self.state.position + 1, self.clock(), "key_test", "req-test", events)
        self.bodies.append(encode(record))
        self.events.extend(events)
        fold(self.state, record)

    def records(self) -> list[Record]:
        return [decode(position, body) for position, body in enumerate(self.bodies, start=1)]

    def replayed(self, upto: int | None = None) -> State:
        state = State()
        for position, body in enumerate(self.bodies[:upto], start=1):
            fold(state, decode(position, body))
        return state

    def create(self, spec: NewJob | None = None, **fields: Any) -> Job:
        made = self.do(jobs.create, spec or a_job(**fields))
        return self.job(made.job_id)

    def job(self, job_id: str) -> Job:
        return self.state.tables.jobs[job_id]

    def claim(self, queue: str = "mail", worker: str = "w1", **fields: Any) -> list[Job]:
        ids = self.do(claims.claim, Claim(queue_name=queue, worker_id=worker, **fields))
        return [self.job(job_id) for job_id in ids]

    def complete(self, job: Job, worker: str = "w1", **fields: Any) -> None:
        self.do(settlements.complete, job.id, Completion(worker_id=worker, **fields))

    def fail(self, job: Job, worker: str = "w1", error: str = "boom", **fields: Any) -> Settled:
        failure = Failure(worker_id=worker, error=error, **fields)
        settled = self.do(settlements.fail, job.id, failure)
        assert isinstance(settled, Settled)
        return settled

    def extend(self, job: Job, worker: str = "w1", **fields: Any) -> int:
        extended = self.do(claims.extend, job.id, Extension(worker_id=worker, **fields))
        assert isinstance(extended, Extended)
        return extended.lease_until

    def tick(self, secs: float = 0.0, limit: int = 500) -> int:
        self.clock.advance(secs)
        done = self.do(duties.due, limit)
        assert isinstance(done, int)
        return done

    def retire(self, limit: int = 500) -> int:
        retired = self.do(retention.retire, limit)
        assert isinstance(retired, int)
        return retired
