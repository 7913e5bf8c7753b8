"""Jobs that wait for a parent: let go, cancelled with it, all the way down."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import Raw

from projections import bounds
from projections.decide import actions, claims, jobs, queues, settlements
from projections.decide.actions import Action
from projections.decide.dependants import PARENT_DELETED, PARENT_FAILED
from projections.entities import Job
from projections.errors import Invalid
from projections.lifecycle import Status
from projections.moments import EPOCH
from projections.specs import (
    BulkCompletion,
    BulkCompletionItem,
    Cancellation,
    JobFilter,
    Verb,
)
from tests.build import Bench, a_caller, a_job
from tools.indexes import differences


def child_of(bench: Bench, parent: Job, **fields: Any) -> Job:
    return bench.create(a_job(parent_job_id=parent.id, **fields))


def act(bench: Bench, verb: Verb, *chosen: Job) -> list[str]:
    action = Action(verb, JobFilter(), Raw(b"{}"))
    applied = bench.do(actions.apply, action, "a1", [job.id for job in chosen])
    ids: list[str] = applied.job_ids
    return ids


def delete_mail(state: Any, ctx: Any) -> Any:
    return queues.delete(state, ctx, "mail", delete_jobs=True, jobs_max=100, action_id="deletion-1")


def test_a_child_is_claimed_only_after_its_parent_was_completed() -> None:
    bench = Bench()
    parent = bench.create(a_job(priority=-5))
    child = child_of(bench, parent)
    assert child.blocked
    assert bench.claim(limit=5) == [parent]
    assert bench.claim() == []
    bench.complete(parent)
    assert not child.blocked
    assert bench.claim() == [child]


def test_completion_and_release_are_one_record() -> None:
    bench = Bench()
    parent = bench.create()
    children = [child_of(bench, parent) for _ in range(3)]
    bench.claim()
    records = len(bench.bodies)
    bench.complete(parent)
    assert len(bench.bodies) == records + 1
    assert [child.trail for child in children] == [bench.state.position] * 3


def test_a_child_of_a_completed_or_unknown_parent_does_not_wait() -> None:
    bench = Bench()
    parent = bench.create()
    bench.claim()
    bench.complete(parent)
    assert not child_of(bench, parent).blocked
    assert not bench.create(a_job(parent_job_id="nobody")).blocked


def test_a_parent_that_the_key_does_not_cover_is_unknown_to_it() -> None:
    bench = Bench()
    parent = bench.create(a_job("secret"))
    limited = a_caller(queues=frozenset({"mail"}))
    made = bench.do(jobs.create, a_job(parent_job_id=parent.id), caller=limited)
    assert not bench.job(made.job_id).blocked


def test_a_child_of_a_dead_parent_is_cancelled_at_once() -> None:
    bench = Bench()
    parent = bench.create(a_job(max_retries=0))
    bench.claim()
    bench.fail(parent)
    child = child_of(bench, parent)
    assert (child.status, child.last_error) == (Status.CANCELLED, PARENT_FAILED)


def test_a_child_with_a_time_waits_for_both() -> None:
    bench = Bench()
    parent = bench.create()
    bench.claim()
    when = EPOCH + timedelta(microseconds=bench.clock() + 60_000_000)
    child = child_of(bench, parent, scheduled_at=when)
    bench.complete(parent)
    assert (child.status, child.blocked, child.due_at is None) == (Status.SCHEDULED, False, False)
    bench.tick(60)
    assert bench.claim() == [child]
    other = bench.create()
    late = child_of(bench, other, scheduled_at=EPOCH + timedelta(microseconds=bench.clock() + 1))
    bench.tick(1)
    assert (late.status, late.blocked) == (Status.PENDING, True)
    assert late not in bench.claim(limit=9)


def ends(bench: Bench, parent: Job, how: str) -> None:
    match how:
        case "cancelled":
            bench.do(jobs.cancel, parent.id)
        case "dead-lettered":
            bench.claim()
            bench.fail(parent)
        case "lease ran out":
            bench.claim()
            bench.tick(31)
        case "stopped, then failed":
            bench.claim()
            bench.do(jobs.stop, parent.id, Cancellation())
            bench.fail(parent)
        case "stopped, then taken back":
            bench.claim()
            bench.do(jobs.stop, parent.id, Cancellation())
            bench.do(settlements.release, ((parent.id, str(parent.lease)),))
        case "expired":
            bench.tick(60)
        case "deleted":
            bench.do(delete_mail)


@pytest.mark.parametrize(
    "how",
    [
        "cancelled",
        "dead-lettered",
        "lease ran out",
        "stopped, then failed",
        "stopped, then taken back",
        "expired",
        "deleted",
    ],
)
def test_what_waits_is_cancelled_all_the_way_down(how: str) -> None:
    bench = Bench()
    moment = EPOCH + timedelta(microseconds=bench.clock() + 50_000_000)
    parent = bench.create(a_job(max_retries=0, expires_at=moment if how == "expired" else None))
    child = bench.create(a_job("other", parent_job_id=parent.id))
    grandchild = bench.create(a_job("other", parent_job_id=child.id))
    ends(bench, parent, how)
    error = PARENT_DELETED if how == "deleted" else PARENT_FAILED
    for job in (child, grandchild):
        assert (job.status, job.last_error, job.completed_at) == (
            Status.CANCELLED,
            error,
            bench.clock(),
        )
    assert bench.state.dependants == {}
    assert differences(bench.state) == []


def test_a_retried_parent_lets_nobody_wait_again() -> None:
    bench = Bench()
    parent = bench.create(a_job(max_retries=1))
    child = child_of(bench, parent)
    bench.claim()
    bench.fail(parent)
    assert child.status is Status.PENDING
    bench.tick(60)
    bench.claim()
    bench.fail(parent)
    assert child.status is Status.CANCELLED
    bench.do(jobs.retry, parent.id)
    assert child.status is Status.CANCELLED


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.PURGE])
def test_a_family_in_one_action(verb: Verb, order: tuple[int, ...]) -> None:
    bench = Bench()
    parent = bench.create()
    child = child_of(bench, parent)
    family = [parent, child, child_of(bench, child)]
    chosen = [family[place] for place in order]
    if verb is Verb.PURGE:
        bench.do(jobs.cancel, parent.id)
    assert act(bench, verb, *chosen) == [job.id for job in chosen]
    if verb is Verb.CANCEL:
        assert {job.status for job in family} == {Status.CANCELLED}
    else:
        assert bench.state.tables.jobs == {}
    assert differences(bench.state) == []


def test_a_family_in_one_queue_that_is_deleted() -> None:
    bench = Bench()
    parent = bench.create()
    child = child_of(bench, parent)
    child_of(bench, child)
    bench.do(delete_mail)
    assert bench.state.tables.jobs == {}
    assert bench.state.queue("default", "mail") is None


def test_a_family_whose_times_come_together() -> None:
    bench = Bench()
    soon = EPOCH + timedelta(microseconds=bench.clock() + 10_000_000)
    parent = bench.create(a_job(expires_at=soon))
    child_of(bench, parent, expires_at=soon)
    child_of(bench, parent, scheduled_at=soon)
    child_of(bench, parent, scheduled_at=soon - timedelta(seconds=1))
    while bench.tick(10):
        pass
    assert {job.status for job in bench.state.tables.jobs.values()} == {Status.CANCELLED}
    assert differences(bench.state) == []


def test_bulk_completion_lets_go_of_the_children_of_each() -> None:
    bench = Bench()
    parents = [bench.create(), bench.create()]
    children = [child_of(bench, parent) for parent in parents]
    bench.claim(limit=2)
    items = [BulkCompletionItem(job_id=job.id) for job in parents]
    bench.do(settlements.complete_bulk, BulkCompletion(worker_id="w1", jobs=items))
    assert [child.blocked for child in children] == [False, False]


def test_so_many_may_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "CHILDREN_WAITING_MAX", 2)
    bench = Bench()
    parent = bench.create()
    children = [child_of(bench, parent), child_of(bench, parent)]
    records = len(bench.bodies)
    with pytest.raises(Invalid, match="parent_job_id"):
        child_of(bench, parent)
    assert len(bench.bodies) == records
    bench.do(jobs.cancel, children[0].id)
    assert child_of(bench, parent).blocked


def test_replay_agrees() -> None:
    bench = Bench()
    parent = bench.create()
    child_of(bench, parent)
    bench.claim()
    bench.complete(parent)
    bench.do(claims.claim, claims.Claim(queue_name="mail", worker_id="w"))
    assert differences(bench.replayed()) == []
