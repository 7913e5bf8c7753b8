"""GET /dashboard and a queue's series and timings against what was asked of the server."""

from pathlib import Path
from typing import Any

import pytest

from eventlog import LogFailed
from projections.bounds import DAY_US, HOUR_US
from projections.decide import claims, jobs, settlements
from projections.moments import to_text
from projections.specs import Claim, Failure
from server.engine import SYSTEM
from server.http.gathering import Gathering
from server.overview import GLANCED_MAX, LISTED_MAX
from server.settings import Settings
from server.startup import Started, open_engine
from tests.build import a_caller, a_job
from tests.fakes import FakeClock
from tests.server.harness import ME, Answer, Face, assert_refused, background, turns

LIMITED = "sp_test_limited"


async def shown(face: Face, **options: Any) -> dict[str, Any]:
    """Ask when a fresh answer is due."""
    face.clock.advance(1)
    found = await face.get("/dashboard", **options)
    assert found.status == 200, found.content
    figures: dict[str, Any] = found.json
    return figures


async def failed(face: Face, error: str, queue: str = "mail", **fields: Any) -> str:
    job_id = await face.create(queue, **fields)
    assert [job["id"] for job in await face.claim(queue)] == [job_id]
    await face.settle("fail", job_id, error=error)
    return job_id


async def test_an_empty_server(face: Face) -> None:
    figures = await shown(face)
    assert figures["jobs"] == {
        "total": 0,
        "pending": 0,
        "scheduled": 0,
        "processing": 0,
        "completed_24h": 0,
        "failed_24h": 0,
        "deadletter": 0,
        "avg_wait_time_ms": None,
        "avg_processing_time_ms": None,
    }
    assert figures["queues"] == figures["failures"] == figures["paused"] == figures["glance"] == []
    assert figures["workers"] == {"total": 0, "healthy": 0, "unhealthy": 0}
    assert figures["oldest_claimable"] is None
    assert figures["system"]["database_status"] == "healthy"
    assert figures["throughput"]["day"] == {
        "in_per_sec": 0.0,
        "out_per_sec": 0.0,
        "failed_per_sec": 0.0,
    }


async def test_jobs_and_activity(face: Face) -> None:
    done, dead, running, _ = [await face.create(max_retries=0) for _ in range(4)]
    later = to_text(face.clock() + 3_600_000_000)
    await face.create(scheduled_at=later)
    face.clock.advance(2)
    await face.claim(limit=3)
    face.clock.advance(4)
    await face.settle("complete", done)
    await face.settle("fail", dead)
    figures = await shown(face)
    assert figures["jobs"] == {
        "total": 5,
        "pending": 1,
        "scheduled": 1,
        "processing": 1,
        "completed_24h": 1,
        "failed_24h": 1,
        "deadletter": 1,
        "avg_wait_time_ms": 2000.0,
        "avg_processing_time_ms": 4000.0,
    }
    assert figures["recent_activity"] == {
        "jobs_created_1h": 5,
        "jobs_completed_1h": 1,
        "jobs_failed_1h": 1,
    }
    assert figures["queues"] == [{"name": "mail", "pending": 1, "processing": 1, "paused": False}]
    assert figures["log"]["position"] == figures["log"]["durable_position"] == face.log.last
    assert running in {job["id"] for job in await face.summaries("status=processing")}


async def test_what_is_older_is_not_counted(face: Face) -> None:
    done = await face.create()
    await face.claim()
    await face.settle("complete", done)
    await failed(face, "no", max_retries=0)
    face.advance(3_700)
    figures = await shown(face)
    assert figures["recent_activity"] == {
        "jobs_created_1h": 0,
        "jobs_completed_1h": 0,
        "jobs_failed_1h": 0,
    }
    assert (figures["jobs"]["completed_24h"], figures["jobs"]["failed_24h"]) == (1, 1)
    assert figures["throughput"]["hour"]["in_per_sec"] == 0
    assert figures["throughput"]["day"]["in_per_sec"] > 0
    assert figures["failures"][0]["count"] == 1
    face.advance(90_000)
    figures = await shown(face)
    assert (figures["jobs"]["completed_24h"], figures["jobs"]["failed_24h"]) == (0, 0)
    assert (figures["jobs"]["deadletter"], figures["failures"]) == (1, [])
    assert figures["throughput"]["day"]["in_per_sec"] == 0


