"""What-if: with the rules as they were it is the record; with others, outcomes worked out by hand."""

from datetime import timedelta
from functools import partial
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, settings
from msgspec import Raw

from projections.decide import Policy, jobs, queues
from projections.entities import Job
from projections.events import JobCreated, JobEvent, JobRestored, JobReverted
from projections.lifecycle import TERMINAL, Status
from projections.moments import EPOCH
from projections.specs import QueueConfig
from projections.whatif import Change, Outcome, lives
from projections.whatif.comparison import Comparison, Judged
from projections.whatif.life import Life
from projections.whatif.report import Report
from projections.whatif.rerun import Rerun
from tests.build import Bench, a_job
from tests.fakes import SECOND_US, START_US
from tests.projections.storm import Storm
from tests.projections.undoes import undo

UNTOUCHED = [Change(), Change(retry_base_secs=10, retry_cap_secs=40)]
OTHERS = [
    Change(max_retries=0),
    Change(max_retries=5),
    Change(retry_base_secs=0),
    Change(retry_base_secs=3600, retry_cap_secs=36000, max_retries=1),
    Change(retry_jitter=1),
]


class Thorough(Comparison):
    """Lives every job again, those too in which no rule had a say."""

    def worth(self, lives: dict[str, Life]) -> bool:
        return True


def compared(
    records: list[Any],
    change: Change,
    queue: str | None = None,
    kind: type[Comparison] = Comparison,
) -> dict[str, Judged]:
    return compared_by(kind(change, queue), records)


def compared_by(comparison: Comparison, records: list[Any]) -> dict[str, Judged]:
    judged = [one for record in records for one in comparison.take(record)]
    judged += comparison.rest()
    by_job = {one.job: one for one in judged}
    assert len(by_job) == len(judged), "each job is judged once"
    return by_job


class WhatIfStorm(Storm):
    def teardown(self) -> None:
        records = self.bench.records()
        created = {
            event.job
            for record in records
            for event in record.events
            if isinstance(event, JobCreated)
        }
        undone = {
            event.job
            for record in records
            for event in record.events
            if isinstance(event, JobRestored | JobReverted)
        }
        for change in UNTOUCHED:
            found = compared(records, change, kind=Thorough)
            assert set(found) == created
            for one in found.values():
                assert one.what_if == one.recorded, change
                assert one.refused == 0
                assert one.odd <= bool(undone), "none is left out without an undo"
        comparison = Comparison(Change())
        told = compared_by(comparison, records)
        assert comparison.came_back <= undone
        for job in self.bench.state.tables.jobs.values():
            fate = told[job.id].recorded
            if job.id in comparison.came_back:
                assert fate.outcome in {Outcome.CANCELLED, Outcome.DELETED}
            elif job.status in TERMINAL:
                assert fate.outcome.value == job.status.value
                assert fate.ended_at == (job.completed_at if told[job.id].odd else job.updated_at)
            else:
                assert (fate.outcome, fate.ended_at) == (Outcome.OPEN, None)
        for change in OTHERS:
            found = compared(records, change)
            assert found == compared(records, change, kind=Thorough)
            assert set(found) == created
            in_queue = compared(records, change, "mail")
            assert all(
                one.queue == "mail" or one.recorded != one.what_if for one in in_queue.values()
            )


TestWhatIfStorm = WhatIfStorm.TestCase
TestWhatIfStorm.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Tale(Bench):
    """A history told in attempts: each is picked up after 5 s and runs for 2 s."""

    def __init__(self) -> None:
        super().__init__(Policy(max_retries=3, retry_base_secs=60))

    def live(self, job: Job, attempts: str) -> None:
        """Let a job be tried: f fails, c completes, x lets its lease of 30 s run out."""
        for how in attempts:
            self.reach_due(job)
            self.tick(5)
            (claimed,) = self.claim(job.queue, lease_duration_secs=30)
            assert claimed is job
            self.tick(30 if how == "x" else 2)
            if how == "f":
                self.fail(job)
            elif how == "c":
                self.complete(job)

    def delete_queue(self, name: str, *, delete_jobs: bool = True) -> None:
        how = {"delete_jobs": delete_jobs, "jobs_max": 100, "action_id": self.new_id()}
        assert self.do(partial(queues.delete, **how), name)

    def reach_due(self, job: Job) -> None:
        if job.due_at is not None:
            self.clock.now_us = job.due_at
            self.tick()

    def judged(self, change: Change, job: Job, queue: str | None = None) -> Judged:
        return compared(self.records(), change, queue)[job.id]

    def told(self, change: Change, job: Job) -> tuple[str, int, float | None, float]:
        """Give outcome, attempts, seconds to the end, and seconds in backoff."""
        fate = self.judged(change, job).what_if
        secs = None if fate.ended_at is None else (fate.ended_at - START_US) / SECOND_US
        return fate.outcome.value, fate.attempts, secs, fate.backoff_us / SECOND_US


