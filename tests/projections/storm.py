"""Every command there is, in random order: whatever happens, the state stays whole.

There is no model here. After each step the indexes are those of a rebuilt state and the rules that
always hold do; at the end a replay of the recorded bytes gives the same digest.
"""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Raw
from msgspec.structs import replace

from projections.decide import Policy, actions, claims, jobs, queues, retention, settlements
from projections.decide.actions import Action
from projections.digest import digest
from projections.entities import Job
from projections.errors import Refused
from projections.events import JobCreated, JobEvent
from projections.lifecycle import ACTIVE, FINISHED, TERMINAL, WAITING, Status
from projections.moments import EPOCH
from projections.specs import (
    BulkCompletion,
    BulkCompletionItem,
    BulkFailure,
    BulkFailureItem,
    Cancellation,
    Extension,
    JobFilter,
    Pause,
    QueueConfig,
    Verb,
)
from tests.build import Bench, a_job
from tests.projections import undoes
from tools.indexes import differences

QUEUES = st.sampled_from(["mail", "video"])
WORKERS = st.sampled_from(["w1", "w2"])
PICK = st.integers(0, 10_000)
DELAY = st.none() | st.none() | st.none() | st.integers(-5, 120)
EVERY = frozenset(Status)
RUNNING = frozenset({Status.PROCESSING})