async def test_rates_are_of_the_time_that_is_known(face: Face) -> None:
    since = to_text(face.clock())
    face.clock.advance(30)
    for _ in range(6):
        await face.create()
    face.clock.advance(29)
    figures = await shown(face)
    assert figures["figures_since"] == since
    assert figures["throughput"]["minute"]["in_per_sec"] == pytest.approx(6 / 60, rel=0.2)
    assert figures["throughput"]["day"]["in_per_sec"] == pytest.approx(6 / 60, rel=0.01)
    face.clock.advance(25 * 3_600)
    assert (await shown(face))["figures_since"] == to_text(face.clock() - 24 * 3_600_000_000)


async def test_a_failed_attempt_counts_though_it_is_tried_again(face: Face) -> None:
    await failed(face, "no")
    face.clock.advance(40)
    await face.create("slow")
    await face.claim("slow", lease_duration_secs=5)
    face.advance(10)
    figures = await shown(face)
    assert (figures["jobs"]["failed_24h"], figures["jobs"]["deadletter"]) == (0, 0)
    assert figures["throughput"]["hour"]["failed_per_sec"] == pytest.approx(2 / 51, rel=0.01)
    assert {one["signature"] for one in figures["failures"]} == {
        "no",
        "Lease expired (worker timeout)",
    }


async def test_failures_by_what_they_have_in_common(face: Face) -> None:
    await failed(face, "timeout after 30 s")
    face.clock.advance(5)
    await failed(face, "cannot read '/tmp/x'", "video")
    newest = await failed(face, "timeout after 31 s", "video")
    at = to_text(face.clock())
    figures = await shown(face)
    assert [one["count"] for one in figures["failures"]] == [2, 1]
    first = figures["failures"][0]
    assert first == {
        "signature": "timeout after <n> s",
        "count": 2,
        "last_at": at,
        "queues": ["mail", "video"],
        "example_job_id": newest,
        "example_error": "timeout after 31 s",
    }


async def test_a_cancelled_attempt_is_no_failure(face: Face) -> None:
    job_id = await face.create()
    await face.claim()
    await face.post(f"/jobs/{job_id}/cancel", {})
    await face.settle("fail", job_id)
    figures = await shown(face)
    assert figures["failures"] == []
    assert figures["throughput"]["minute"]["failed_per_sec"] == 0


async def test_only_what_can_be_claimed_has_an_age(face: Face) -> None:
    await face.create("delayed", scheduled_at=to_text(face.clock() + 3_600_000_000))
    parent = await face.create("parents")
    await face.claim("parents", lease_duration_secs=3_600)
    await face.create("children", parent_job_id=parent)
    await face.create("paused")
    await face.post("/queues/paused/pause", {"reason": "lunch"})
    ready = await face.create("ready")
    face.clock.advance(60)
    await face.create("younger")
    figures = await shown(face)
    ages = {one["name"]: one["oldest_claimable_secs"] for one in figures["glance"]}
    assert ages == {
        "ready": 61,
        "younger": 1,
        "children": None,
        "delayed": None,
        "parents": None,
        "paused": None,
    }
    assert [one["name"] for one in figures["glance"]][:2] == ["ready", "younger"]
    assert figures["oldest_claimable"] == {"queue": "ready", "job_id": ready, "age_secs": 61}
    assert [(one["queue"], one["reason"]) for one in figures["paused"]] == [("paused", "lunch")]
    assert {one["name"] for one in figures["glance"] if one["paused"]} == {"paused"}


async def test_the_age_begins_when_a_job_becomes_claimable(face: Face) -> None:
    due = await face.create(scheduled_at=to_text(face.clock() + 100_000_000))
    face.clock.advance(50)
    await face.create()
    face.advance(100)
    assert (await shown(face))["glance"][0]["oldest_claimable_secs"] == 101
    await face.claim()  # the older one by creation
    figures = await shown(face)
    assert figures["oldest_claimable"]["age_secs"] == 102
    assert figures["oldest_claimable"]["job_id"] != due
    await face.claim()
    assert (await shown(face))["oldest_claimable"] is None


async def test_lists_are_bounded_and_the_worst_comes_first(face: Face) -> None:
    names = [f"q{number:03}" for number in range(GLANCED_MAX + 20)]
    for name in reversed(names):
        await face.create(name)
        face.clock.advance(1)
    figures = await shown(face)
    assert [one["name"] for one in figures["queues"]] == names[:LISTED_MAX]
    assert [one["name"] for one in figures["glance"]] == names[: -GLANCED_MAX - 1 : -1]


