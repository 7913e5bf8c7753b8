"""The fields of answers about queues, and counts."""

from typing import Any

import pytest

from projections.moments import to_text
from tests.server.harness import Face
from tests.server.test_answers import moment

STATES = ("pending", "scheduled", "processing", "completed", "failed", "deadletter", "cancelled")


async def test_queue_of_a_first_job(face: Face) -> None:
    await face.create()
    found = (await face.get("/queues/mail")).json
    assert found == {
        "id": found["id"],
        "organization_id": "default",
        "queue_name": "mail",
        "max_retries": 3,
        "default_timeout": 300,
        "rate_limit": None,
        "enabled": True,
        "settings": {},
        "paused_at": None,
        "paused_by": None,
        "paused_reason": None,
        "created_at": moment(face),
        "updated_at": moment(face),
    }


async def test_queues_by_name(face: Face) -> None:
    for name in ("b", "a", "C", "10", "2"):
        await face.create(name)
    found = (await face.get("/queues")).json
    assert [one["queue_name"] for one in found] == ["10", "2", "C", "a", "b"]
    assert found[0] == {
        "queue_name": "10",
        "max_retries": 3,
        "default_timeout": 300,
        "rate_limit": None,
        "enabled": True,
    }


async def test_at_most_100_queues_are_listed(face: Face) -> None:
    for number in range(101):
        await face.create(f"q{number:03}")
    found = (await face.get("/queues")).json
    assert [one["queue_name"] for one in found] == [f"q{number:03}" for number in range(100)]


async def test_configure_is_a_partial_update(face: Face) -> None:
    whole: dict[str, Any] = {
        "max_retries": 7,
        "default_timeout": 60,
        "rate_limit": 100,
        "settings": {"retry_delay_ms": 1000, "a": [2.50]},
    }
    made = await face.put("/queues/mail/config", {**whole, "queue_name": "mail"})
    assert made.status == 200
    assert {name: made.json[name] for name in whole} == whole
    assert made.json == (await face.get("/queues/mail")).json
    face.advance(5)
    kept = await face.put("/queues/mail/config", {"max_retries": 1})
    assert kept.json == {**made.json, "max_retries": 1, "updated_at": moment(face)}
    freed = await face.put("/queues/mail/config", {"rate_limit": None, "settings": None})
    assert freed.json == {**kept.json, "rate_limit": None}
    assert (await face.put("/queues/mail/config")).json == freed.json


async def test_enabled_false_is_paused(face: Face) -> None:
    off = (await face.put("/queues/mail/config", {"enabled": False})).json
    assert (off["enabled"], off["paused_at"]) == (False, moment(face))
    face.advance(1)
    again = (await face.put("/queues/mail/config", {"enabled": False})).json
    assert again["paused_at"] == off["paused_at"]
    on = (await face.put("/queues/mail/config", {"enabled": True})).json
    assert (on["enabled"], on["paused_at"]) == (True, None)


async def test_pause_and_resume(face: Face) -> None:
    paused = await face.post("/queues/mail/pause", {"reason": "lunch"})
    assert paused.json == {
        "queue_name": "mail",
        "paused": True,
        "paused_at": moment(face),
        "reason": "lunch",
    }
    detail = (await face.get("/queues/mail")).json
    assert (detail["enabled"], detail["paused_reason"]) == (False, "lunch")
    assert detail["paused_by"].startswith("key_")
    face.advance(10)
    again = await face.post("/queues/mail/pause")
    assert again.json == {**paused.json, "paused_at": moment(face), "reason": None}
    face.advance(90.9)
    resumed = await face.post("/queues/mail/resume")
    assert resumed.json == {"queue_name": "mail", "resumed": True, "paused_duration_secs": 90}
    detail = (await face.get("/queues/mail")).json
    assert detail["enabled"]
    assert (detail["paused_at"], detail["paused_by"], detail["paused_reason"]) == (None,) * 3
    at = face.footprint()
    assert (await face.post("/queues/mail/resume")).json["paused_duration_secs"] == 0
    assert face.footprint() == at


async def test_stats_of_an_unknown_queue(face: Face) -> None:
    assert (await face.get("/queues/none/stats")).json == {
        "queue_name": "none",
        "pending_jobs": 0,
        "processing_jobs": 0,
        "completed_jobs_24h": 0,
        "failed_jobs_24h": 0,
        "avg_processing_time_ms": None,
        "max_job_age_seconds": None,
        "active_workers": 0,
        "scheduled_jobs": 0,
        "enqueued_per_minute": 0.0,
        "throughput_per_minute": 0.0,
        "last_claimed_at": None,
    }
    assert (await face.get("/queues")).json == []


async def test_stats_of_a_queue(face: Face) -> None:
    await face.post("/workers/register", {"queue_name": "mail", "hostname": "h"})
    for secs in (1, 2):
        job_id = await face.create()
        await face.claim()
        face.advance(secs)
        await face.settle("complete", job_id)
    dead = await face.create(max_retries=0)
    await face.claim()
    await face.settle("fail", dead)
    await face.create()
    await face.claim()
    await face.create(scheduled_at="2099-01-01T00:00:00Z")
    face.advance(5.9)
    await face.create()
    await face.create("other")
    assert (await face.get("/queues/mail/stats")).json == {
        "queue_name": "mail",
        "pending_jobs": 1,
        "processing_jobs": 1,
        "completed_jobs_24h": 2,
        "failed_jobs_24h": 1,
        "avg_processing_time_ms": 1500.0,
        "max_job_age_seconds": 5,
        "active_workers": 1,
        "scheduled_jobs": 1,
        # six came and two were done in 4 minutes and 24.9 seconds, the last five minutes so far
        "enqueued_per_minute": 1.36,
        "throughput_per_minute": 0.45,
        "last_claimed_at": to_text(face.clock() - 5_900_000),
    }


@pytest.mark.parametrize(("hours", "counted"), [(23.9, 1), (24.1, 0)])
async def test_stats_count_the_last_24_hours(face: Face, hours: float, counted: int) -> None:
    done, dead = await face.create(), await face.create(max_retries=0)
    await face.claim(limit=2)
    await face.settle("complete", done)
    await face.settle("fail", dead)
    face.advance(hours * 3600)
    stats = (await face.get("/queues/mail/stats")).json
    assert (stats["completed_jobs_24h"], stats["failed_jobs_24h"]) == (counted, counted)


async def test_job_stats(face: Face) -> None:
    zeros = {**dict.fromkeys(STATES, 0), "total": 0}
    assert (await face.get("/jobs/stats")).json == zeros
    for _ in range(3):
        await face.create()
    await face.create("other", scheduled_at="2099-01-01T00:00:00Z")
    done, dead = [job["id"] for job in await face.claim(limit=2)]
    await face.settle("complete", done)
    await face.settle("fail", dead)
    assert (await face.get("/jobs/stats")).json == {
        **zeros,
        "pending": 2,
        "scheduled": 1,
        "completed": 1,
        "total": 4,
    }
