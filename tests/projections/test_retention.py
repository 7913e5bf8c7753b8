"""Which finished jobs leave the state, in which order, and what they leave behind."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from projections.decide import Policy, jobs, queues
from projections.decide.retention import next_retirement, retire
from projections.digest import digest
from projections.entities import Job
from projections.events import JobRetired, Record, Undecodable
from projections.fold import refold
from projections.lifecycle import FINISHED, Status
from projections.queries.stats import queue_stats
from projections.snapshot import dump, load
from projections.state import State
from tests.build import Bench, a_caller, a_job
from tests.projections.test_lifecycle import REACHABLE, job_in
from tools.indexes import differences

SECOND_US = 1_000_000


def keeping(secs: int | None = None, jobs_max: int = 1_000) -> Bench:
    keep_us = None if secs is None else secs * SECOND_US
    return Bench(Policy(keep_finished_us=keep_us, keep_finished_jobs=jobs_max))


def finished(bench: Bench, count: int, every_secs: float = 1) -> list[Job]:
    """Finish jobs one after the other, by turns completed and cancelled."""
    made: list[Job] = []
    for number in range(count):
        bench.clock.advance(every_secs)
        job = bench.create()
        if number % 2:
            bench.do(jobs.cancel, job.id)
        else:
            bench.complete(*bench.claim())
        made.append(job)
    return made


def left(bench: Bench) -> list[str]:
    return list(bench.state.tables.jobs)


@pytest.mark.parametrize(
    ("keep_secs", "jobs_max", "wait_secs", "limit", "gone"),
    [
        (None, 10, 10**9, 500, 0),
        (60, 10, 50, 500, 0),
        (60, 10, 54.999999, 500, 0),
        (60, 10, 55, 500, 1),
        (60, 10, 57.5, 500, 3),
        (60, 10, 1_000, 500, 6),
        (60, 10, 1_000, 4, 4),
        (0, 10, 0, 500, 6),
        (None, 6, 0, 500, 0),
        (None, 5, 0, 500, 1),
        (None, 0, 0, 500, 6),
        (None, 0, 0, 2, 2),
        (60, 4, 57, 500, 3),
        (60, 2, 57, 500, 4),
    ],
)
def test_what_is_over_age_or_over_the_count_goes_oldest_first(
    keep_secs: int | None, jobs_max: int, wait_secs: float, limit: int, gone: int
) -> None:
    bench = keeping(keep_secs, jobs_max)
    made = finished(bench, 6)
    bench.clock.advance(wait_secs)
    records = len(bench.bodies)
    assert bench.retire(limit) == gone
    assert left(bench) == [job.id for job in made[gone:]]
    assert len(bench.bodies) == records + bool(gone)
    retired = [event for event in bench.events if isinstance(event, JobRetired)]
    assert retired == [JobRetired(job=job.id, prev=job.trail) for job in made[:gone]]
    assert digest(bench.replayed()) == digest(bench.state)
    assert differences(bench.state) == []


def test_the_order_is_that_of_the_end_not_of_creation() -> None:
    bench = keeping(jobs_max=0)
    made = [bench.create(a_job(priority=-number)) for number in range(4)]
    for number in (2, 0, 3, 1):
        bench.clock.advance(1)
        bench.do(jobs.cancel, made[number].id)
    for number in (2, 0, 3, 1):
        bench.retire(1)
        assert made[number].id not in left(bench)
    assert left(bench) == []


@pytest.mark.parametrize("status", REACHABLE)
def test_only_completed_and_cancelled_jobs_ever_leave(status: Status) -> None:
    bench = keeping(0, 0)
    job = job_in(bench, status)
    bench.clock.advance(10**8)
    assert bench.retire() == (status in FINISHED)
    assert (job.id in left(bench)) == (status not in FINISHED)


@pytest.mark.parametrize("status", sorted(set(REACHABLE) - FINISHED))
def test_a_log_that_retires_any_other_job_is_not_ours(status: Status) -> None:
    bench = keeping()
    job = job_in(bench, status)
    event = JobRetired(job=job.id, prev=job.trail)
    record = Record(bench.state.position + 1, bench.clock(), "system", "", (event,))
    with pytest.raises(Undecodable, match="IllegalMove"):
        refold(bench.replayed(), record)


def test_an_idempotency_key_is_free_again() -> None:
    bench = keeping(60)
    first = bench.create(a_job(idempotency_key="once"))
    bench.complete(*bench.claim())
    bench.clock.advance(59)
    bench.retire()
    assert bench.do(jobs.create, a_job(idempotency_key="once")).job_id == first.id
    bench.clock.advance(1)
    bench.retire()
    again = bench.do(jobs.create, a_job(idempotency_key="once"))
    assert again.new
    assert again.job_id != first.id
    bench.complete(*bench.claim())
    bench.clock.advance(60)
    assert bench.retire() == 1
    assert bench.state.idempotency == {}


def test_the_count_is_over_all_organizations() -> None:
    bench = keeping(jobs_max=3)
    finished(bench, 2)
    for _ in range(2):
        bench.clock.advance(1)
        made = bench.do(jobs.create, a_job(), caller=a_caller("other"))
        bench.do(jobs.cancel, made.job_id, caller=a_caller("other"))
    assert bench.retire() == 1
    bench.policy = replace(bench.policy, keep_finished_jobs=0)
    assert bench.retire() == 3
    assert [event.org for event in bench.events[-3:]] == ["default", "other", "other"]
    assert left(bench) == []


@pytest.mark.parametrize("completed", [True, False])
def test_children_do_not_notice(completed: bool) -> None:
    """They were let go, or cancelled, when their parent ended; later ones wait for nobody."""
    bench = keeping(0)
    parent = bench.create()
    child, late = (bench.create(a_job(parent_job_id=parent.id)) for _ in range(2))
    if completed:
        bench.complete(*bench.claim())
    else:
        bench.do(jobs.cancel, parent.id)
    bench.retire()
    assert bench.state.job("default", parent.id) is None
    assert bench.state.dependants == {}
    later = bench.create(a_job(parent_job_id=parent.id))
    claimed = {job.id for job in bench.claim(limit=9)}
    assert claimed == {later.id} | ({child.id, late.id} if completed else set())
    assert differences(bench.state) == []


def test_next_retirement_is_the_moment_of_the_oldest() -> None:
    bench = keeping(60)
    assert next_retirement(bench.state, bench.policy) is None
    first, *_ = finished(bench, 3, every_secs=10)
    assert first.completed_at is not None
    assert next_retirement(bench.state, bench.policy) == first.completed_at + 60 * SECOND_US
    over = replace(bench.policy, keep_finished_jobs=2)
    assert (next_retirement(bench.state, over) or 0) <= bench.clock()
    for_ever = replace(bench.policy, keep_finished_us=None)
    assert next_retirement(bench.state, for_ever) is None


def test_nothing_is_decided_when_nothing_is_old_enough() -> None:
    bench = keeping(60, 3)
    finished(bench, 3)
    decision = retire(bench.state, bench.context(), 500)
    assert (decision.events, decision.answer) == ((), 0)


def test_a_queue_that_is_gone_leaves_nothing_behind_with_its_last_job() -> None:
    bench = keeping(60)
    finished(bench, 3)
    bench.do(
        lambda state, ctx: queues.delete(
            state, ctx, "mail", delete_jobs=False, jobs_max=9, action_id="deletion-1"
        )
    )
    assert len(bench.state.shelves["default"]) == 1
    bench.clock.advance(100)
    assert bench.retire() == 3
    assert bench.state.shelves["default"] == {}
    assert digest(bench.replayed()) == digest(bench.state)


@pytest.mark.parametrize(("keep_secs", "completed"), [(86_400, 3), (3_600, 1)])
def test_figures_cover_the_jobs_that_are_kept(keep_secs: int, completed: int) -> None:
    bench = keeping(keep_secs)
    for _ in range(3):
        bench.clock.advance(3_600)
        bench.create()
        bench.complete(*bench.claim())
    bench.retire()
    stats = queue_stats(bench.state, "default", "mail", bench.clock())
    assert stats.completed_24h == completed
    assert stats.pending_jobs == 0
    assert differences(bench.state) == []


def test_default_policy_keeps_what_figures_of_a_day_count() -> None:
    assert (Policy().keep_finished_us or 0) > 86_400 * SECOND_US


def test_a_snapshot_knows_what_is_finished() -> None:
    bench = keeping(60)
    finished(bench, 5)
    loaded = State(load(dump(bench.state.tables)))
    assert list(loaded.finished.in_order()) == list(bench.state.finished.in_order())
    assert differences(loaded) == []


def test_purged_and_deleted_jobs_are_not_retired_again() -> None:
    bench = keeping(0)
    made = finished(bench, 3)
    bench.create(a_job(tags=Raw(b'["red"]')))

    def delete(state: Any, ctx: Any) -> Any:
        return queues.delete(
            state, ctx, "mail", delete_jobs=True, jobs_max=10, action_id="deletion-1"
        )

    bench.do(delete)
    assert len(bench.state.finished) == 0
    assert bench.retire() == 0
    assert made[0].id not in left(bench)