async def test_workers_that_were_silent_for_a_minute_are_unhealthy(face: Face) -> None:
    body = {"queue_name": "mail", "hostname": "h"}
    await face.post("/workers/register", body)
    face.advance(70)
    other = (await face.post("/workers/register", body)).json["id"]
    assert (await shown(face))["workers"] == {"total": 2, "healthy": 1, "unhealthy": 1}
    await face.post(f"/workers/{other}/deregister")
    face.advance(60)
    assert (await shown(face))["workers"] == {"total": 0, "healthy": 0, "unhealthy": 0}


async def test_a_key_for_one_queue_sees_that_queue(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    await failed(face, "mine", max_retries=0)
    await failed(face, "theirs", "other", max_retries=0)
    await face.create("other")
    await face.post("/queues/other/pause", {})
    await face.post("/workers/register", {"queue_name": "other", "hostname": "h"})
    everything, mine = await shown(face), await shown(face, key=LIMITED)
    assert (everything["jobs"]["total"], mine["jobs"]["total"]) == (3, 1)
    assert (everything["workers"]["total"], mine["workers"]["total"]) == (1, 0)
    assert [one["name"] for one in mine["glance"]] == ["mail"]
    assert [one["name"] for one in mine["queues"]] == ["mail"]
    assert [one["signature"] for one in mine["failures"]] == ["mine"]
    assert (mine["paused"], mine["oldest_claimable"]) == ([], None)
    assert mine["recent_activity"]["jobs_created_1h"] == 1
    rates = [one["throughput"]["hour"]["in_per_sec"] for one in (everything, mine)]
    assert rates[0] > rates[1] > 0
    for path in ("series", "timings"):
        answer = await face.get(f"/queues/other/{path}", key=LIMITED)
        assert_refused(answer, 404, "NOT_FOUND")


async def test_what_was_gathered_serves_everyone_for_a_second(face: Face) -> None:
    first = await shown(face)
    await face.create()
    assert (await face.get("/dashboard")).json == first
    assert (await shown(face))["jobs"]["total"] == 1


async def test_who_comes_meanwhile_gets_the_same() -> None:
    gathering, made = Gathering(FakeClock()), 0

    async def make() -> bytes:
        nonlocal made
        made += 1
        number = made
        await turns(5)
        return b"%d" % number

    def asked(queue: str) -> Any:
        return background(gathering.body(a_caller(queues=frozenset({queue})), make))

    tasks = [asked(queue) for queue in ("*", "*", "mail", "*", "mail")]
    assert [await task for task in tasks] == [b"1", b"1", b"2", b"1", b"2"]


def points_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.content
    points: list[dict[str, Any]] = answer.json["points"]
    return points


async def test_a_queue_over_time(face: Face) -> None:
    began = face.clock()
    face.clock.advance(60)
    job_id, _ = await face.create(), await face.create()
    face.clock.advance(20)
    await face.claim()
    face.clock.advance(20)
    await face.settle("complete", job_id)
    await face.claim()
    face.clock.advance(60)
    answer = await face.get("/queues/mail/series?since_secs=600")
    assert answer.json["step_secs"] == 10
    assert answer.json["from"] == points_of(answer)[0]["at"] == to_text(began // 10**7 * 10**7)
    told = {
        name: [one[name] for one in points_of(answer)]
        for name in ("in", "out", "failed", "pending", "processing")
    }
    assert told == {
        "in": [0] * 6 + [2] + [0] * 10,
        "out": [0] * 10 + [1] + [0] * 6,
        "failed": [0] * 17,
        "pending": [0] * 6 + [2] * 2 + [1] * 2 + [0] * 7,
        "processing": [0] * 8 + [1] * 9,
    }


@pytest.mark.parametrize(
    ("asked", "step", "points"),
    [
        ("", 20, 181),
        ("?since_secs=60", 10, 7),
        ("?since_secs=-5", 10, 7),
        ("?since_secs=2990", 10, 300),
        ("?since_secs=7200", 60, 121),
        ("?since_secs=86400", 300, 289),
        ("?since_secs=99999999", 300, 289),
    ],
)
async def test_points_are_even_and_bounded(face: Face, asked: str, step: int, points: int) -> None:
    for _ in range(26):
        await face.create()
        face.clock.advance(3_600)
    answer = await face.get(f"/queues/mail/series{asked}")
    assert (answer.json["step_secs"], len(points_of(answer))) == (step, points)
    hours = points * step // 3_600
    assert sum(one["in"] for one in points_of(answer)) == pytest.approx(hours, abs=1)
    assert {one["pending"] for one in points_of(answer)} <= set(range(27))
    assert points_of(answer)[-1]["pending"] == 26


async def test_series_of_a_queue_that_does_not_exist(face: Face) -> None:
    face.clock.advance(100)
    points = points_of(await face.get("/queues/none/series"))
    assert {(one["pending"], one["in"]) for one in points} == {(0, 0)}
    timings = (await face.get("/queues/none/timings")).json
    nothing = {"p50": None, "p90": None, "p99": None, "count": 0}
    since = timings.pop("figures_since")
    assert since == to_text(face.clock() - 100_000_000)
    assert timings == {"window_secs": 3_600, "wait_ms": nothing, "run_ms": nothing}


@pytest.mark.parametrize("bad", ["x", "1.5", ""])
async def test_since_must_be_a_number(face: Face, bad: str) -> None:
    answer = await face.get(f"/queues/mail/series?since_secs={bad}")
    assert_refused(answer, 400, "VALIDATION_ERROR")


async def test_timings(face: Face) -> None:
    for wait, run in [(1, 10)] * 8 + [(2, 20), (30, 300)]:
        job_id = await face.create()
        face.clock.advance(wait)
        await face.claim(lease_duration_secs=3_600)
        face.clock.advance(run)
        await face.settle("complete", job_id)
    timings = (await face.get("/queues/mail/timings")).json
    for kind, unit in (("wait_ms", 1_000), ("run_ms", 10_000)):
        told = timings[kind]
        assert told["count"] == 10
        assert told["p50"] == pytest.approx(unit, rel=0.07)
        assert told["p90"] == pytest.approx(2 * unit, rel=0.07)
        assert told["p99"] == pytest.approx(30 * unit, rel=0.07)
    face.advance(4_000)
    assert (await face.get("/queues/mail/timings")).json["wait_ms"]["count"] == 0


async def test_a_wait_begins_when_the_job_is_ready(face: Face) -> None:
    await face.create(scheduled_at=to_text(face.clock() + 500_000_000))
    face.advance(500)
    face.clock.advance(4)
    await face.claim(lease_duration_secs=100)
    face.advance(100)  # lost, and ready again
    face.clock.advance(4)
    (job,) = await face.claim()
    face.clock.advance(9)
    await face.settle("fail", job["id"])  # waits for two minutes, and is ready again
    face.advance(120)
    face.clock.advance(4)
    await face.claim()
    wait = (await face.get("/queues/mail/timings")).json["wait_ms"]
    assert wait["count"] == 3
    assert [wait["p50"], wait["p99"]] == pytest.approx([4_000, 4_000], rel=0.07)


async def opened(data_dir: Path) -> Started:
    def on_failure(failure: LogFailed) -> None:
        raise failure

    return await open_engine(Settings(data_dir=data_dir), on_failure)


def counted(started: Started) -> Any:
    """Give all that is counted of the queue, as plain values."""
    series = started.series
    ring = series.ring("default", "mail")
    groups = series.failures.groups("default", lambda _: True, started.engine.now_us())
    return (
        ring.rows(HOUR_US).table().tolist(),
        ring.rows(DAY_US).table().tolist(),
        ring.waited.since(0)[0].tolist(),
        ring.ran.since(0)[0].tolist(),
        [(group.signature, group.count) for group in groups],
    )


async def test_a_start_hears_what_it_replays(tmp_path: Path) -> None:
    first = await opened(tmp_path)
    engine = first.engine
    for _ in range(3):
        engine.execute(jobs.create, SYSTEM, a_job())
    claim = Claim(queue_name="mail", worker_id=ME)
    (job_id,) = engine.execute(claims.claim, SYSTEM, claim).answer
    engine.execute(settlements.fail, SYSTEM, job_id, Failure(worker_id=ME, error="no 1"))
    await engine.log.close()
    again = await opened(tmp_path)
    assert counted(first) == counted(again)
    assert counted(again)[-1] == [("no <n>", 1)]
    await again.engine.log.close()