@pytest.mark.parametrize(
    ("attempts", "change", "expected"),
    [
        ("fc", Change(), ("completed", 2, 74, 60)),
        ("fc", Change(retry_base_secs=10), ("completed", 2, 24, 10)),
        ("fc", Change(retry_base_secs=3600, retry_cap_secs=100), ("completed", 2, 114, 100)),
        ("fc", Change(retry_cap_secs=20), ("completed", 2, 34, 20)),
        ("fc", Change(retry_jitter=1), ("completed", 2, 44, 30)),
        ("fc", Change(max_retries=0), ("deadletter", 1, 7, 0)),
        ("fc", Change(max_retries=1), ("completed", 2, 74, 60)),
        ("ffff", Change(), ("deadletter", 4, 448, 420)),
        ("ffff", Change(max_retries=1), ("deadletter", 2, 74, 60)),
        ("ffff", Change(max_retries=4), ("unknown", 4, None, 900)),
        ("ffff", Change(retry_base_secs=0), ("deadletter", 4, 28, 0)),
        ("ff", Change(), ("open", 2, None, 180)),
        ("ff", Change(max_retries=0), ("deadletter", 1, 7, 0)),
        ("ff", Change(max_retries=9, retry_base_secs=1), ("open", 2, None, 3)),
        ("xc", Change(retry_base_secs=10), ("completed", 2, 42, 0)),
        ("xc", Change(max_retries=0), ("deadletter", 1, 35, 0)),
        ("c", Change(max_retries=0, retry_base_secs=1), ("completed", 1, 7, 0)),
    ],
)
def test_one_job_under_other_rules(
    attempts: str, change: Change, expected: tuple[str, int, float | None, float]
) -> None:
    tale = Tale()
    job = tale.create()
    tale.live(job, attempts)
    assert tale.told(change, job) == expected


@pytest.mark.parametrize(
    ("change", "expected", "refused"),
    [
        (Change(), ("completed", 2, 107, 0), 0),
        (Change(max_retries=1), ("completed", 2, 74, 60), 1),
        (Change(max_retries=1, retry_base_secs=500), ("completed", 2, 514, 500), 1),
    ],
)
def test_a_retry_by_hand_that_would_not_have_been_needed(
    change: Change, expected: tuple[str, int, float, float], refused: int
) -> None:
    tale = Tale()
    job = tale.create(max_retries=0)
    tale.live(job, "f")
    tale.tick(93)
    tale.do(jobs.retry, job.id)
    tale.live(job, "c")
    assert tale.told(change, job) == expected
    assert tale.judged(change, job).refused == refused


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change(), ("cancelled", 1, 30, 60)),
        (Change(retry_base_secs=100), ("cancelled", 1, 30, 100)),
        (Change(retry_base_secs=10), ("unknown", 1, None, 10)),
        (Change(max_retries=0), ("deadletter", 1, 7, 0)),
    ],
)
def test_a_job_that_was_cancelled_while_it_waited(
    change: Change, expected: tuple[str, int, float | None, float]
) -> None:
    tale = Tale()
    job = tale.create()
    tale.live(job, "f")
    tale.tick(23)
    tale.do(jobs.cancel, job.id)
    assert tale.told(change, job) == expected


