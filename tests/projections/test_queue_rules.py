"""A queue's own rules: rate and concurrency limits, backoff, deletion; and what explains a wait."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import Raw

from projections import bounds, ratelimit
from projections.backoff import retry_delay_us
from projections.decide import Policy, actions, claims, jobs, queues, settlements
from projections.decide.actions import Action
from projections.eligibility import Hold
from projections.entities import Job
from projections.errors import Conflict, Invalid, NotFound
from projections.lifecycle import Status
from projections.moments import EPOCH
from projections.queries.explain import READY, explain
from projections.queries.stats import queue_stats
from projections.shelf import MINUTES_KEPT
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
from tools.indexes import differences


def configured(bench: Bench, settings: bytes | None = None, **fields: Any) -> None:
    if settings is not None:
        fields["settings"] = Raw(settings)
    bench.do(queues.configure, "mail", QueueConfig(**fields))


def delete(bench: Bench, *, delete_jobs: bool = False, jobs_max: int = 100) -> bool:
    def command(state: Any, ctx: Any) -> Any:
        return queues.delete(
            state, ctx, "mail", delete_jobs=delete_jobs, jobs_max=jobs_max, action_id="deletion-1"
        )

    gone: bool = bench.do(command)
    return gone


def codes(bench: Bench, job: Job) -> list[str]:
    return [reason.code for reason in explain(bench.state, job, bench.clock()).reasons]


# -- rate


def test_a_rate_limit_hands_out_so_many_a_second() -> None:
    bench = Bench()
    configured(bench, rate_limit=3)
    for _ in range(10):
        bench.create()
    assert [len(bench.claim(limit=2)) for _ in range(3)] == [2, 1, 0]
    bench.clock.advance(0.4)
    assert len(bench.claim(limit=5)) == 1
    bench.clock.advance(1)
    assert len(bench.claim(limit=50)) == 3
    configured(bench, rate_limit=None)
    assert len(bench.claim(limit=50)) == 3


@pytest.mark.parametrize("rate", [1, 3, 7, 999, 100_000])
def test_in_the_long_run_the_rate_is_kept(rate: int) -> None:
    paid_until_ns, handed_out = 0, 0
    for now_us in range(0, 3_000_000, 100_000):
        for _ in range(ratelimit.allowed(paid_until_ns, rate, now_us)):
            paid_until_ns = ratelimit.paid(paid_until_ns, rate, now_us)
            handed_out += 1
    assert rate * 3 <= handed_out <= rate * 4


@pytest.mark.parametrize("rate", [1, 3, 7, 60_000])
def test_the_next_moment_is_the_first_that_allows_one(rate: int) -> None:
    paid_until_ns = 0
    while ratelimit.allowed(paid_until_ns, rate, 0):
        paid_until_ns = ratelimit.paid(paid_until_ns, rate, 0)
    moment = ratelimit.next_at(paid_until_ns, rate)
    assert ratelimit.allowed(paid_until_ns, rate, moment) >= 1
    assert ratelimit.allowed(paid_until_ns, rate, moment - 1) == 0


# -- concurrency


def test_a_concurrency_limit_counts_what_runs() -> None:
    bench = Bench()
    configured(bench, b'{"concurrency_limit":2.0}')
    made = [bench.create() for _ in range(4)]
    assert bench.claim(limit=10) == made[:2]
    assert bench.claim() == []
    bench.complete(made[0])
    assert bench.claim(limit=10) == [made[2]]
    configured(bench, b'{"concurrency_limit":1}')
    bench.complete(made[1])
    assert bench.claim() == []
    configured(bench, b"{}")
    assert bench.claim() == [made[3]]


# -- settings


@pytest.mark.parametrize(
    "settings",
    [
        b'{"retry_base_secs":-1}',
        b'{"retry_cap_secs":"x"}',
        b'{"retry_jitter":1.5}',
        b'{"concurrency_limit":0}',
        b'{"concurrency_limit":1.5}',
        b'{"concurrency_limit":[]}',
        b"[]",
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(settings: bytes) -> None:
    bench = Bench()
    with pytest.raises(Invalid, match="settings"):
        configured(bench, settings)
    assert bench.bodies == []


def test_settings_are_kept_as_sent_and_replaced_as_a_whole() -> None:
    bench = Bench()
    configured(bench, b'{"retry_base_secs":2.50,"mine":[1]}')
    queue = bench.state.queue("default", "mail")
    assert queue is not None
    configured(bench, max_retries=7)
    assert (bytes(queue.settings), queue.retry_base_secs) == (
        b'{"retry_base_secs":2.50,"mine":[1]}',
        2.5,
    )
    configured(bench, b'{"retry_base_secs":null}')
    assert (bytes(queue.settings), queue.retry_base_secs) == (b'{"retry_base_secs":null}', None)


# -- backoff


def test_a_queues_backoff_goes_before_the_servers() -> None:
    bench = Bench(Policy(retry_base_secs=60, retry_cap_secs=3600, retry_jitter=1))
    configured(bench, b'{"retry_base_secs":2,"retry_cap_secs":5,"retry_jitter":0}')
    job = bench.create(a_job(max_retries=9))
    waits = []
    for _ in range(4):
        bench.claim()
        settled = bench.fail(job)
        assert settled.retry_at is not None
        waits.append((settled.retry_at - bench.clock()) / 1e6)
        bench.tick(waits[-1])
    assert waits == [2, 4, 5, 5]


@pytest.mark.parametrize(
    ("jitter", "fraction", "secs"),
    [(0, 0.5, 8), (1, 0, 8), (1, 0.5, 4), (0.5, 0.5, 6), (0.5, 1, 4)],
)
def test_jitter_takes_off_a_share_by_chance(jitter: float, fraction: float, secs: float) -> None:
    assert retry_delay_us(2, 2, 60, jitter, fraction) == secs * 1_000_000


def test_the_chance_is_in_the_event_and_not_asked_for_again() -> None:
    bench = Bench(Policy(retry_jitter=0.5))
    bench.fraction = 0.5
    job = bench.create()
    bench.claim()
    bench.fail(job)
    assert job.due_at == bench.clock() + 45_000_000
    bench.fraction = 0.0
    assert bench.replayed().tables.jobs[job.id].due_at == job.due_at


# -- deletion


@pytest.mark.parametrize("busy", ["pending", "processing"])
def test_a_queue_with_work_is_not_deleted_without_its_jobs(busy: str) -> None:
    bench = Bench()
    bench.create()
    if busy == "processing":
        bench.claim()
    records = len(bench.bodies)
    with pytest.raises(Conflict, match="delete_jobs=true"):
        delete(bench)
    assert len(bench.bodies) == records


def test_ended_and_scheduled_jobs_stay_and_bring_the_queue_back() -> None:
    bench = Bench()
    dead = bench.create(a_job(max_retries=0))
    bench.claim()
    bench.fail(dead)
    soon = EPOCH + timedelta(microseconds=bench.clock() + 5_000_000)
    later = [bench.create(a_job(scheduled_at=soon)) for _ in range(2)]
    assert delete(bench)
    assert bench.state.queue("default", "mail") is None
    assert len(bench.state.tables.jobs) == 3
    bench.tick(5)
    assert bench.state.queue("default", "mail") is not None
    assert bench.claim(limit=5) == later
    assert differences(bench.replayed()) == []


@pytest.mark.parametrize("how", ["retry", "action"])
def test_a_dead_letter_sent_back_brings_its_queue_back(how: str) -> None:
    bench = Bench()
    dead = [bench.create(a_job(max_retries=0)) for _ in range(2)]
    for job in bench.claim(limit=2):
        bench.fail(job)
    delete(bench)
    if how == "retry":
        bench.do(jobs.retry, dead[0].id)
    else:
        action = Action(Verb.RETRY, JobFilter(), Raw(b"{}"))
        bench.do(actions.apply, action, "a1", [job.id for job in dead])
    assert dead[0] in bench.claim(limit=2)


def test_a_large_queue_is_deleted_in_parts() -> None:
    bench = Bench()
    for _ in range(7):
        bench.create(a_job(idempotency_key=None, tags=Raw(b'["red"]')))
    keyed = bench.create(a_job(idempotency_key="k"))
    bench.claim(limit=2)
    assert [delete(bench, delete_jobs=True, jobs_max=3) for _ in range(3)] == [False, False, True]
    assert (bench.state.tables.jobs, bench.state.shelves["default"], bench.state.tags) == (
        {},
        {},
        {},
    )
    assert len(bench.state.agenda) == 0
    with pytest.raises(NotFound):
        delete(bench, delete_jobs=True)
    assert bench.create(a_job(idempotency_key="k")).id != keyed.id


# -- cancel while running


def test_a_running_job_is_asked_to_stop_once_and_hears_of_it() -> None:
    bench = Bench()
    job = bench.create()
    bench.claim()
    for _ in range(2):
        assert not bench.do(jobs.stop, job.id, Cancellation(reason="enough")).cancelled
    assert job.cancel_requested_at == bench.clock()
    assert bench.do(claims.extend, job.id, Extension(worker_id="w1")).cancel_requested
    assert sum(b"cancel_requested" in body for body in bench.bodies) == 1


@pytest.mark.parametrize("how", ["failed", "lease ran out", "taken back", "completed"])
def test_a_job_that_was_to_stop(how: str) -> None:
    bench = Bench()
    job = bench.create(a_job(max_retries=5))
    bench.claim()
    bench.do(jobs.stop, job.id, Cancellation())
    match how:
        case "failed":
            assert bench.fail(job, error="stopped").status is Status.CANCELLED
        case "lease ran out":
            bench.tick(31)
        case "taken back":
            bench.do(settlements.release, ((job.id, str(job.lease)),))
        case "completed":
            bench.complete(job)
    assert job.status is (Status.COMPLETED if how == "completed" else Status.CANCELLED)
    assert (job.lease, job.cancel_requested_at) == (None, None)
    assert job.completed_at == bench.clock()


def test_a_waiting_job_is_cancelled_with_its_reason() -> None:
    bench = Bench()
    job = bench.create()
    assert bench.do(jobs.stop, job.id, Cancellation(reason="not wanted")).cancelled
    assert (job.status, job.last_error) == (Status.CANCELLED, "not wanted")
    with pytest.raises(Conflict):
        bench.do(jobs.stop, job.id, Cancellation())


def test_a_claim_taken_back_counts_for_nothing() -> None:
    bench = Bench()
    job = bench.create(a_job(max_retries=0))
    bench.claim()
    lease = str(job.lease)
    bench.do(settlements.release, ((job.id, "another"), ("nobody", lease)))
    assert job.status is Status.PROCESSING
    bench.do(settlements.release, ((job.id, lease),))
    assert (job.status, job.retry_count, job.worker) == (Status.PENDING, 0, None)
    assert bench.claim() == [job]


# -- many at once


def test_bulk_settlements_are_one_record_with_a_verdict_for_each() -> None:
    bench = Bench()
    made = [bench.create(a_job(max_retries=0)) for _ in range(4)]
    bench.claim(limit=3)
    items = [
        BulkCompletionItem(job_id=made[0].id, result=Raw(b"1")),
        BulkCompletionItem(job_id=made[0].id),
        BulkCompletionItem(job_id="nobody"),
        BulkCompletionItem(job_id=made[1].id, lease_id="stale"),
        BulkCompletionItem(job_id=made[3].id),
        BulkCompletionItem(job_id=made[2].id, result=Raw(b"[" * 101 + b"]" * 101)),
    ]
    records = len(bench.bodies)
    answer = bench.do(settlements.complete_bulk, BulkCompletion(worker_id="w1", jobs=items))
    assert [(index, job_id) for index, job_id, _ in answer.succeeded] == [(0, made[0].id)]
    assert [(index, refused.code) for index, _, refused in answer.failed] == [
        (1, "CONFLICT"),
        (2, "NOT_FOUND"),
        (3, "LEASE_EXPIRED"),
        (4, "LEASE_EXPIRED"),
        (5, "VALIDATION_ERROR"),
    ]
    assert len(bench.bodies) == records + 1
    assert bench.bodies[-1].count(b"settlement_refused") == 2
    failures = [BulkFailureItem(job_id=made[1].id, error="x")] * 2
    answer = bench.do(settlements.fail_bulk, BulkFailure(worker_id="w1", jobs=failures))
    assert [one.status for _, _, one in answer.succeeded] == [Status.DEADLETTER]
    assert [refused.code for _, _, refused in answer.failed] == ["LEASE_EXPIRED"]


@pytest.mark.parametrize("verb", Verb)
def test_an_action_changes_those_that_it_applies_to(verb: Verb) -> None:
    bench = Bench()
    pending, running, done, dead = (bench.create(a_job(max_retries=0)) for _ in range(4))
    for job, how in ((done, "complete"), (dead, "fail")):
        bench.do(jobs.set_priority, job.id, 50)
        bench.claim()
        bench.complete(job) if how == "complete" else bench.fail(job)
    bench.do(jobs.set_priority, running.id, 9)
    bench.claim()
    wanted = {
        Verb.CANCEL: [pending, running],
        Verb.RETRY: [dead],
        Verb.PURGE: [done, dead],
        Verb.SET_PRIORITY: [pending],
    }[verb]
    everyone = [pending, running, done, dead]
    action = Action(verb, JobFilter(), Raw(b'{"q":"x"}'), priority=-7)
    ids = [*[job.id for job in everyone], "nobody", pending.id]
    records = len(bench.bodies)
    applied = bench.do(actions.apply, action, "action-9", ids)
    assert applied.job_ids == [job.id for job in wanted]
    assert len(bench.bodies) == records + 1
    assert b'"type":"bulk.applied","action":"action-9"' in bench.bodies[-1]
    assert bench.do(actions.apply, action, "action-9", ids).job_ids == []
    assert len(bench.bodies) == records + 1
    match verb:
        case Verb.CANCEL:
            assert (pending.status, running.cancel_requested_at) == (
                Status.CANCELLED,
                bench.clock(),
            )
        case Verb.RETRY:
            assert (dead.status, dead.retry_count, dead.last_error) == (Status.PENDING, 0, None)
        case Verb.PURGE:
            assert list(bench.state.tables.jobs) == [pending.id, running.id]
        case Verb.SET_PRIORITY:
            assert (pending.priority, running.priority) == (-7, 9)


# -- explain


def test_explain_agrees_with_what_claim_does() -> None:
    """For every way to wait: the next claim takes the job exactly when it is said to be claimable."""
    for how in (
        "ready",
        "paused",
        "concurrency",
        "rate",
        "parent",
        "scheduled",
        "retry",
        "expired",
    ):
        bench = Bench()
        job = waiting(bench, how)
        told = explain(bench.state, job, bench.clock())
        assert told.claimable == (how == "ready"), how
        assert (job in bench.claim(limit=50)) == told.claimable, how


def waiting(bench: Bench, how: str) -> Job:
    soon = EPOCH + timedelta(microseconds=bench.clock() + 5_000_000)
    match how:
        case "paused":
            bench.do(queues.pause, "mail", Pause(reason="lunch"))
        case "concurrency":
            configured(bench, b'{"concurrency_limit":1}')
            bench.create()
            bench.claim()
        case "rate":
            configured(bench, rate_limit=1)
            bench.create()
            bench.claim()
        case "parent":
            return bench.create(a_job(parent_job_id=bench.create().id))
        case "scheduled":
            return bench.create(a_job(scheduled_at=soon))
        case "expired":
            job = bench.create(a_job(expires_at=soon))
            bench.clock.advance(6)
            return job
        case "retry":
            job = bench.create()
            bench.claim()
            bench.fail(job)
            return job
    return bench.create()


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("ready", READY, "no worker has ever taken"),
        ("paused", Hold.PAUSED, "by key_test: lunch"),
        ("concurrency", Hold.CONCURRENCY, "1 jobs of the queue are running, its limit is 1"),
        ("rate", Hold.RATE, "1 jobs a second at most"),
        ("parent", Hold.PARENT, "which is pending"),
        ("scheduled", Hold.SCHEDULED, "scheduled for 20"),
        ("retry", Hold.RETRY, "Attempt 1 failed (boom)"),
        ("expired", Hold.EXPIRED, "expires_at has passed"),
    ],
)
def test_explain_says_why(how: str, code: str, says: str) -> None:
    bench = Bench()
    job = waiting(bench, how)
    (reason,) = explain(bench.state, job, bench.clock()).reasons
    assert reason.code == code
    assert says in reason.message


def test_explain_names_every_reason_and_the_place_in_line() -> None:
    bench = Bench()
    first, second = bench.create(), bench.create()
    urgent = bench.create(a_job(priority=1))
    places = [explain(bench.state, job, 0).line for job in (urgent, first, second)]
    assert [place.ahead for place in places if place is not None] == [0, 1, 2]
    bench.do(queues.pause, "mail", Pause())
    bench.claim()
    late = bench.create(a_job(parent_job_id=first.id))
    assert codes(bench, late) == [Hold.PARENT, Hold.PAUSED]
    bench.do(jobs.cancel, second.id)
    assert codes(bench, second) == [Hold.ENDED]


def test_explain_a_running_job_and_an_idle_queue() -> None:
    bench = Bench()
    running, waits = bench.create(), bench.create()
    bench.claim()
    bench.do(jobs.stop, running.id, Cancellation())
    bench.clock.advance(90)
    told = explain(bench.state, running, bench.clock())
    assert told.reasons[0].by == "w1"
    assert "asked to stop" in told.reasons[0].message
    assert "90 s ago" in explain(bench.state, waits, bench.clock()).reasons[0].message


# -- figures


def test_minutes_that_no_figure_covers_are_forgotten() -> None:
    bench = Bench()
    shelf = None
    for _ in range(3 * MINUTES_KEPT):
        bench.clock.advance(60)
        job = bench.create()
        shelf = bench.state.shelf("default", "mail")
        bench.do(jobs.cancel, job.id)
    assert shelf is not None
    assert MINUTES_KEPT <= len(shelf.minutes) <= 2 * MINUTES_KEPT
    day = queue_stats(bench.state, "default", "mail", bench.clock())
    assert day.enqueued_per_minute == pytest.approx(1, rel=0.3)
    action = Action(Verb.PURGE, JobFilter(), Raw(b"{}"))
    oldest = next(iter(bench.state.tables.jobs))
    bench.do(actions.apply, action, "a1", [oldest])
    assert all(one.created >= 0 for one in shelf.minutes.values())
    assert differences(bench.state) == []


def test_outcomes_of_a_day_follow_every_change_of_its_minutes() -> None:
    """Sums of whole hours are kept; they must be those of the minutes, whatever changes behind them."""
    bench, dead = Bench(), []
    for number in range(300):
        bench.clock.advance(60 * 7)
        bench.create(max_retries=0)
        (job,) = bench.claim()
        if number % 3:
            bench.fail(job)
            dead.append(job.id)
        else:
            bench.complete(job)
        if number % 10 == 0 and number > 100:
            bench.do(jobs.retry, dead[-50])  # its minute, hours ago, counts one less
        shelf, now_us = bench.state.shelf("default", "mail"), bench.clock()
        for hours in (1, 5, 24):
            since_us = now_us - hours * bounds.HOUR_US
            wanted = range(since_us // bounds.MINUTE_US, now_us // bounds.MINUTE_US + 1)
            minutes = [one for minute, one in shelf.minutes.items() if minute in wanted]
            found = shelf.since(since_us, now_us)
            for name in ("created", "completed", "failed", "processing_us"):
                assert getattr(found, name) == sum(getattr(one, name) for one in minutes)
