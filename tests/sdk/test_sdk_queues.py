"""The official SDK's calls about queues, workers and health, unchanged, both clients."""

import pytest
from spooled.errors import NotFoundError

from server.settings import VERSION
from tests.sdk.clients import Api
from tests.sdk.test_sdk_jobs import ME, claimed, created


async def test_queues(api: Api) -> None:
    name = "Special_queue.test-123"
    await created(api, queue_name=name)
    assert [one.queue_name for one in await api("queues.list")] == [name]
    settings = {"retry_delay_ms": 1000}
    changed = {"max_retries": 7, "default_timeout": 60, "rate_limit": 10, "settings": settings}
    stored = await api("queues.update_config", name, changed)
    assert stored == await api("queues.get", name)
    assert (stored.max_retries, stored.default_timeout, stored.rate_limit) == (7, 60, 10)
    assert (stored.enabled, stored.settings, stored.organization_id) == (True, settings, "default")
    stats = await api("queues.get_stats", name)
    assert (stats.queue_name, stats.pending_jobs, stats.active_workers) == (name, 1, 0)
    with pytest.raises(NotFoundError):
        await api("queues.get", "unknown")
    assert (await api("queues.get_stats", "unknown")).pending_jobs == 0


@pytest.mark.parametrize("reason", [None, "lunch"])
async def test_pause_and_resume(api: Api, reason: str | None) -> None:
    await created(api)
    paused = await api("queues.pause", "mail", reason)
    assert (paused.queue_name, paused.paused, paused.reason) == ("mail", True, reason)
    assert (await api("queues.get", "mail")).enabled is False
    assert await claimed(api) == []
    resumed = await api("queues.resume", "mail")
    assert (resumed.queue_name, resumed.resumed) == ("mail", True)
    assert resumed.paused_duration_secs >= 0
    assert len(await claimed(api)) == 1


async def test_workers(api: Api) -> None:
    made = await api(
        "workers.register",
        {"queue_name": "mail", "hostname": "host-1", "metadata": {"zone": 1}, "version": "1.2"},
    )
    assert (made.queue_name, made.lease_duration_secs, made.heartbeat_interval_secs) == (
        "mail",
        30,
        10,
    )
    beat = {"current_jobs": 3, "status": "draining"}
    assert not await api("workers.heartbeat", made.id, beat)
    worker = await api("workers.get", made.id)
    assert (worker.id, worker.hostname, worker.version) == (made.id, "host-1", "1.2")
    assert (worker.status, worker.current_jobs, worker.max_concurrency) == ("draining", 3, 5)
    assert (worker.queue_names, worker.metadata) == (["mail"], {"zone": 1})
    assert worker.registered_at <= worker.last_heartbeat
    (listed,) = await api("workers.list")
    assert (listed.id, listed.status, listed.current_jobs) == (made.id, "draining", 3)
    await api("workers.deregister", made.id)
    assert (await api("workers.get", made.id)).status == "offline"
    with pytest.raises(NotFoundError):
        await api("workers.heartbeat", "nobody", beat)


async def test_dashboard(api: Api) -> None:
    await created(api)
    await created(api, queue_name="other")
    (job,) = await claimed(api)
    await api("jobs.complete", job.id, {"worker_id": ME, "lease_id": job.lease_id})
    figures = await api("dashboard.get")
    assert (figures.system.version, figures.system.database_status) == (VERSION, "healthy")
    assert (figures.jobs.total, figures.jobs.pending, figures.jobs.completed_24h) == (2, 1, 1)
    assert figures.jobs.avg_wait_time_ms >= 0
    assert [(one.name, one.pending, one.paused) for one in figures.queues] == [
        ("mail", 0, False),
        ("other", 1, False),
    ]
    assert figures.workers.total == 0
    assert (figures.recent_activity.jobs_created_1h, figures.recent_activity.jobs_failed_1h) == (
        2,
        0,
    )


async def test_health(api: Api) -> None:
    health = await api("health.get")
    assert (health.status, health.version) == ("healthy", VERSION)
    assert (health.database, health.cache) == (True, True)
    assert health.uptime_seconds >= 0
    assert await api("health.liveness") is True
    assert await api("health.readiness") is True