@pytest.mark.parametrize(
    ("parents", "change", "parent", "child"),
    [
        ("fc", Change(), "completed", ("completed", 1, 81)),
        ("fc", Change(retry_base_secs=10), "completed", ("completed", 1, 31)),
        ("fc", Change(max_retries=0), "deadletter", ("cancelled", 0, 7)),
        ("ffff", Change(), "deadletter", ("cancelled", 0, 448)),
        ("ffff", Change(max_retries=9), "unknown", ("unknown", 0, None)),
        ("ffff", Change(max_retries=0), "deadletter", ("cancelled", 0, 7)),
    ],
)
def test_a_child_fares_as_its_parent_lets_it(
    parents: str, change: Change, parent: str, child: tuple[str, int, float | None]
) -> None:
    tale = Tale()
    first = tale.create()
    second = tale.create(a_job("video", parent_job_id=first.id))
    tale.live(first, parents)
    if second.status is not Status.CANCELLED:
        tale.live(second, "c")
    assert tale.told(change, first)[0] == parent
    assert tale.told(change, second)[:3] == child
    in_mail = compared(tale.records(), change, "mail")
    differs = in_mail[first.id].recorded != in_mail[first.id].what_if
    assert (second.id in in_mail) == differs
    in_video = compared(tale.records(), change, "video")
    assert list(in_video) == [second.id]
    assert in_video[second.id].what_if.outcome.value in {"completed", "cancelled"}


@pytest.mark.parametrize("later", [False, True])
def test_a_child_that_comes_later_meets_the_parent_of_the_other_history(later: bool) -> None:
    tale = Tale()
    parent = tale.create()
    tale.live(parent, "fc")
    if later:  # once the parent has been judged
        tale.live(tale.create(a_job("sms")), "c")
    child = tale.create(a_job("video", parent_job_id=parent.id))
    tale.live(child, "c")
    assert tale.told(Change(), child)[0] == "completed"
    assert tale.told(Change(max_retries=0), child)[0] == "cancelled"
    late = tale.judged(Change(retry_base_secs=1000), child).what_if
    assert late.outcome is Outcome.COMPLETED
    assert late.ended_at == START_US + (7 + 1000 + 5 + 2 + 5 + 2) * SECOND_US


def test_children_that_come_late_are_lived_again_without_their_brothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    lived_again = Rerun.fates

    def counted(self: Rerun) -> Any:
        sizes.append(len(self._runs))
        return lived_again(self)

    monkeypatch.setattr(Rerun, "fates", counted)
    tale = Tale()
    parent = tale.create()
    tale.live(parent, "fc")
    late = [tale.create(a_job("video", parent_job_id=parent.id)) for _ in range(5)]
    for child in late:
        tale.live(child, "c")
    grandchild = tale.create(a_job("sms", parent_job_id=late[0].id))
    tale.live(grandchild, "c")
    found = compared(tale.records(), Change(max_retries=0))
    assert {found[child.id].what_if.outcome for child in late} == {Outcome.CANCELLED}
    assert found[grandchild.id].what_if.outcome is Outcome.CANCELLED
    assert sizes == [1, 2, 2, 2, 2, 2, 3]


def test_what_a_late_server_found_due_at_once_is_as_it_found_it() -> None:
    """The lease of the parent ran out, then the child expired: the server came to both at 60 s."""
    tale = Tale()
    parent = tale.create(max_retries=0)
    tale.claim(lease_duration_secs=30)
    expires_at = EPOCH + timedelta(microseconds=START_US + 31 * SECOND_US)
    child = tale.create(a_job("video", parent_job_id=parent.id, expires_at=expires_at))
    tale.tick(60)
    for job, expected in ((parent, ("deadletter", 1, 60, 0)), (child, ("cancelled", 0, 60, 0))):
        assert tale.told(Change(), job) == expected
        judged = tale.judged(Change(), job)
        assert judged.what_if == judged.recorded


def test_what_the_queue_has_of_its_own_holds_where_it_is_not_asked_about() -> None:
    tale = Tale()
    tale.do(queues.configure, "mail", QueueConfig(settings=Raw(b'{"retry_base_secs":5}')))
    job = tale.create(max_retries=1)
    tale.live(job, "ff")
    assert tale.told(Change(), job) == ("deadletter", 2, 19, 5)
    assert tale.told(Change(max_retries=2), job) == ("unknown", 2, None, 15)
    assert tale.told(Change(retry_cap_secs=3), job) == ("deadletter", 2, 17, 3)
    assert tale.told(Change(retry_base_secs=1), job) == ("deadletter", 2, 15, 1)


def test_jobs_from_before_are_not_considered() -> None:
    tale = Tale()
    old = tale.create()
    start = tale.state.position
    state = tale.replayed()
    job = tale.create(a_job("video"))
    tale.live(old, "f")
    tale.live(job, "c")
    comparison = Comparison(Change(max_retries=0), None, state)
    judged = [one for record in tale.records()[start:] for one in comparison.take(record)]
    assert [one.job for one in [*judged, *comparison.rest()]] == [job.id]


