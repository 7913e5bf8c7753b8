"""Every kind of record that can be taken back, everything that stands in the way, and back again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import Raw, structs
from msgspec.json import encode

from projections import bounds
from projections.decide import Policy, actions, claims, jobs, queues, settlements, workers
from projections.decide.actions import Action
from projections.decide.undo import Undoing, take_back
from projections.digest import digest
from projections.entities import Job, Queue
from projections.events import JobRestored
from projections.lifecycle import Status
from projections.moments import EPOCH
from projections.specs import (
    Cancellation,
    Extension,
    JobFilter,
    NewWorker,
    Pause,
    QueueConfig,
    Verb,
)
from projections.undoing import objection, words
from tests.build import Bench, a_job
from tests.projections.undoes import CHANGED, rehearsed, subjects_of, undo
from tools.indexes import differences

Story = Callable[[Bench], None]


def act(bench: Bench, verb: Verb, *ids: str, **fields: Any) -> None:
    action = Action(verb, JobFilter(), Raw(b"{}"), **fields)
    bench.do(actions.apply, action, bench.new_id(), list(ids))


def delete_queue(
    bench: Bench, queue: str = "mail", *, with_jobs: bool = True, many: int = 100
) -> None:
    action_id, first, gone = bench.new_id(), bench.state.position + 1, False
    while not gone:
        gone = bench.do(
            lambda state, ctx: queues.delete(
                state,
                ctx,
                queue,
                delete_jobs=with_jobs,
                jobs_max=many,
                action_id=action_id,
                first=first,
            )
        )


def dead(bench: Bench, **fields: Any) -> Job:
    job = bench.create(a_job(max_retries=0, **fields))
    bench.claim(limit=100)
    bench.fail(job)
    return job


def in_secs(bench: Bench, secs: int) -> Any:
    return EPOCH + timedelta(microseconds=bench.clock() + secs * 10**6)


def rich(bench: Bench) -> Job:
    """Make a job with something in every field that a request may set."""
    return bench.create(
        a_job(
            priority=7,
            max_retries=2,
            timeout_seconds=9,
            scheduled_at=in_secs(bench, 500),
            expires_at=in_secs(bench, 900),
            idempotency_key="order-1",
            tags=Raw(b'["red",{"n":1}]'),
            completion_webhook="https://example.com/h",
            completion_webhook_secret="hush",
        )
    )


# -- every kind: what is done, after which story


def cancelled_scheduled(bench: Bench) -> None:
    bench.do(jobs.cancel, rich(bench).id)


def cancelled_in_backoff(bench: Bench) -> None:
    job = bench.create(a_job(max_retries=3))
    bench.claim()
    bench.fail(job)
    bench.do(jobs.stop, job.id, Cancellation(reason="enough"))


def cancelled_with_its_children(bench: Bench) -> None:
    parent = bench.create()
    child = bench.create(a_job(parent_job_id=parent.id))
    bench.create(a_job(parent_job_id=child.id))
    bench.do(jobs.cancel, parent.id)


def asked_to_stop(bench: Bench) -> None:
    job = bench.create()
    bench.claim()
    bench.do(jobs.stop, job.id, Cancellation(reason="enough"))


def retried(bench: Bench) -> None:
    bench.do(jobs.retry, dead(bench).id)


def reprioritised(bench: Bench) -> None:
    bench.do(jobs.set_priority, rich(bench).id, 50)


def all_cancelled(bench: Bench) -> None:
    ids = [bench.create().id for _ in range(3)]
    bench.claim()
    act(bench, Verb.CANCEL, *ids)


def all_retried(bench: Bench) -> None:
    act(bench, Verb.RETRY, dead(bench).id, dead(bench).id)


def all_reprioritised(bench: Bench) -> None:
    act(bench, Verb.SET_PRIORITY, bench.create().id, rich(bench).id, priority=3)


def dead_purged(bench: Bench) -> None:
    act(bench, Verb.PURGE, dead(bench, idempotency_key="k", tags=Raw(b'["x"]')).id, dead(bench).id)


def finished_purged(bench: Bench) -> None:
    done, stopped = bench.create(), rich(bench)
    bench.claim()
    bench.complete(done, result=Raw(b'{"n":2.50}'))
    bench.do(jobs.cancel, stopped.id)
    act(bench, Verb.PURGE, done.id, stopped.id)


def configured(bench: Bench) -> None:
    bench.do(queues.configure, "mail", QueueConfig(rate_limit=5, settings=Raw(b'{"a":1.50}')))
    bench.clock.advance(1)
    limits = Raw(b'{"retry_base_secs":7,"concurrency_limit":3}')
    bench.do(queues.configure, "mail", QueueConfig(rate_limit=None, settings=limits, enabled=False))


def configured_for_the_first_time(bench: Bench) -> None:
    bench.create()
    bench.do(queues.configure, "mail", QueueConfig(max_retries=9))


def configured_into_being(bench: Bench) -> None:
    bench.do(queues.configure, "mail", QueueConfig(enabled=False))


def paused(bench: Bench) -> None:
    bench.create()
    bench.do(queues.pause, "mail", Pause(reason="lunch"))


def paused_again(bench: Bench) -> None:
    paused(bench)
    bench.clock.advance(9)
    bench.do(queues.pause, "mail", Pause(reason="dinner"))


def resumed(bench: Bench) -> None:
    paused(bench)
    bench.clock.advance(9)
    bench.do(queues.resume, "mail")


def queue_deleted(bench: Bench) -> None:
    configured(bench)
    rich(bench)
    delete_queue(bench, with_jobs=False)


def queue_deleted_with_jobs_of_every_status(bench: Bench) -> None:
    configured(bench)
    bench.do(queues.resume, "mail")
    done, stopped = bench.create(), bench.create()
    assert bench.claim() == [done]
    bench.complete(done)
    bench.do(jobs.cancel, stopped.id)
    dead(bench)
    running = bench.create()
    assert bench.claim() == [running]
    cancelled_with_its_children(bench)
    rich(bench)
    waits = bench.create()
    bench.create(a_job(parent_job_id=waits.id))
    delete_queue(bench)


def queue_deleted_in_parts(bench: Bench) -> None:
    """The child goes first, with the last of the parts a job that waits for its time: its parent."""
    parent = bench.create(a_job(scheduled_at=in_secs(bench, 50)))
    for _ in range(5):
        bench.create(a_job(parent_job_id=parent.id))
    bench.create()
    delete_queue(bench, many=2)


def purged_in_parts_and_cancelled_in_between(bench: Bench) -> None:
    """A deletion cancels the child, which a later part of the action deletes as well."""
    parent, child = bench.create(), bench.create(a_job("other"))
    bench.do(jobs.cancel, child.id)
    child = bench.create(a_job(parent_job_id=parent.id))
    delete_queue(bench, many=1)


KINDS: dict[str, Story] = {
    "jobs cancelled": cancelled_scheduled,
    "jobs cancelled, in backoff": cancelled_in_backoff,
    "jobs cancelled, children": cancelled_with_its_children,
    "workers asked to stop": asked_to_stop,
    "dead letters sent back": retried,
    "priority changed": reprioritised,
    "jobs cancelled, bulk": all_cancelled,
    "dead letters sent back, bulk": all_retried,
    "priority changed, bulk": all_reprioritised,
    "jobs purged": dead_purged,
    "jobs purged, finished": finished_purged,
    "queue configured": configured,
    "queue configured, first time": configured_for_the_first_time,
    "queue configured, created": configured_into_being,
    "queue paused": paused,
    "queue paused, again": paused_again,
    "queue resumed": resumed,
    "queue deleted": queue_deleted,
    "queue deleted with its jobs": queue_deleted_with_jobs_of_every_status,
    "queue deleted with its jobs, in parts": queue_deleted_in_parts,
    "queue deleted with its jobs, twice": purged_in_parts_and_cancelled_in_between,
}


def told(bench: Bench) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell all that there is, but for what an undo leaves its mark on."""
    marks = dict.fromkeys(CHANGED, 0)
    charged = {"updated_at": 0, "last_claimed_at": None, "paid_until_ns": 0}
    found: dict[str, Queue] = bench.state.tables.queues.get("default", {})
    return (
        {job.id: structs.replace(job, **marks) for job in bench.state.tables.jobs.values()},
        {name: structs.replace(queue, **charged) for name, queue in found.items()},
    )


