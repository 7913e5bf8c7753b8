"""The fields of answers about workers, health and the log, and of jobs in lists."""

from server.settings import VERSION
from tests.server.harness import ME, Face
from tests.server.test_answers import EVERYTHING, moment


async def test_summary(face: Face) -> None:
    job_id = (await face.post("/jobs", EVERYTHING)).json["id"]
    assert await face.summaries() == [
        {
            "id": job_id,
            "queue_name": "mail",
            "status": "pending",
            "priority": -7,
            "retry_count": 0,
            "max_retries": 9,
            "job_type": "send",
            "last_error": None,
            "created_at": moment(face),
            "scheduled_at": "2020-01-02T01:04:05.000006Z",
            "started_at": None,
            "completed_at": None,
        }
    ]


async def test_batch_status(face: Face) -> None:
    first, second = await face.create(), await face.create("other")
    found = await face.get(f"/jobs/status?ids=%20{second}%20,,nobody,{first},{second}")
    assert [one["id"] for one in found.json] == [second, first]
    assert found.json[1] == {
        "id": first,
        "status": "pending",
        "queue_name": "mail",
        "retry_count": 0,
        "attempt": 0,
        "max_retries": 3,
        "created_at": moment(face),
        "started_at": None,
        "completed_at": None,
    }


async def test_worker(face: Face) -> None:
    body = {
        "queue_name": "mail",
        "hostname": "host-1.example",
        "worker_id": ME,
        "worker_type": "python",
        "max_concurrency": 8,
        "metadata": {"pid": 1, "zone": "é"},
        "version": "1.6.0",
    }
    made = await face.post("/workers/register", body)
    assert made.status == 201
    assert made.json == {
        "id": ME,
        "queue_name": "mail",
        "lease_duration_secs": 30,
        "heartbeat_interval_secs": 10,
    }
    fresh = {
        **{name: value for name, value in body.items() if name != "worker_id"},
        "id": ME,
        "organization_id": "default",
        "queue_names": ["mail"],
        "current_jobs": 0,
        "status": "healthy",
        "last_heartbeat": moment(face),
        "registered_at": moment(face),
        "updated_at": moment(face),
    }
    assert (await face.get(f"/workers/{ME}")).json == fresh
    assert (await face.get("/workers")).json == [fresh]
    face.advance(10)
    beat = await face.post(f"/workers/{ME}/heartbeat", {"current_jobs": 3, "status": "degraded"})
    assert (beat.status, beat.content) == (200, b"")
    heard = {"last_heartbeat": moment(face), "updated_at": moment(face)}
    assert (await face.get(f"/workers/{ME}")).json == {
        **fresh,
        **heard,
        "current_jobs": 3,
        "status": "degraded",
    }


async def test_worker_with_defaults(face: Face) -> None:
    made = await face.post("/workers/register", {"queue_name": "mail", "hostname": "h"})
    worker = (await face.get(f"/workers/{made.json['id']}")).json
    assert (worker["worker_type"], worker["version"], worker["metadata"]) == (None, None, {})
    assert worker["max_concurrency"] == 5


async def test_health(face: Face) -> None:
    found = (await face.ask("GET", "/health", key=None)).json
    uptime = found.pop("uptime_seconds")
    assert isinstance(uptime, int)
    assert found == {
        "status": "healthy",
        "database": True,
        "cache": True,
        "version": VERSION,
        "sync": "none",
        "position": face.log.last,
    }
    ready = await face.ask("GET", "/health/ready", key=None)
    assert ready.json == {"status": "ready", "position": face.log.last}


async def test_log_stat(face: Face) -> None:
    await face.create()
    found = (await face.get("/log/stat")).json
    assert set(found) == {
        *("cluster", "epoch", "sync", "segments", "bytes", "last", "durable", "synced"),
        *("pending_bytes", "chain", "failed"),
    }
    assert (found["last"], found["durable"], found["epoch"]) == (face.log.last, face.log.last, 1)