def test_every_event_of_a_job_is_understood() -> None:
    assert {*lives._HANDLERS, JobCreated} == {*get_args(JobEvent)}


def test_what_an_undo_changed_is_left_as_recorded() -> None:
    tale = Tale()
    job = tale.create(priority=1)
    tale.live(job, "f")
    tale.do(jobs.set_priority, job.id, 9)
    undo(tale, tale.state.position)
    tale.live(job, "c")
    other = tale.create()
    tale.live(other, "fc")
    judged = tale.judged(Change(max_retries=0), job)
    assert (judged.odd, judged.recorded.outcome) == (True, Outcome.COMPLETED)
    assert judged.what_if == judged.recorded
    assert tale.told(Change(max_retries=0), other)[0] == "deadletter"


@pytest.mark.parametrize("deleted", [False, True])
def test_a_job_that_came_back_is_told_as_it_had_ended(deleted: bool) -> None:
    tale = Tale()
    job = tale.create()
    tale.live(job, "f")
    if deleted:
        tale.delete_queue("mail")
    else:
        tale.do(jobs.cancel, job.id)
    ended = tale.judged(Change(), job)
    start, state = tale.state.position, tale.replayed()
    undo(tale, start)
    tale.live(tale.job(job.id), "c")
    comparison = Comparison(Change())
    assert compared_by(comparison, tale.records()) == {job.id: ended}
    assert comparison.came_back == {job.id}
    later = Comparison(Change(), None, state)
    assert compared_by(later, tale.records()[start:]) == {}
    assert later.came_back == set()


@pytest.mark.parametrize("back", [False, True])
def test_what_a_queue_had_of_its_own_goes_and_comes_with_it(back: bool) -> None:
    tale = Tale()
    own = QueueConfig(settings=Raw(b'{"retry_base_secs":5}'))
    tale.do(queues.configure, "mail", own)
    tale.delete_queue("mail", delete_jobs=False)
    if back:
        undo(tale, tale.state.position)
    job = tale.create(max_retries=1)
    tale.live(job, "f")
    asked = Change(retry_cap_secs=1000)
    assert tale.judged(asked, job).what_if.backoff_us == (5 if back else 60) * SECOND_US


def test_jobs_that_were_deleted_with_their_queue_are_deleted() -> None:
    tale = Tale()
    failed = tale.create()
    tale.live(failed, "f")
    waiting = tale.create()
    tale.delete_queue("mail")
    for job in (waiting, failed):
        judged = compared(tale.records(), Change(), kind=Thorough)[job.id]
        assert (judged.what_if.outcome, judged.refused) == (Outcome.DELETED, 0)
        assert judged.what_if == judged.recorded


def test_many_jobs_are_added_up() -> None:
    tale = Tale()
    for attempts in ("c", "fc", "fc", "ffc", "ffff"):
        tale.live(tale.create(), attempts)
    report = Report(limit=1)
    for one in compared(tale.records(), Change(max_retries=1)).values():
        report.add(one)
    total = report.total
    assert list(report.queues) == ["mail"]
    assert (total.jobs, total.differing, total.refused, total.left_out) == (5, 2, 0, 0)
    assert total.moves == {(Outcome.COMPLETED, Outcome.DEADLETTER): 1}
    assert total.recorded.outcomes == {Outcome.COMPLETED: 4, Outcome.DEADLETTER: 1}
    assert total.what_if.outcomes == {Outcome.COMPLETED: 3, Outcome.DEADLETTER: 2}
    assert (total.recorded.attempts, total.what_if.attempts) == (12, 9)
    assert [us / SECOND_US for us in (total.recorded.backoff_us, total.what_if.backoff_us)] == [
        60 + 60 + 180 + 420,
        4 * 60,
    ]
    assert sorted(us // SECOND_US for us in total.recorded.durations) == [7, 74, 74, 201, 448]
    assert total.recorded.percentiles() == {
        50: 74 * SECOND_US,
        90: 448 * SECOND_US,
        99: 448 * SECOND_US,
    }
    assert total.what_if.percentiles() == dict.fromkeys((50, 90, 99), 74 * SECOND_US)
    assert [one.what_if.outcome for one in report.listed] == [Outcome.DEADLETTER]
    assert Report(0).total.recorded.percentiles() is None
