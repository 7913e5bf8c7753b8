"""decide + fold against the naive model, under random commands and a clock that jumps.

After every step: the same answers and statuses as the model, indexes equal to rebuilt ones, and at
the end a replay of the recorded bytes gives the same digest.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from projections.decide import Policy, jobs, queues
from projections.digest import digest
from projections.entities import Job
from projections.errors import Conflict, LeaseExpired, NotFound
from projections.lifecycle import Status
from projections.moments import EPOCH
from projections.specs import BulkItem, BulkJobs, Pause, QueueConfig
from projections.state import State
from tests.build import Bench, a_job
from tests.projections.reference import Model

QUEUES = st.sampled_from(["mail", "video"])
WORKERS = st.sampled_from(["w1", "w2"])
PICK = st.integers(min_value=0, max_value=1_000)
PRIORITY = st.integers(min_value=-2, max_value=2)
DELAY = st.none() | st.integers(min_value=-5, max_value=120)
KEYS = st.none() | st.sampled_from(["k1", "k2", "k3"])
VERDICTS: dict[str, type[Exception]] = {"conflict": Conflict, "lease": LeaseExpired}


def indexes(state: State) -> dict[str, Any]:
    """All that is derived, as plain values in an order of its own."""
    shelves = {
        (org, name): {
            "ready": list(shelf.ready.in_order()),
            "statuses": {status: sorted(jobs) for status, jobs in shelf.by_status.items()},
            "oldest": shelf.oldest_waiting(),
            "longest_ready": shelf.longest_ready(),
            "minutes": {
                minute: (one.completed, one.failed, one.processing_us)
                for minute, one in shelf.minutes.items()
                if one.completed or one.failed
            },
        }
        for org, by_name in state.shelves.items()
        for name, shelf in by_name.items()
    }
    return {
        "shelves": shelves,
        "agenda": sorted(state.agenda.due(1 << 62)),
        "next_due": state.agenda.next_due(),
        "finished": list(state.finished.in_order()),
        "idempotency": {key: job.id for key, job in state.idempotency.items()},
        "tags": {key: sorted(found) for key, found in state.tags.items()},
        "keys": sorted(state.keys_by_hash),
    }


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(Policy(retry_base_secs=10, retry_cap_secs=40))
        self.model = Model(base_secs=10, cap_secs=40)

    @initialize()
    def start(self) -> None:
        for queue in ("mail", "video"):
            self.bench.do(queues.configure, queue, QueueConfig())

    def picked(self, pick: int) -> tuple[dict[str, Any], Job]:
        known = self.model.jobs[pick % len(self.model.jobs)]
        return known, self.bench.job(known["id"])

    def known_key(self, key: str | None) -> str | None:
        ids = [job["id"] for job in self.model.jobs if key is not None and job["key"] == key]
        return ids[0] if ids else None

    @rule(
        queue=QUEUES,
        priority=PRIORITY,
        starts=DELAY,
        expires=DELAY,
        key=KEYS,
        tries=st.integers(0, 2),
    )
    def create(  # noqa: PLR0917 - one argument a strategy
        self,
        queue: str,
        priority: int,
        starts: int | None,
        expires: int | None,
        key: str | None,
        tries: int,
    ) -> None:
        now = self.bench.clock()
        moments = [None if secs is None else now + secs * 1_000_000 for secs in (starts, expires)]
        dates = [None if us is None else EPOCH + timedelta(microseconds=us) for us in moments]
        spec = a_job(
            queue,
            priority=priority,
            scheduled_at=dates[0],
            expires_at=dates[1],
            idempotency_key=key,
            max_retries=tries,
            tags=None,
        )
        made = self.bench.do(jobs.create, spec)
        known = self.known_key(key)
        assert made.new == (known is None)
        if known is not None:
            assert made.job_id == known
        else:
            fields = {"priority": priority, "max_retries": tries, "key": key}
            self.model.create(
                made.job_id, queue, now, starts=moments[0], expires=moments[1], **fields
            )
            self.model.pass_time(now)
            self.settle_due()

    @rule(queue=QUEUES, keys=st.lists(KEYS, min_size=1, max_size=4))
    def create_bulk(self, queue: str, keys: list[str | None]) -> None:
        payload = a_job().payload
        items = [BulkItem(payload=payload, idempotency_key=key) for key in keys]
        records = len(self.bench.bodies)
        made = self.bench.do(jobs.create_bulk, BulkJobs(queue_name=queue, jobs=items))
        assert len(self.bench.bodies) <= records + 1, "one request is one record"
        assert made.failed == []
        for (_, one), key in zip(made.succeeded, keys, strict=True):
            known = self.known_key(key)
            assert one.new == (known is None)
            if known is None:
                self.model.create(
                    one.job_id, queue, self.bench.clock(), priority=0, max_retries=3, key=key
                )
            else:
                assert one.job_id == known

    @rule(queue=QUEUES, worker=WORKERS, limit=st.integers(1, 4), lease=st.integers(5, 30))
    def claim(self, queue: str, worker: str, limit: int, lease: int) -> None:
        got = self.bench.claim(queue, worker, limit=limit, lease_duration_secs=lease)
        now = self.bench.clock()
        assert [job.id for job in got] == self.model.claim(queue, worker, limit, now, lease)

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK, worker=WORKERS, verb=st.sampled_from(["complete", "fail", "extend"]))
    def settle(self, pick: int, worker: str, verb: str) -> None:
        known, job = self.picked(pick)
        verdict = self.model.holds(known, worker)
        command = getattr(self.bench, verb)
        if verdict != "ok":
            with pytest.raises(VERDICTS[verdict]):
                command(job, worker)
            return
        command(job, worker)
        now = self.bench.clock()
        if verb == "complete":
            self.model.complete(known, now)
        elif verb == "fail":
            self.model.fail(known, now)
        else:
            known["lease_ends"] = now + 30_000_000

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        known, job = self.picked(pick)
        if known["status"] in {"pending", "scheduled"}:
            self.bench.do(jobs.cancel, job.id)
            self.model.cancel(known, self.bench.clock())
        else:
            with pytest.raises(Conflict):
                self.bench.do(jobs.cancel, job.id)

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        known, job = self.picked(pick)
        if known["status"] == "deadletter":
            self.bench.do(jobs.retry, job.id)
            known["status"] = "pending"
            known["retries"] += 1
            self.model.pass_time(self.bench.clock())
            self.settle_due()
        else:
            with pytest.raises(Conflict):
                self.bench.do(jobs.retry, job.id)

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK, priority=PRIORITY)
    def reprioritise(self, pick: int, priority: int) -> None:
        known, job = self.picked(pick)
        if known["status"] in {"pending", "scheduled"}:
            answer = self.bench.do(jobs.set_priority, job.id, priority)
            assert (answer.old_priority, answer.new_priority) == (known["priority"], priority)
            known["priority"] = priority
        else:
            with pytest.raises(NotFound):
                self.bench.do(jobs.set_priority, job.id, priority)

    @rule(queue=QUEUES)
    def pause(self, queue: str) -> None:
        self.bench.do(queues.pause, queue, Pause(reason="lunch"))
        self.model.paused.add(queue)

    @rule(queue=QUEUES)
    def resume(self, queue: str) -> None:
        self.bench.do(queues.resume, queue)
        self.model.paused.discard(queue)

    @rule(keep=st.integers(0, 90), count=st.integers(0, 4), limit=st.integers(1, 3))
    def retire(self, keep: int, count: int, limit: int) -> None:
        self.bench.policy = replace(
            self.bench.policy, keep_finished_us=keep * 1_000_000, keep_finished_jobs=count
        )
        gone = self.model.retire(self.bench.clock(), keep, count, limit)
        assert self.bench.retire(limit) == len(gone)
        assert not gone & self.bench.state.tables.jobs.keys()

    @rule(secs=st.integers(0, 60))
    def pass_time(self, secs: int) -> None:
        self.bench.clock.advance(secs)
        self.model.pass_time(self.bench.clock())
        self.settle_due()

    def settle_due(self) -> None:
        """Small batches on purpose: the rest must come with the next one."""
        for _ in range(3 * len(self.model.jobs) + 1):
            if not self.bench.tick(limit=2):
                return
        raise AssertionError("duties never come to an end")

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert len(self.bench.state.tables.jobs) == len(self.model.jobs)
        for known in self.model.jobs:
            job = self.bench.job(known["id"])
            assert (job.status.value, job.retry_count, job.priority, job.due_at) == (
                known["status"],
                known["retries"],
                known["priority"],
                known["wakes"],
            )
            assert job.worker == known["worker"]
            assert job.lease_until == known["lease_ends"]
            assert (job.lease is not None) == (job.status is Status.PROCESSING)

    @invariant()
    def indexes_are_those_of_a_rebuild(self) -> None:
        assert indexes(self.bench.state) == indexes(State(self.bench.state.tables))

    def teardown(self) -> None:
        assert digest(self.bench.replayed()) == digest(self.bench.state)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
