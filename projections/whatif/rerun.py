"""Jobs that hang together, lived again under other rules, by the server's own ``decide`` and ``fold``.

Everything that happens stands on one heap in order of time; what is recorded keeps the order of the
record within a moment. The state holds these jobs only, and their queues without any limit: what
kept a job waiting is in its recorded delays.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from projections import eligibility
from projections.agenda import Duty
from projections.decide import (
    Caller,
    Context,
    Decision,
    Policy,
    duties,
    jobs,
    settlements,
)
from projections.entities import Job, Queue
from projections.errors import Refused
from projections.events import (
    Event,
    JobClaimed,
    JobEvent,
    JobFailed,
    JobLeaseExtended,
    Record,
)
from projections.fold import fold
from projections.lifecycle import WAITING, Status
from projections.rawjson import EMPTY_OBJECT
from projections.specs import Completion, Failure
from projections.state import State, Tables
from projections.whatif import Change, Fate, Outcome, Own, ended_as
from projections.whatif.inputs import done
from projections.whatif.life import INDEX_BITS, Attempt, How, Life, Told

_FIRST: Final = 0
_LAST: Final = 1 << 100
_MEAN: Final = 0.5
_POLICY: Final = Policy()
_BACKOFF: Final = ("retry_base_secs", "retry_cap_secs", "retry_jitter")


class _Run(Struct):
    """A life that is lived again.

    `readied` and `waits` count how often it became ready, and began to wait: what was planned before
    is void. `left` is what it was when it was deleted or retired.
    """

    life: Life
    change: Change
    tried: int = 0
    readied: int = 0
    waits: int = 0
    backoff_us: int = 0
    ended_at: int | None = None
    left: Outcome | None = None
    unknown: bool = False
    refused: int = 0


class Rerun:
    """Lives jobs again that hang together by their parents."""

    def __init__(
        self, lives: Iterable[Life], change_of: Callable[[str], Change], own: Own, ends_at: int
    ) -> None:
        self._own = own
        self._ends_at = ends_at
        self._runs = {life.created.job: _Run(life, change_of(life.created.queue)) for life in lives}
        self._heap: list[tuple[int, int, int, Callable[[int, _Run, Any], None], _Run, Any]] = []
        self._numbers = count()
        queues: dict[str, dict[str, Queue]] = {}
        for run in self._runs.values():
            made = run.life.created
            queues.setdefault(made.org, {})[made.queue] = Queue(
                made.queue, made.org, made.queue, 0, 0, EMPTY_OBJECT
            )
        self._state = State(Tables(queues=queues))

    def fates(self) -> dict[str, tuple[Fate, int]]:
        """Give what each job comes to, and how many of the things done to it found nothing to do."""
        for run in self._runs.values():
            self._put(run.life.created_at, run.life.rank, self._create, run)
            for at, rank, what in run.life.inputs:
                self._put(at, rank, self._input, run, what)
        while self._heap:
            at, _, _, action, run, detail = heapq.heappop(self._heap)
            if not run.unknown:
                action(at, run, detail)
        return {job_id: (self._fate(run), run.refused) for job_id, run in self._runs.items()}

    def _fate(self, run: _Run) -> Fate:
        outcome = run.left
        job = self._job(run)
        if outcome is None and job is not None:
            outcome = ended_as(job.status)
        if outcome is None:
            open_end = run.life.fate().outcome is Outcome.OPEN
            outcome = Outcome.OPEN if open_end else Outcome.UNKNOWN
        return Fate(outcome, run.tried, run.ended_at, run.backoff_us)

    # -- what happens

    def _create(self, at: int, run: _Run, _: None) -> None:
        made = run.life.created
        if run.change.max_retries is not None:
            made = replace(made, max_retries=run.change.max_retries)
        if not run.life.linked:
            self._record(at, (made,))
            return
        ctx = self._context(at, run)
        try:
            events = tuple(jobs.child(self._state, ctx, replace(made, blocked=False)))
        except Refused:  # more would wait for this parent than may
            run.refused += 1
            run.unknown = True
            return
        self._record(at, events)

    def _input(self, at: int, run: _Run, what: Told) -> None:
        """Do what somebody did at this moment; where the rules refuse it now, count that."""
        state, job = self._state, self._job(run)
        if job is None:
            return
        ctx = self._context(at, run)
        doomed = self._doomed(run, at) if what is Told.DELETE else []
        try:
            decision = done(state, ctx, job, what, doomed)
        except Refused:
            run.refused += 1
            return
        run.refused += not decision.events and what is not Told.RETIRE
        self._record(at, decision.events)

    def _doomed(self, run: _Run, at: int) -> list[Job]:
        """Give the jobs that were deleted by one record: none of them outlives its parent."""
        (record,) = {
            rank >> INDEX_BITS
            for when, rank, what in run.life.inputs
            if what is Told.DELETE and when == at
        }
        return [
            job
            for other in self._runs.values()
            if not other.unknown
            and any(
                what is Told.DELETE and rank >> INDEX_BITS == record
                for _, rank, what in other.life.inputs
            )
            and (job := self._job(other)) is not None
        ]

    def _promote(self, at: int, run: _Run, due_at: int) -> None:
        job = self._job(run)
        if job is not None and job.status in WAITING and job.due_at == due_at:
            self._perform(at, run, Duty.PROMOTE)

    def _expire(self, at: int, run: _Run, waits: int) -> None:
        job = self._job(run)
        if job is None or waits != run.waits or job.status not in WAITING:
            return
        # What is open where the record ends has not expired there, however late that is by now.
        if at < self._ends_at or run.life.fate().outcome is not Outcome.OPEN:
            self._perform(at, run, Duty.EXPIRE_JOB)

    def _start(self, at: int, run: _Run, readied: int) -> None:
        """Hand the job out, as a claim would: if it can be had."""
        job = self._job(run)
        if job is None or readied != run.readied or eligibility.holds(job, at):
            return
        attempt = run.life.attempts[run.tried]
        run.tried += 1
        event = JobClaimed(
            org=job.org,
            job=job.id,
            prev=job.trail,
            worker=attempt.worker,
            lease=attempt.lease,
            lease_until=at + attempt.lease_us,
        )
        self._record(at, (event,))
        for offset, until, rank in attempt.beats or ():
            self._put(at + offset, rank, self._extend, run, (attempt.lease, at + until))
        if attempt.how is not None:
            self._put(at + attempt.length_us, attempt.end_rank, self._end, run, attempt)

    def _extend(self, at: int, run: _Run, beat: tuple[str, int]) -> None:
        job, (lease, until) = self._job(run), beat
        if job is not None and job.lease == lease:
            event = JobLeaseExtended(org=job.org, job=job.id, prev=job.trail, lease_until=until)
            self._record(at, (event,))

    def _end(self, at: int, run: _Run, attempt: Attempt) -> None:
        job = self._job(run)
        if job is None or job.lease != attempt.lease:
            return
        state, ctx = self._state, self._context(at, run)
        match attempt.how:
            case How.COMPLETED:
                done = Completion(worker_id=attempt.worker, lease_id=attempt.lease)
                self._record(at, settlements.complete(state, ctx, job.id, done).events)
            case How.FAILED:
                failure = Failure(worker_id=attempt.worker, lease_id=attempt.lease, error="")
                decision = settlements.fail(state, self._backoff(at, run), job.id, failure)
                self._record(at, tuple(self._waiting(at, run, attempt, job, decision)))
            case How.EXPIRED:
                self._perform(at, run, Duty.EXPIRE_LEASE)
            case _:
                leases = ((job.id, attempt.lease),)
                self._record(at, settlements.release(state, ctx, leases).events)

    def _waiting(
        self, at: int, run: _Run, attempt: Attempt, job: Job, decision: Decision[Any]
    ) -> Iterator[Event]:
        """Give a failure's events; a wait that is not asked about and is recorded is that one."""
        for event in decision.events:
            if not isinstance(event, JobFailed) or event.retry_at is None:
                yield event
                continue
            wait_us = event.retry_at - at
            recorded = attempt.backoff_us is not None and attempt.retries == job.retry_count
            if recorded and not run.change.of_backoff:
                assert attempt.backoff_us is not None
                wait_us = attempt.backoff_us
            run.backoff_us += wait_us
            yield replace(event, retry_at=at + wait_us)

    def _untried(self, at: int, run: _Run, readied: int) -> None:
        """Stop at an attempt that is not recorded: from here on nothing is known."""
        job = self._job(run)
        if job is not None and readied == run.readied and not eligibility.holds(job, at):
            run.unknown = True

    # -- how it goes on

    def _perform(self, at: int, run: _Run, duty: Duty) -> None:
        ctx = self._context(at, run)
        self._record(at, duties.perform(self._state, ctx, duty, run.life.created.job).events)

    def _record(self, at: int, events: tuple[Event, ...]) -> None:
        """Fold events, and put on the heap what follows from how their jobs are then."""
        if not events:
            return
        jobs_ = self._state.tables.jobs
        before = {
            event.job: None if (job := jobs_.get(event.job)) is None else job.status
            for event in events
            if isinstance(event, JobEvent)
        }
        fold(self._state, Record(self._state.position + 1, at, "what-if", "", events))
        for job_id, was in before.items():
            run, job = self._runs[job_id], jobs_.get(job_id)
            if job is not None:
                self._go_on(at, run, job, was)
            elif was is not None:
                run.left = ended_as(was)
                if run.left is None:
                    run.left, run.ended_at = Outcome.DELETED, at

    def _go_on(self, at: int, run: _Run, job: Job, was: Status | None) -> None:
        if job.status not in WAITING:
            run.ended_at = None if job.status is Status.PROCESSING else at
            return
        if was not in WAITING:
            run.ended_at = None
            run.waits += 1
            if job.expires_at is not None:
                at_us = max(job.expires_at, at) + run.life.expiry_late_us
                rank = run.life.expiry_rank or _LAST
                self._put(at_us, rank, self._expire, run, run.waits)
        if job.due_at is not None:
            self._put(max(job.due_at, at), _FIRST, self._promote, run, job.due_at)
        elif not job.blocked:
            self._ready(at, run)

    def _ready(self, at: int, run: _Run) -> None:
        run.readied += 1
        if run.tried < len(run.life.attempts):
            attempt = run.life.attempts[run.tried]
            self._put(at + attempt.delay_us, attempt.rank, self._start, run, run.readied)
        elif run.life.fate().outcome is not Outcome.OPEN:
            self._put(at + run.life.open_wait_us, _LAST, self._untried, run, run.readied)

    def _put(
        self,
        at: int,
        rank: int,
        action: Callable[[int, _Run, Any], None],
        run: _Run,
        detail: object = None,
    ) -> None:
        heapq.heappush(self._heap, (at, rank, next(self._numbers), action, run, detail))

    def _job(self, run: _Run) -> Job | None:
        return self._state.tables.jobs.get(run.life.created.job)

    def _context(self, at: int, run: _Run, policy: Policy = _POLICY) -> Context:
        caller = Caller(org=run.life.created.org, by="what-if", request_id="")
        return Context(at, caller, _no_ids, lambda: _MEAN, policy)

    def _backoff(self, at: int, run: _Run) -> Context:
        """Give the context of a failure: what is asked about, before what the queue had of its own."""
        own = self._own(run.life.created.org, run.life.created.queue, at)
        rules = {name: _first(getattr(run.change, name), getattr(own, name)) for name in _BACKOFF}
        named = {name: value for name, value in rules.items() if value is not None}
        return self._context(at, run, replace(_POLICY, **named))


def _first(asked: float | None, own: float | None) -> float | None:
    return own if asked is None else asked


def _no_ids() -> str:
    raise AssertionError("nothing here needs an id of its own")
