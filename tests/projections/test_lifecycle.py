"""The table of moves, pair by pair, and what decide makes of it."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from msgspec import UNSET, Raw

from projections.decide import Policy, claims, jobs, settlements
from projections.decide.settlements import LEASE_EXPIRED_DEAD, LEASE_EXPIRED_RETRY
from projections.digest import digest
from projections.entities import Job
from projections.errors import Conflict, LeaseExpired, NotFound, Refused
from projections.lifecycle import ACTIVE, FINISHED, MOVES, TERMINAL, IllegalMove, Status, may, moved
from projections.moments import EPOCH
from projections.specs import Completion, Extension, Failure
from tests.build import Bench, a_job

EVENT_TYPES = sorted({event for _, event in MOVES})


@pytest.mark.parametrize(("status", "event"), list(product(Status, EVENT_TYPES)))
def test_a_pair_is_legal_or_refused_for_every_target(status: Status, event: str) -> None:
    legal = MOVES.get((status, event), frozenset())
    assert may(status, event) == bool(legal)
    for to in Status:
        if to in legal:
            assert moved(status, event, to) is to
        else:
            with pytest.raises(IllegalMove):
                moved(status, event, to)


def test_statuses_are_either_active_or_terminal() -> None:
    assert set(Status) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL


def test_nothing_leads_out_of_completed_and_only_an_undo_out_of_cancelled() -> None:
    left = {start for (start, _), ends in MOVES.items() if ends != {start}}
    assert set(Status) - left == {Status.COMPLETED}
    assert {event for start, event in MOVES if start is Status.COMPLETED} == {"job.retired"}
    out = {event for start, event in MOVES if start is Status.CANCELLED}
    assert out == {"job.retired", "job.reverted"}
    assert {start for start, event in MOVES if event == "job.retired"} == FINISHED


def job_in(bench: Bench, status: Status) -> Job:
    """Bring a job into a status by commands alone."""
    match status:
        case Status.SCHEDULED:
            when = "2030-01-01T00:00:00Z"
            return bench.create(a_job(scheduled_at=datetime.fromisoformat(when)))
        case Status.PENDING:
            return bench.create()
        case Status.CANCELLED:
            job = bench.create()
            bench.do(jobs.cancel, job.id)
            return job
        case Status.FAILED:
            raise AssertionError("no command leaves a job in failed")
        case _:
            job = bench.create(a_job(max_retries=0))
            bench.claim()
            if status is Status.COMPLETED:
                bench.complete(job)
            elif status is Status.DEADLETTER:
                bench.fail(job)
            return job


REACHABLE = [status for status in Status if status is not Status.FAILED]
SETTLE: dict[str, Any] = {
    "complete": (settlements.complete, Completion(worker_id="w1")),
    "fail": (settlements.fail, Failure(worker_id="w1", error="late")),
    "heartbeat": (claims.extend, Extension(worker_id="w1")),
}


@pytest.mark.parametrize(("status", "verb"), list(product(REACHABLE, SETTLE)))
def test_settling_by_the_holder_in_every_status(status: Status, verb: str) -> None:
    bench = Bench()
    job = job_in(bench, status)
    command, spec = SETTLE[verb]
    before = digest(bench.state)
    if status is Status.PROCESSING:
        bench.do(command, job.id, spec)
        assert digest(bench.state) != before
    elif status in TERMINAL:
        with pytest.raises(Conflict, match=f"already {status}"):
            bench.do(command, job.id, spec)
        assert digest(bench.state) == before
    else:
        was = job.status, job.updated_at, job.position
        with pytest.raises(LeaseExpired):
            bench.do(command, job.id, spec)
        assert (job.status, job.updated_at, job.position) == was


@pytest.mark.parametrize("verb", SETTLE)
@pytest.mark.parametrize("wrong", ["lease", "worker", "late"])
def test_a_late_write_is_refused_recorded_and_changes_nothing(verb: str, wrong: str) -> None:
    bench = Bench()
    job = job_in(bench, Status.PROCESSING)
    spec: Any = SETTLE[verb][1]
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    if wrong == "lease":
        fields["lease_id"] = "stale"
    elif wrong == "worker":
        fields["worker_id"] = "someone else"
    else:
        bench.clock.advance(30)
    was = (job.status, job.worker, job.lease, job.lease_until, job.position, job.updated_at)
    records = len(bench.bodies)
    with pytest.raises(LeaseExpired):
        bench.do(SETTLE[verb][0], job.id, type(spec)(**fields))
    assert (job.status, job.worker, job.lease, job.lease_until, job.position, job.updated_at) == was
    assert len(bench.bodies) == records + 1
    assert b'"job.settlement_refused"' in bench.bodies[-1]
    assert f'"verb":"{verb}"'.encode() in bench.bodies[-1]


@pytest.mark.parametrize("status", REACHABLE)
def test_cancel_retry_and_priority_in_every_status(status: Status) -> None:
    waits = status in {Status.PENDING, Status.SCHEDULED}
    legal = {
        "cancel": waits,
        "priority": waits,
        "retry": status is Status.DEADLETTER,
    }
    refusals: dict[str, type[Refused]] = {
        "cancel": Conflict,
        "priority": NotFound,
        "retry": Conflict,
    }
    commands: dict[str, Any] = {
        "cancel": lambda bench, job: bench.do(jobs.cancel, job.id),
        "priority": lambda bench, job: bench.do(jobs.set_priority, job.id, 7),
        "retry": lambda bench, job: bench.do(jobs.retry, job.id),
    }
    for verb, command in commands.items():
        bench = Bench()
        job = job_in(bench, status)
        before = digest(bench.state)
        if legal[verb]:
            command(bench, job)
            assert digest(bench.state) != before
        else:
            with pytest.raises(refusals[verb]):
                command(bench, job)
            assert digest(bench.state) == before


def test_a_full_retry_cycle_field_by_field() -> None:
    """Contract section 10, the paragraph under the matrix."""
    bench = Bench()
    job = bench.create(a_job(max_retries=1))
    assert (job.status, job.retry_count) == (Status.PENDING, 0)
    bench.claim()
    first_start = bench.clock()
    assert (job.status, job.started_at) == (Status.PROCESSING, first_start)
    failed = bench.fail(job, error="one")
    retry_at = bench.clock() + 60_000_000
    assert (failed.status, failed.retry_at) == (Status.PENDING, retry_at)
    assert (job.status, job.retry_count, job.scheduled_at) == (Status.PENDING, 1, retry_at)
    assert (job.last_error, job.lease, job.worker) == ("one", None, None)
    assert job.started_at == first_start
    assert bench.claim() == []
    assert bench.tick(60) == 1
    assert bench.claim() == [job]
    assert (job.started_at, job.scheduled_at) == (bench.clock(), retry_at)
    assert bench.fail(job, error="two").status is Status.DEADLETTER
    assert (job.status, job.retry_count, job.last_error) == (Status.DEADLETTER, 1, "two")
    assert job.completed_at is None
    bench.do(jobs.retry, job.id)
    assert (job.status, job.retry_count, job.last_error) == (Status.PENDING, 2, None)
    assert job.scheduled_at == retry_at
    assert bench.claim() == [job]
    bench.fail(job)
    assert job.status is Status.DEADLETTER


def test_backoff_doubles_from_the_base_to_the_cap() -> None:
    bench = Bench(Policy(retry_base_secs=60, retry_cap_secs=3600))
    job = bench.create(a_job(max_retries=9))
    waits = []
    for _ in range(9):
        assert bench.claim() == [job]
        failed = bench.fail(job)
        assert failed.retry_at is not None
        waits.append((failed.retry_at - bench.clock()) // 1_000_000)
        bench.tick(waits[-1])
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_lease_that_runs_out_counts_as_a_retry_without_backoff() -> None:
    bench = Bench()
    job = bench.create(a_job(max_retries=1))
    bench.claim(lease_duration_secs=5)
    assert bench.tick(4.999999) == 0
    assert bench.tick(0.000001) == 1
    assert (job.status, job.retry_count, job.last_error) == (
        Status.PENDING,
        1,
        LEASE_EXPIRED_RETRY,
    )
    assert bench.claim(worker="w2") == [job]
    bench.tick(30)
    assert (job.status, job.retry_count, job.last_error) == (
        Status.DEADLETTER,
        1,
        LEASE_EXPIRED_DEAD,
    )


def test_a_heartbeat_sets_the_end_of_the_lease_from_now() -> None:
    bench = Bench()
    job = bench.create()
    bench.claim(lease_duration_secs=30)
    bench.clock.advance(20)
    assert bench.extend(job, lease_duration_secs=5) == bench.clock() + 5_000_000
    assert bench.tick(5) == 1
    assert job.status is Status.PENDING


def test_an_expired_job_is_never_handed_out() -> None:
    bench = Bench()
    start = bench.clock()
    job = bench.create(a_job(expires_at=EPOCH + timedelta(microseconds=start, seconds=10)))
    kept = bench.create()
    bench.clock.advance(10)
    assert bench.claim(limit=5) == [kept], "also before the timekeeper has come by"
    assert bench.tick() == 1
    assert (job.status, job.last_error) == (Status.CANCELLED, "Expired before start")
    assert job.completed_at == bench.clock()


def test_claims_go_by_priority_then_age() -> None:
    bench = Bench()
    made = [bench.create(a_job(priority=priority)) for priority in (0, 5, -5, 5, 0)]
    expected = [made[1], made[3], made[0], made[4], made[2]]
    assert bench.claim(limit=2) == expected[:2]
    bench.do(jobs.set_priority, made[2].id, 100)
    assert bench.claim(limit=5) == [made[2], made[0], made[4]]


def test_a_result_is_kept_as_sent() -> None:
    bench = Bench()
    job = bench.create()
    bench.claim()
    bench.complete(job, result=Raw(b'{ "n": 2.50, "big": 12345678901234567890123 }'))
    assert job.result is not UNSET
    assert bytes(job.result) == b'{"n":2.50,"big":12345678901234567890123}'
    assert (job.lease, job.worker) == (None, "w1")