def state_before(bench: Bench, position: int) -> tuple[dict[str, Any], dict[str, Any]]:
    past = Bench()
    past.state = bench.replayed(position - 1)
    return told(past)


def first_of_last_action(bench: Bench) -> int:
    found: Any = bench.records()[-1].events[0]
    return getattr(found, "first", bench.state.position)


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_back_and_forth_and_back(kind: str) -> None:
    bench = Bench()
    KINDS[kind](bench)
    done_at, first = bench.state.position, first_of_last_action(bench)
    assert words(bench.records()[-1], "default") == kind.partition(",")[0]
    before, after = state_before(bench, first), told(bench)
    assert before != after
    for expected in (before, after, before, after):
        position = bench.state.position
        footprint = digest(bench.state)
        foreseen = rehearsed(bench, position)
        assert (digest(bench.state), bench.state.position) == (footprint, position)
        bench.clock.advance(1)
        taken = undo(bench, position)
        assert taken == foreseen
        assert taken[0]
        assert taken[1] == {}
        assert told(bench) == expected
        assert differences(bench.state) == []
    assert digest(bench.replayed()) == digest(bench.state)
    # What was taken back already, by now to and fro, does not go back once more.
    assert rehearsed(bench, done_at)[0] == []


# -- what stands in the way


def claimed_since(bench: Bench) -> None:
    reprioritised_job = bench.create()
    bench.do(jobs.set_priority, reprioritised_job.id, 5)
    bench.claim()