class Storm(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(Policy(retry_base_secs=10, retry_cap_secs=40))
        self.limits: dict[str, int] = {}

    @initialize()
    def start(self) -> None:
        for queue in ("mail", "video"):
            self.bench.create(a_job(queue))

    def picked(self, *picks: int, among: frozenset[Status] = EVERY) -> list[Job]:
        jobs_ = self.bench.state.tables.jobs.values()
        everyone = [job for job in jobs_ if job.status in among]
        return [everyone[pick % len(everyone)] for pick in picks] if everyone else []

    def attempt(self, command: Any, *args: Any) -> Any:
        """Do it; a refusal is fine, and changes nothing but the log."""
        self.bench.tick(0)
        try:
            return self.bench.do(command, *args)
        except Refused:
            return None

    @rule(queue=QUEUES, pick=PICK, child=st.booleans(), starts=DELAY, expires=DELAY, key=PICK)
    def create(  # noqa: PLR0917 - one argument a strategy
        self, queue: str, pick: int, child: bool, starts: int | None, expires: int | None, key: int
    ) -> None:
        self.bench.tick(0)
        parents = self.picked(pick, among=ACTIVE) or self.picked(pick) if child else []
        moments = [
            None
            if secs is None
            else EPOCH + timedelta(microseconds=self.bench.clock() + secs * 10**6)
            for secs in (starts, expires)
        ]
        made = self.bench.do(
            jobs.create,
            a_job(
                queue,
                max_retries=pick % 3,
                priority=pick % 5,
                scheduled_at=moments[0],
                expires_at=moments[1],
                parent_job_id=parents[0].id if parents else None,
                idempotency_key=f"k{key}" if key % 3 == 0 else None,
                tags=Raw(b'["red"]') if pick % 2 else Raw(b"null"),
            ),
        )
        job = self.bench.job(made.job_id)
        if parents and made.new and parents[0].id != job.id:
            ended_badly = parents[0].status in TERMINAL - {Status.COMPLETED}
            assert job.blocked == (parents[0].status is not Status.COMPLETED)
            assert (job.status is Status.CANCELLED) == ended_badly

    @rule(queue=QUEUES, worker=WORKERS, limit=st.integers(1, 6))
    def claim(self, queue: str, worker: str, limit: int) -> None:
        self.bench.tick(0)
        for job in self.bench.claim(queue, worker, limit=limit, lease_duration_secs=20):
            assert not job.blocked
            assert job.due_at is None
        running = self.bench.state.shelf("default", queue).count(Status.PROCESSING)
        found = self.bench.state.queue("default", queue)
        assert (
            found is None
            or found.concurrency_limit is None
            or running <= max(found.concurrency_limit, self.limits.get(queue, 0))
        )

    @rule(picks=st.lists(PICK, max_size=6), worker=WORKERS, how=st.booleans())
    def settle_many(self, picks: list[int], worker: str, how: bool) -> None:
        chosen = self.picked(*picks, among=RUNNING) + self.picked(*picks[:1])
        if not chosen:
            return
        worker = chosen[0].worker or worker
        if how:
            done = [BulkCompletionItem(job_id=job.id, lease_id=job.lease) for job in chosen]
            self.attempt(settlements.complete_bulk, BulkCompletion(worker_id=worker, jobs=done))
        else:
            lost = [BulkFailureItem(job_id=job.id, error="no") for job in chosen]
            self.attempt(settlements.fail_bulk, BulkFailure(worker_id=worker, jobs=lost))

    @rule(pick=PICK)
    def stop(self, pick: int) -> None:
        for job in self.picked(pick, among=ACTIVE):
            self.attempt(jobs.stop, job.id, Cancellation(reason="enough"))

    @rule(pick=PICK, worker=WORKERS)
    def extend(self, pick: int, worker: str) -> None:
        for job in self.picked(pick, among=RUNNING):
            self.attempt(claims.extend, job.id, Extension(worker_id=job.worker or worker))

    @rule(picks=st.lists(PICK, max_size=4))
    def release(self, picks: list[int]) -> None:
        leases = {(job.id, job.lease or "none") for job in self.picked(*picks, among=RUNNING)}
        self.attempt(settlements.release, tuple(sorted(leases)))

    @rule(verb=st.sampled_from(Verb), picks=st.lists(PICK, max_size=8), every=st.booleans())
    def act(self, verb: Verb, picks: list[int], every: bool) -> None:
        action = Action(verb, JobFilter(), Raw(b"{}"), priority=3)
        chosen = self.picked(*picks, among=actions.APPLIES_TO[verb])
        ids = list(self.bench.state.tables.jobs) if every else [job.id for job in chosen]
        applied = self.attempt(actions.apply, action, self.bench.new_id(), ids)
        assert len(set(applied.job_ids)) == len(applied.job_ids)

    @rule(queue=QUEUES, limit=st.none() | st.integers(1, 3), rate=st.none() | st.integers(1, 5))
    def configure(self, queue: str, limit: int | None, rate: int | None) -> None:
        settings_ = Raw(b'{"concurrency_limit":%d}' % limit) if limit else Raw(b"{}")
        self.attempt(queues.configure, queue, QueueConfig(rate_limit=rate, settings=settings_))
        shelf = self.bench.state.shelf("default", queue)
        self.limits[queue] = shelf.count(Status.PROCESSING)

    @rule(queue=QUEUES, on=st.booleans())
    def pause(self, queue: str, on: bool) -> None:
        if on:
            self.attempt(queues.pause, queue, Pause(reason="lunch"))
        else:
            self.attempt(queues.resume, queue)

    @rule(queue=QUEUES, with_jobs=st.booleans())
    def delete_queue(self, queue: str, with_jobs: bool) -> None:
        action_id, first = self.bench.new_id(), self.bench.state.position + 1

        def delete(state: Any, ctx: Any) -> Any:
            part = {"action_id": action_id, "first": first}
            return queues.delete(state, ctx, queue, delete_jobs=with_jobs, jobs_max=3, **part)

        gone = self.attempt(delete)
        while gone is False:
            gone = self.attempt(delete)
        if gone:
            assert self.bench.state.queue("default", queue) is None
            left = {
                job.status for job in self.bench.state.tables.jobs.values() if job.queue == queue
            }
            assert not left & {Status.PENDING, Status.PROCESSING}
            assert not (with_jobs and left)

    @rule(pick=PICK, recent=st.booleans(), dry=st.booleans())
    def undo(self, pick: int, recent: bool, dry: bool) -> None:
        """Mostly of what was done lately: much else has been built upon by then."""
        self.bench.tick(0)
        last = self.bench.state.position
        able = undoes.undoable(self.bench)
        if not able:
            return
        position = able[-1 - pick % min(len(able), 3 if recent else len(able))]
        foreseen = undoes.rehearsed(self.bench, position)
        assert self.bench.state.position == last
        if dry:
            return
        taken = undoes.undo(self.bench, position)
        assert taken == foreseen
        for queue in ("mail", "video"):
            shelf = self.bench.state.shelf("default", queue)
            self.limits[queue] = shelf.count(Status.PROCESSING)

    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        for job in self.picked(pick, among=frozenset({Status.DEADLETTER})):
            self.attempt(jobs.retry, job.id)

    @rule(keep=st.none() | st.integers(0, 120), count=st.integers(0, 6), limit=st.integers(1, 4))
    def retire(self, keep: int | None, count: int, limit: int) -> None:
        now, kept = self.bench.clock(), None if keep is None else keep * 10**6
        policy = replace(self.bench.policy, keep_finished_us=kept, keep_finished_jobs=count)
        everyone = list(self.bench.state.tables.jobs.values())
        ended = sorted(
            (job.completed_at or 0, job.id) for job in everyone if job.status in FINISHED
        )
        doomed = [
            job_id
            for place, (at, job_id) in enumerate(ended)
            if place < len(ended) - count or (kept is not None and at + kept <= now)
        ]
        next_us = retention.next_retirement(self.bench.state, policy)
        assert (next_us is not None and next_us <= now) == bool(doomed)
        self.bench.policy = policy
        assert self.bench.retire(limit) == len(doomed[:limit])
        gone = {job.id for job in everyone} - self.bench.state.tables.jobs.keys()
        assert gone == set(doomed[:limit])

    @rule(secs=st.integers(0, 90))
    def wait(self, secs: int) -> None:
        self.bench.tick(secs)

    @invariant()
    def indexes_are_derived(self) -> None:
        assert differences(self.bench.state) == []

    @invariant()
    def what_always_holds(self) -> None:
        state = self.bench.state
        for job in state.tables.jobs.values():
            assert (job.lease is None) == (job.status is not Status.PROCESSING)
            assert job.position <= job.trail <= state.position
            if job.status in {Status.PENDING, Status.PROCESSING}:
                assert state.queue(job.org, job.queue) is not None
            if job.blocked and job.status in WAITING:
                parent = state.job(job.org, job.parent or "")
                assert parent is not None
                assert parent.status not in TERMINAL

    def teardown(self) -> None:
        replayed = self.bench.replayed()
        assert digest(replayed) == digest(self.bench.state)
        assert differences(replayed) == []
        last: dict[str, int] = {}
        for record in self.bench.records():
            told = [event for event in record.events if isinstance(event, JobEvent)]
            for event in told:
                if not isinstance(event, JobCreated) and event.job in last:
                    assert event.prev in {last[event.job], record.position, 0}
            last.update((event.job, record.position) for event in told)
