"""Undo without a server or a log on disk: what was before is looked up by replaying all that was before.

The server reads it from each job's own trail; that both are the same is checked here every time.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from projections.decide.undo import Judging, Step, Subject, Undoing, take_back
from projections.entities import Job
from projections.events import JobCreated, JobRestored, Record
from projections.past import Told, jobs_of_before, queues_touched
from projections.shelf import ready_rank
from projections.undoing import JobTouched, JobUndo, jobs_touched, objection, opener, returning
from tests.build import Bench

ORG = "default"
CHANGED = {"seq", "place", "position", "trail", "updated_at"}
"""What a job of before and the job that came back differ in."""

Outcome = tuple[list[str], dict[str, str]]
"""The subjects that went back, and why others did not."""


def undoable(bench: Bench) -> list[int]:
    """Give the records that can be taken back, as far as they themselves say."""
    return [one.position for one in bench.records() if objection(one, ORG) is None]


def parts_of(bench: Bench, position: int) -> list[Record]:
    """Give the records of the action, the last first."""
    records = bench.records()
    opening = opener(records[position - 1], ORG)
    if opening is None:
        return [records[position - 1]]
    openings = {one.position: found for one in records if (found := opener(one, ORG)) is not None}
    parts = [at for at, found in openings.items() if found.action == opening.action]
    assert {openings[at].first for at in parts} == {parts[0]}
    return [records[at - 1] for at in reversed(parts)]


def rehearsed(bench: Bench, position: int) -> Outcome:
    """Tell what would go back now."""
    parts = parts_of(bench, position)
    steps: dict[str, Step] = {}
    judging = Judging(bench.state, ORG, bench.clock(), bench.policy, steps)
    outcome: Outcome = ([], {})
    for record in parts:
        taken = judging.judge(subjects_of(bench, record))
        _note(outcome, taken, steps, parts, None)
    return sorted(outcome[0]), outcome[1]


def undo(bench: Bench, position: int) -> Outcome:
    """Take back the record and its whole action."""
    parts = parts_of(bench, position)
    steps: dict[str, Step] = {}
    outcome: Outcome = ([], {})
    action, first = bench.new_id(), bench.state.position + 1
    for record in parts:
        left = subjects_of(bench, record)
        while left:
            taken = bench.do(take_back, Undoing(position, action, first, steps), left)
            _note(outcome, taken, steps, parts, bench.state.position)
            _check_back(bench, taken.done)
            left = taken.left
    return sorted(outcome[0]), outcome[1]


def subjects_of(bench: Bench, record: Record) -> list[Subject]:
    past = bench.replayed(record.position - 1).tables.jobs
    came_back: dict[str, int] = {}
    for later in bench.records()[record.position :]:
        came_back.update(dict.fromkeys(returning(later, ORG), later.position))
    jobs = [
        JobUndo(
            job_id=job.job_id,
            left_at=record.position,
            removed=job.removed,
            before=past.get(job.job_id),
            place=job.place,
            unknown=job.came_back(came_back),
        )
        for job in jobs_touched(record, ORG)
    ]
    queues = [queue.since(came_back) for queue in queues_touched(record, ORG)]
    _check_trails(bench, record, past)
    return [*queues, *jobs]


def _check_trails(bench: Bench, record: Record, past: dict[str, Job]) -> None:
    """Each job's own trail must tell the same of it as the whole log does."""
    touched = [job for job in jobs_touched(record, ORG) if not job.restored]
    told = jobs_of_before({job.job_id: list(_trail(bench, job)) for job in touched})
    assert told.keys() == {job.job_id for job in touched}
    for job_id, job in told.items():
        assert structs.replace(job, seq=0) == structs.replace(past[job_id], seq=0)


def _trail(bench: Bench, touched: JobTouched) -> Iterator[Told]:
    found: list[Told] = []
    records, position = bench.records(), touched.prev
    while True:
        record = records[position - 1]
        for event in reversed(record.events):
            if getattr(event, "job", None) == touched.job_id:
                found.append((record, event))  # type: ignore[arg-type]
                if isinstance(event, JobCreated | JobRestored):
                    return iter(found[::-1])
        position = found[-1][1].prev  # type: ignore[union-attr]


def _check_back(bench: Bench, done: list[Subject]) -> None:
    for subject in done:
        if not isinstance(subject, JobUndo):
            continue
        job, before = bench.state.tables.jobs.get(subject.job_id), subject.before
        assert (job is None) == (before is None)
        if job is not None and before is not None:
            differing = {
                name
                for name in job.__struct_fields__
                if getattr(job, name) != getattr(before, name)
            }
            if before.blocked and not job.blocked:  # its parent was completed meanwhile
                differing.discard("blocked")
            assert differing <= CHANGED
            assert not job.place or ready_rank(job) == ready_rank(before)


def _note(
    outcome: Outcome, taken: Any, steps: dict[str, Step], parts: list[Record], at: int | None
) -> None:
    positions = {part.position for part in parts}
    for subject in taken.done:
        outcome[0].append(name_of(subject))
        before = subject.before
        if isinstance(before, Job) and before.position in positions:
            steps[before.id] = Step(before.position, at)
    outcome[1].update(
        {name_of(one.subject): one.reason for one in (*taken.refused, *taken.waiting)}
    )


def name_of(subject: Subject) -> str:
    return subject.job_id if isinstance(subject, JobUndo) else f"queue {subject.queue}"