def completed_since(bench: Bench) -> None:
    retried(bench)
    bench.complete(bench.claim()[0])


def told_since(bench: Bench) -> None:
    asked_to_stop(bench)
    (job,) = bench.state.tables.jobs.values()
    bench.do(claims.extend, job.id, Extension(worker_id="w1"))


def retired_since(bench: Bench) -> None:
    bench.policy = Policy(keep_finished_us=10**6)
    bench.do(jobs.cancel, bench.create().id)
    bench.clock.advance(1)
    assert bench.retire() == 1


def key_taken_since(bench: Bench) -> None:
    act(bench, Verb.PURGE, dead(bench, idempotency_key="k").id)
    bench.create(a_job(idempotency_key="k"))


def queue_gone_since(bench: Bench) -> None:
    bench.do(jobs.cancel, bench.create().id)
    delete_queue(bench, with_jobs=False)


def parent_gone_since(bench: Bench) -> None:
    parent = bench.create()
    child = bench.create(a_job(parent_job_id=parent.id))
    bench.do(jobs.cancel, child.id)
    bench.do(jobs.cancel, parent.id)
    act(bench, Verb.PURGE, parent.id)


def parent_ended_since(bench: Bench) -> None:
    parent = bench.create()
    child = bench.create(a_job(parent_job_id=parent.id))
    bench.do(jobs.cancel, child.id)
    bench.do(jobs.cancel, parent.id)


def child_waits_since(bench: Bench) -> None:
    job = dead(bench)
    bench.do(jobs.retry, job.id)
    bench.create(a_job(parent_job_id=job.id))


def start_missed_since(bench: Bench) -> None:
    job = bench.create(a_job(expires_at=in_secs(bench, 5)))
    bench.do(jobs.cancel, job.id)
    bench.clock.advance(5)


def too_old_since(bench: Bench) -> None:
    bench.policy = Policy(keep_finished_us=10**6)
    job = bench.create()
    bench.do(jobs.cancel, job.id)
    act(bench, Verb.PURGE, job.id)
    bench.clock.advance(1)


def restored_since(bench: Bench) -> None:
    dead_purged(bench)
    undo(bench, bench.state.position)
    act(bench, Verb.PURGE, *bench.state.tables.jobs)


def reconfigured_since(bench: Bench) -> None:
    configured(bench)
    bench.clock.advance(1)
    bench.do(queues.configure, "mail", QueueConfig(max_retries=2))


def queue_deleted_since(bench: Bench) -> None:
    paused(bench)
    bench.do(queues.resume, "mail")
    bench.claim()
    bench.complete(next(iter(bench.state.tables.jobs.values())))
    bench.do(queues.pause, "mail", Pause())
    delete_queue(bench, with_jobs=False)


