"""What someone did is taken back, subject by subject, where nothing has happened to it since.

A subject goes back whole or not at all, and only where that leaves the state whole: a job that
waits for another has one to wait for, a live job has a queue, a key names one job. Each is judged in
view of those before it; one that depends on another waits for that one's turn.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET, Struct

from projections import bounds
from projections.decide import Context, Decision, Policy
from projections.decide.dependants import deleted
from projections.entities import Job
from projections.events import (
    Event,
    JobDeleted,
    JobRestored,
    JobReverted,
    QueueDeleted,
    QueueFacts,
    QueueRestored,
    UndoApplied,
)
from projections.lifecycle import FINISHED, TERMINAL, WAITING, Status
from projections.state import State
from projections.undoing import JobUndo, QueueUndo, facts, may_wait, restored, reverted

Subject = JobUndo | QueueUndo

_NEEDS_QUEUE: Final = frozenset({Status.PENDING, Status.PROCESSING})
_SINCE: Final = {
    Status.PROCESSING: "claimed",
    Status.COMPLETED: "completed",
    Status.DEADLETTER: "dead-lettered",
    Status.CANCELLED: "cancelled",
}


class Step(Struct, frozen=True):
    """A job has been taken back by this undo to what the record at `left_at` left.

    That was done at `position`; nowhere, when the undo is only rehearsed.
    """

    left_at: int
    position: int | None


class Undoing(Struct, frozen=True):
    """An undo under way: of the record at `undoes`, under the id `action`.

    `first` is the position of its first record, 0 before that. `steps` tells of jobs that an action
    has changed more than once: they go back step by step.
    """

    undoes: int
    action: str
    first: int
    steps: Mapping[str, Step]


class Refusal(Struct, frozen=True):
    """A subject that stays as it is, and why."""

    subject: Subject
    reason: str


class TakenBack(Struct, frozen=True):
    """What went back, what did not, and what is `left` for another record.

    Those that are `waiting` depend on a subject that was not among these, or that stays itself.
    """

    done: list[Subject]
    refused: list[Refusal]
    waiting: list[Refusal]
    left: list[Subject]


class _Stays(Exception):
    """The subject cannot go back."""


class _StaysFor(_Stays):
    """It cannot because of another subject, which may go back before it."""


def take_back(
    state: State, ctx: Context, undoing: Undoing, subjects: Sequence[Subject]
) -> Decision[TakenBack]:
    """Take back what can be, in one record, until it is large; ask again with what is `left`."""
    judging = Judging(state, ctx.org, ctx.now_us, ctx.policy, undoing.steps)
    taken = judging.judge(subjects, one_record=True)
    if not judging.events:
        return Decision((), taken)
    begun = UndoApplied(
        org=ctx.org,
        undoes=undoing.undoes,
        action=undoing.action,
        first=undoing.first or state.position + 1,
    )
    return Decision((begun, *judging.events), taken)


class Judging:
    """Judges subjects one after the other, as if all before had gone back already."""

    def __init__(
        self, state: State, org: str, now_us: int, policy: Policy, steps: Mapping[str, Step]
    ) -> None:
        self.events: list[Event] = []
        self._state = state
        self._org = org
        self._now_us = now_us
        self._policy = policy
        self._steps = steps
        self._alive: set[str] = set()
        self._ended: set[str] = set()
        self._stepped: dict[str, Job] = {}
        self._keys: set[str] = set()
        self._queues: set[str] = set()
        self._leaving: Counter[str] = Counter()
        self._waiting_for: defaultdict[str, set[str]] = defaultdict(set)

    def judge(self, subjects: Sequence[Subject], *, one_record: bool = False) -> TakenBack:
        """Collect the events that take these back; `one_record` stops when it is large enough."""
        taken = TakenBack([], [], [], list(subjects))
        size = 0
        while taken.left:
            later: list[Refusal] = []
            for index, subject in enumerate(taken.left):
                try:
                    event = self._event(subject)
                except _StaysFor as reason:
                    later.append(Refusal(subject, str(reason)))
                    continue
                except _Stays as reason:
                    taken.refused.append(Refusal(subject, str(reason)))
                    continue
                self.events.append(event)
                taken.done.append(subject)
                size += _size(event)
                if one_record and (
                    size >= bounds.RESTORED_BYTES_PER_RECORD_MAX
                    or len(self.events) >= bounds.UNDONE_PER_RECORD_MAX
                ):
                    left = [one.subject for one in later] + taken.left[index + 1 :]
                    return TakenBack(taken.done, taken.refused, [], left)
            if len(later) == len(taken.left):
                taken.waiting.extend(later)
                break
            # Backwards, so that a chain of jobs does not take a round for each.
            taken.left[:] = [one.subject for one in reversed(later)]
        return TakenBack(taken.done, taken.refused, taken.waiting, [])

    def _event(self, subject: Subject) -> Event:
        if subject.unknown is not None:
            raise _Stays(subject.unknown)
        if isinstance(subject, QueueUndo):
            return self._queue(subject)
        job = self._job(subject)
        self._check_untouched(subject, job)
        before = subject.before
        if before is None:
            assert job is not None
            return self._deleted(job)
        self._check_before(before, job)
        if job is not None and job.status not in TERMINAL and before.status in TERMINAL:
            self._end(job)
        return self._back(subject, before, job)

    def _job(self, subject: JobUndo) -> Job | None:
        """Give the job as it is now; in a rehearsal, as the step before would have left it."""
        step = self._steps.get(subject.job_id)
        if step is not None and step.position is None and step.left_at == subject.left_at:
            return self._stepped[subject.job_id]
        return self._state.job(self._org, subject.job_id)

    def _check_untouched(self, subject: JobUndo, job: Job | None) -> None:
        step = self._steps.get(subject.job_id)
        if step is not None and step.left_at == subject.left_at:
            if step.position is None or (job is not None and job.position == step.position):
                return
        elif subject.removed and job is None:
            return
        if job is None:
            raise _Stays("it is not there any more")
        if subject.removed or job.position != subject.left_at:
            raise _Stays(f"{_SINCE.get(job.status, 'changed')} since, at {job.position}")

    def _check_before(self, before: Job, job: Job | None) -> None:
        """Check that the job may be what it was."""
        if job is None and before.idempotency_key is not None:
            self._check_key(before.idempotency_key)
        if before.status in _NEEDS_QUEUE and not self._has_queue(before.queue):
            raise _StaysFor(f"its queue {before.queue} is not there any more")
        if before.status in WAITING and _passed(before.expires_at, self._now_us):
            raise _Stays("it was to be started before a time that has passed")
        keep_us = self._policy.keep_finished_us
        ended_at = before.completed_at if job is None and before.status in FINISHED else None
        if keep_us is not None and _passed(ended_at, self._now_us - keep_us):
            raise _Stays("it ended longer ago than finished jobs are kept")

    def _check_key(self, key: str) -> None:
        other = self._state.idempotency.get((self._org, key))
        if other is not None or key in self._keys:
            holder = "another job" if other is None else f"job {other.id}"
            raise _Stays(f"its idempotency key belongs to {holder} now")

    def _has_queue(self, name: str) -> bool:
        return name in self._queues or self._state.queue(self._org, name) is not None

    def _back(self, subject: JobUndo, before: Job, job: Job | None) -> JobRestored | JobReverted:
        blocked = before.blocked
        if may_wait(before):
            assert before.parent is not None
            blocked = self._must_wait(before.parent)
            if blocked:
                self._waiting_for[before.parent].add(before.id)
        if before.status not in TERMINAL:
            self._alive.add(before.id)
        self._stepped[before.id] = before
        if subject.removed:
            if before.idempotency_key is not None:
                self._keys.add(before.idempotency_key)
            return restored(before, subject.left_at, blocked=blocked, place=subject.place)
        return reverted(before, subject.left_at if job is None else job.trail, blocked=blocked)

    def _must_wait(self, parent_id: str) -> bool:
        """Whether the parent is still to be completed; it must be so, or have been completed."""
        parent = self._state.job(self._org, parent_id)
        if parent_id in self._alive:
            return True
        if parent is None or parent_id in self._ended:
            raise _StaysFor(f"job {parent_id}, for which it waited, is not there any more")
        if parent.status in TERMINAL and parent.status is not Status.COMPLETED:
            raise _StaysFor(f"job {parent_id}, for which it waited, is {parent.status}")
        return parent.status is not Status.COMPLETED

    def _deleted(self, job: Job) -> JobDeleted:
        if job.status not in TERMINAL:
            self._end(job)
        return deleted(job)

    def _end(self, job: Job) -> None:
        """Note that a live job is one no more; nobody may be left waiting for it."""
        waiting = self._state.dependants.get(job.id, {}).keys() | self._waiting_for[job.id]
        waiting -= self._ended
        if waiting:
            raise _StaysFor(f"job {min(waiting)} waits for it")
        self._ended.add(job.id)
        self._alive.discard(job.id)
        if job.status in _NEEDS_QUEUE:
            self._leaving[job.queue] += 1

    def _queue(self, subject: QueueUndo) -> QueueRestored | QueueDeleted:
        name, before = subject.queue, subject.before
        queue = self._state.queue(self._org, name)
        now = None if queue is None else facts(queue)
        if now != subject.after:
            raise _Stays(_queue_reason(now, subject.after))
        if before is not None:
            self._queues.add(name)
            return QueueRestored(org=self._org, queue=name, facts=before, before=now)
        shelf = self._state.shelf(self._org, name)
        live = sum(shelf.count(status) for status in _NEEDS_QUEUE)
        if live > self._leaving[name]:
            raise _StaysFor("jobs wait or run in it")
        return QueueDeleted(org=self._org, queue=name, before=now)


def _queue_reason(now: QueueFacts | None, after: QueueFacts | None) -> str:
    if now is None:
        return "it is not there any more"
    return "it is there again" if after is None else "it has changed since"


def _size(event: Event) -> int:
    if not isinstance(event, JobRestored):
        return 0
    documents = (event.payload, event.result, event.tags)
    return sum(len(bytes(text)) for text in documents if text is not UNSET)


def _passed(at_us: int | None, now_us: int) -> bool:
    return at_us is not None and at_us <= now_us