def queue_back_since(bench: Bench) -> None:
    queue_deleted(bench)
    bench.create()


def queue_back_and_gone_since(bench: Bench) -> None:
    queue_deleted(bench)
    bench.do(queues.configure, "mail", QueueConfig())
    delete_queue(bench, with_jobs=False)


def queue_in_use_since(bench: Bench) -> None:
    configured_into_being(bench)
    bench.create()


BLOCKED: list[tuple[Story, str, str]] = [
    (claimed_since, "job.priority_changed", "claimed since, at 3"),
    (completed_since, "job.retried", "completed since, at 6"),
    (told_since, "job.cancel_requested", "claimed since"),
    (retired_since, "job.cancelled", "not there any more"),
    (key_taken_since, "job.deleted", "its idempotency key belongs to job"),
    (queue_gone_since, "job.cancelled", "its queue mail is not there any more"),
    (parent_gone_since, "job.cancelled", "for which it waited, is not there any more"),
    (parent_ended_since, "job.cancelled", "for which it waited, is cancelled"),
    (child_waits_since, "job.retried", "waits for it"),
    (start_missed_since, "job.cancelled", "before a time that has passed"),
    (too_old_since, "job.deleted", "longer ago than finished jobs are kept"),
    (restored_since, "job.deleted", "restored since"),
    (reconfigured_since, "queue.configured", "it has changed since"),
    (queue_deleted_since, "queue.paused", "not there any more"),
    (queue_back_since, "queue.deleted", "it came back since, at 5"),
    (queue_back_and_gone_since, "queue.deleted", "it came back since, at 5"),
    (queue_in_use_since, "queue.configured", "jobs wait or run in it"),
]


def record_of(bench: Bench, kind: str, skip: int = 0) -> int:
    """Give the first record with an event of this kind, behind so many of them."""
    tag = f'"type":"{kind}"'.encode()
    return [at for at, body in enumerate(bench.bodies, start=1) if tag in body][skip]


@pytest.mark.parametrize(
    ("story", "kind", "reason"), BLOCKED, ids=lambda one: getattr(one, "__name__", None)
)
def test_what_stands_in_the_way_is_named_and_nothing_changes(
    story: Story, kind: str, reason: str
) -> None:
    bench = Bench()
    story(bench)
    position = record_of(bench, kind, skip=1 if story is reconfigured_since else 0)
    footprint = digest(bench.state)
    done, refused = undo(bench, position)
    assert done == []
    assert refused
    assert all(reason in one for one in refused.values()), refused
    assert digest(bench.state) == footprint


def test_what_can_goes_back_and_the_rest_is_told() -> None:
    bench = Bench()
    one, other = bench.create(), bench.create()
    act(bench, Verb.SET_PRIORITY, one.id, other.id, priority=4)
    assert bench.claim() == [one]
    assert undo(bench, 3) == ([other.id], {one.id: "claimed since, at 4"})
    assert (one.priority, other.priority) == (4, 0)


def test_a_late_answer_that_was_refused_does_not_stand_in_the_way() -> None:
    bench = Bench()
    job = dead(bench)
    bench.do(jobs.retry, job.id)
    with pytest.raises(Exception, match="Lease expired"):
        bench.complete(job)
    assert undo(bench, record_of(bench, "job.retried"))[0] == [job.id]
    assert (job.status, job.last_error) == (Status.DEADLETTER, "boom")


def test_a_child_whose_parent_was_completed_meanwhile_waits_no_more() -> None:
    bench = Bench()
    parent = bench.create()
    child = bench.create(a_job(parent_job_id=parent.id))
    bench.do(jobs.cancel, child.id)
    bench.claim()
    bench.complete(parent)
    assert undo(bench, record_of(bench, "job.cancelled"))[0] == [child.id]
    assert (child.status, child.blocked) == (Status.PENDING, False)
    assert bench.claim() == [child]


def test_a_chain_of_children_goes_back_in_any_order() -> None:
    bench = Bench()
    chain = [bench.create()]
    for _ in range(200):
        chain.append(bench.create(a_job(parent_job_id=chain[-1].id)))
    bench.do(jobs.cancel, chain[0].id)
    for _ in range(3):
        position = bench.state.position
        assert len(undo(bench, position)[0]) == len(chain)


def test_the_line_is_as_it_was() -> None:
    bench = Bench()
    early = [bench.create(a_job(priority=priority)) for priority in (0, 3, 0, 0)]
    ids = [early[place].id for place in (1, 0, 2, 3)]
    delete_queue(bench, many=1)
    undo(bench, bench.state.position)
    bench.create()
    assert [job.id for job in bench.claim(limit=4)] == ids


def test_a_running_job_that_came_back_is_settled_by_its_worker_or_its_lease() -> None:
    bench = Bench()
    one, other = bench.create(), bench.create()
    bench.claim(limit=2, lease_duration_secs=30)
    delete_queue(bench)
    bench.clock.advance(29)
    undo(bench, bench.state.position)
    bench.complete(bench.job(one.id))
    assert bench.tick(1) == 1
    back = bench.job(other.id)
    assert (back.status, back.retry_count) == (Status.PENDING, 1)


def test_large_jobs_come_back_in_several_records() -> None:
    bench = Bench()
    payload = encode("x" * (bounds.RESTORED_BYTES_PER_RECORD_MAX // 2))
    for _ in range(5):
        bench.create(a_job(payload=payload))
    delete_queue(bench)
    last = bench.state.position
    assert len(undo(bench, last)[0]) == 6
    made = bench.records()[last:]
    sizes = [sum(isinstance(one, JobRestored) for one in record.events) for record in made]
    assert sizes == [2, 2, 1]
    openings: list[Any] = [record.events[0] for record in made]
    assert {(one.undoes, one.first) for one in openings} == {(last, last + 1)}
    assert len({one.action for one in openings}) == 1
    assert undo(bench, last + 2)[1] == {}
    assert bench.state.tables.jobs == {}


# -- what is never taken back

NEVER = {
    "job.created": "a creation stands",
    "job.claimed": "what workers did",
    "job.completed": "what workers did",
    "job.failed": "what workers did",
    "job.lease_extended": "what workers did",
    "job.released": "what workers did",
    "job.due": "what time brought about",
    "job.expired": "what time brought about",
    "worker.registered": "what workers did",
}


def test_what_workers_did_and_time_brought_about_is_never_taken_back() -> None:
    bench = Bench(Policy(retry_base_secs=1))
    bench.do(workers.register, NewWorker(queue_name="mail", hostname="h", worker_id="w1"))
    job = bench.create()
    bench.create(a_job(parent_job_id=job.id))
    bench.create(a_job("other", expires_at=in_secs(bench, 1)))
    bench.claim()
    bench.do(settlements.release, ((job.id, job.lease or ""),))
    bench.claim()
    bench.extend(job)
    bench.fail(job)
    bench.tick(1)
    bench.complete(bench.claim()[0])
    for kind, reason in NEVER.items():
        why = objection(bench.records()[record_of(bench, kind) - 1], "default")
        assert why is not None
        assert reason in why, kind


def test_children_that_were_cancelled_by_a_failure_stay_so() -> None:
    bench = Bench()
    parent = bench.create(a_job(max_retries=0))
    bench.create(a_job(parent_job_id=parent.id))
    bench.claim()
    bench.fail(parent)
    assert b'"job.cancelled"' in bench.bodies[-1]
    assert objection(bench.records()[-1], "default") is not None


def test_a_queue_record_of_an_older_version_is_told_as_such() -> None:
    bench = Bench()
    paused_again(bench)
    record = bench.records()[-1]
    old = tuple(structs.replace(event, before=None) for event in record.events)  # type: ignore[type-var]
    subjects = subjects_of(bench, structs.replace(record, events=old))
    taken = bench.do(take_back, Undoing(record.position, "a", 0, {}), subjects)
    (refused,) = taken.refused
    assert "older version" in refused.reason
    assert bench.state.position == record.position


def test_a_job_deleted_by_an_older_version_comes_back_at_the_end_of_the_line() -> None:
    bench = Bench()
    old = bench.create()
    delete_queue(bench)
    bench.bodies[-1] = bench.bodies[-1].replace(b',"place":1', b"")
    bench.create()
    undo(bench, record_of(bench, "job.deleted"))
    assert [job.id for job in bench.claim(limit=2)][1] == old.id
