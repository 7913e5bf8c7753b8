"""Server-sent events: each once, in order, only what is durable and may be seen, and they end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from eventlog import LogExpired, LogFailed, MemoryLog
from projections.decide import Decision
from projections.events import JobRetired, KeyRevoked
from server import live, missed
from server.engine import SYSTEM
from server.http import events, streams
from server.http import listening as listening_module
from tests.server.harness import (
    API,
    KEY,
    ME,
    Face,
    assert_refused,
    background,
    turns,
    until,
)
from tests.server.listeners import Event, listening

LIMITED = "sp_test_limited"


async def token_of(face: Face, key: str = KEY) -> str:
    entered = await face.post("/auth/login", {"api_key": key}, key=None)
    token: str = entered.json["access_token"]
    return token


async def a_life(face: Face, queue: str = "mail") -> str:
    """Create, claim and complete a job: four frames."""
    job_id = await face.create(queue)
    await face.claim(queue)
    await face.settle("complete", job_id)
    return job_id


async def died(face: Face, queue: str = "mail") -> str:
    """Have a job fail twice, the second time for good, and send it back."""
    job_id = await face.create(queue, max_retries=1)
    await face.claim(queue)
    await face.settle("fail", job_id)
    face.advance(120)
    await face.claim(queue)
    await face.settle("fail", job_id)
    assert (await face.post(f"/jobs/{job_id}/retry")).status == 200
    return job_id


def kinds(found: list[Event]) -> list[str]:
    return [event.type for event in found]


async def everything(face: Face, query: str = "") -> list[Event]:
    """Give all that the log tells, read anew."""
    async with listening(face, f"?after=0{query}") as stream:
        await face.post("/queues/the-end/pause")
        found: list[Event] = []
        while not found or found[-1].data.get("queue_name") != "the-end":
            found += await stream.told(1)
        return found[:-1]


# -- what comes


async def test_a_life_is_told(face: Face) -> None:
    async with listening(face) as stream:
        first = await stream.next()
        assert first is not None
        assert (first.type, first.data["database"], first.data["redis"]) == (
            "SystemHealth",
            True,
            True,
        )
        assert first.id == str(face.log.durable_position)
        job_id = await face.create(priority=3)
        await face.claim()
        face.clock.advance(1.5)
        await face.settle("complete", job_id)
        created, started_, completed, ended = await stream.told(4)
    assert (created.type, created.data["priority"]) == ("JobCreated", 3)
    assert started_.move == (job_id, "pending", "processing")
    assert (completed.type, completed.data["duration_ms"]) == ("JobCompleted", 1_500)
    assert ended.move == (job_id, "processing", "completed")
    assert ended.data["timestamp"] == "2026-11-23T19:14:17.500000Z"
    last = face.log.last
    assert [one.id for one in (created, started_, completed, ended)] == [
        f"{last - 2}.0",
        f"{last - 1}.0",
        f"{last}.0",
        f"{last}.1",
    ]


async def test_failures_retries_and_the_end(face: Face) -> None:
    async with listening(face) as stream:
        job_id = await died(face)
        found = await stream.told(8)
    assert kinds(found) == [
        *("JobCreated", "JobStatusChange", "JobFailed", "JobStatusChange"),
        *("JobStatusChange", "JobFailed", "JobStatusChange", "JobStatusChange"),
    ]
    assert [one.data["retry_count"] for one in found if one.type == "JobFailed"] == [1, 1]
    assert [one.move[1:] for one in found if one.type == "JobStatusChange"] == [
        ("pending", "processing"),
        ("processing", "pending"),
        ("pending", "processing"),
        ("processing", "deadletter"),
        ("deadletter", "pending"),
    ]
    assert {one.data["job_id"] for one in found} == {job_id}


async def test_the_head_comes_at_once(face: Face) -> None:
    face.log.hold()
    creating = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
    await until(lambda: face.log.last > face.log.durable_position)
    async with listening(face, "?events=job.created") as stream:
        await until(lambda: stream.response.content._buffer)
        assert stream.response.content._buffer[0] == b": ping\n\n"
        face.log.release()
        await creating


async def test_only_durable_events_are_told(face: Face) -> None:
    async with listening(face, "?events=job.created") as stream:
        await until(lambda: len(face.service.live) == 1)
        face.log.hold()
        creating = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
        reading = asyncio.create_task(stream.told(1))
        await until(lambda: face.log.last > face.log.durable_position)
        await turns()
        assert not reading.done()
        face.log.release()
        assert (await reading)[0].data["job_id"] == (await creating).json["id"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?events=job.created", ["JobCreated"] * 2),
        ("?events=job.completed,job.created&queue=mail", ["JobCreated", "JobCompleted"]),
        ("?events=job.status_changed&queue=other", ["JobStatusChange"] * 2),
        ("?queue=mail&events=*", ["JobCreated", "JobStatusChange", "JobCompleted"]),
        ("?job_id={mine}&events=job.completed", ["JobCompleted"]),
        ("?events=worker.registered&queue=mail", ["WorkerRegistered"]),
        (
            "?events=worker.heartbeat,worker.deregistered,queue.paused,queue.resumed",
            ["WorkerHeartbeat", "WorkerDeregistered", "QueuePaused", "QueueResumed"],
        ),
    ],
)
async def test_filters(face: Face, query: str, wanted: list[str]) -> None:
    mine = await face.create(idempotency_key="mine")
    await face.claim()
    async with listening(face, query.replace("{mine}", mine)) as stream:
        await until(lambda: len(face.service.live) == 1)
        await face.settle("complete", mine)
        await a_life(face, "other")
        await face.create("mail")
        await face.claim("mail")
        await face.post(
            "/workers/register", {"queue_name": "mail", "hostname": "h", "worker_id": "w"}
        )
        await face.post("/workers/w/heartbeat", {"current_jobs": 1})
        await face.post("/workers/w/deregister")
        await face.post("/queues/mail/pause")
        await face.post("/queues/mail/resume")
        found = await stream.told(len(wanted))
    assert sorted(kinds(found)) == sorted(wanted) or kinds(found)[: len(wanted)] == wanted


async def test_beats(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEALTH_SECS", 0.01)
    async with listening(face) as stream:
        found = [await stream.next() for _ in range(3)]
    assert [one.type for one in found if one] == ["SystemHealth"] * 3
    monkeypatch.setattr(events, "PING_SECS", 0.01)
    async with listening(face, "?events=job.created") as stream:
        reading = asyncio.create_task(stream.told(1))
        await until(lambda: stream.comments > 3)
        await face.create()
        await reading


async def test_a_stream_ends_after_its_limit(face: Face) -> None:
    async with listening(face, "?events=job.status,job.completed&limit=2") as stream:
        await until(lambda: len(face.service.live) == 1)
        await a_life(face)
        assert kinds(await stream.rest()) == ["JobStatusChange", "JobCompleted"]


@pytest.mark.parametrize("limit", ["0", "-1"])
async def test_a_limit_is_moved_into_its_range(face: Face, limit: str) -> None:
    answer = await face.get(f"/events?limit={limit}")
    assert answer.content.count(b"data:") == 1


async def test_a_stream_ends_after_its_time(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STREAM_SECS_MAX", 0.01)
    async with listening(face) as stream:
        assert await stream.rest() == []
    await until(lambda: len(face.service.live) == 0)


# -- one job


async def test_a_job_is_told_until_it_has_ended(face: Face) -> None:
    job_id, other = await face.create(), await face.create()
    async with listening(face, f"/jobs/{job_id}") as stream:
        first = await stream.next()
        assert first is not None
        assert first.move == (job_id, "", "pending")
        assert (first.data["queue_name"], first.id) == ("mail", str(face.log.last))
        await face.claim(limit=2)
        await face.settle("complete", other)
        await face.settle("complete", job_id)
        assert [one.move for one in await stream.rest()] == [
            (job_id, "pending", "processing"),
            (job_id, "processing", "completed"),
        ]


@pytest.mark.parametrize("ended", ["completed", "deadletter", "cancelled"])
async def test_a_job_that_has_ended(face: Face, ended: str) -> None:
    job_id = await face.create(max_retries=0)
    if ended == "cancelled":
        await face.delete(f"/jobs/{job_id}")
    else:
        await face.claim()
        await face.settle("complete" if ended == "completed" else "fail", job_id)
    async with listening(face, f"/jobs/{job_id}") as stream:
        assert [one.move for one in await stream.rest()] == [(job_id, "", ended)]


async def test_a_job_that_nobody_knows(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    theirs = await face.create("other")
    for job_id in ("nobody", theirs):
        async with listening(face, f"/jobs/{job_id}", key=LIMITED) as stream:
            (error,) = await stream.rest()
        assert (error.type, error.data["message"]) == ("Error", "Job not found")


async def test_a_job_that_goes(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_SECS", 0.01)
    job_id = await face.create()
    async with listening(face, f"/jobs/{job_id}") as stream:
        assert (await stream.next()) is not None
        assert (await face.delete("/queues/mail?delete_jobs=true")).status == 204
        assert [one.data["message"] for one in await stream.rest()] == ["Job not found"]


async def test_a_status_waits_until_it_is_durable(face: Face) -> None:
    job_id = await face.create()
    face.log.hold()
    cancelling = background(face.delete(f"/jobs/{job_id}"))
    await until(lambda: face.log.last > face.log.durable_position)
    async with listening(face, f"/jobs/{job_id}") as stream:
        reading = asyncio.create_task(stream.rest())
        await turns()
        assert not reading.done()
        face.log.release()
        assert [one.move for one in await reading] == [(job_id, "", "cancelled")]
    await cancelling


async def test_a_job_goes_on_where_it_was_left(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_SECS", 0.01)
    job_id = await face.create()
    async with listening(face, f"/jobs/{job_id}") as stream:
        await stream.next()
    left = {"Last-Event-ID": stream.last_id or ""}
    await face.claim()
    async with listening(face, f"/jobs/{job_id}", headers=left) as stream:
        assert [one.move for one in await stream.told(1)] == [(job_id, "pending", "processing")]
        left = {"Last-Event-ID": stream.last_id or ""}
    await face.settle("complete", job_id)
    async with listening(face, f"/jobs/{job_id}", headers=left) as stream:
        assert [one.move for one in await stream.rest()] == [(job_id, "processing", "completed")]
        left = {"Last-Event-ID": stream.last_id or ""}
    async with listening(face, f"/jobs/{job_id}", headers=left) as stream:
        assert [one.move for one in await stream.rest()] == [(job_id, "", "completed")]


# -- one queue


async def test_a_queues_figures(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "FIGURES_SECS", 0.01)
    async with listening(face, "/queues/mail") as stream:
        first = await stream.next()
        assert first is not None
        assert first.data["pending"] == first.data["completed"] == 0
        await a_life(face)
        dead = await face.create(max_retries=0)
        await face.claim()
        await face.settle("fail", dead)
        await face.create(scheduled_at="2030-01-01T00:00:00Z")
        await face.create()
        await face.create()
        await face.claim()
        wanted = {"queue_name": "mail", "pending": 2, "processing": 1, "completed": 1, "failed": 1}
        while True:
            event = await stream.next()
            assert event is not None
            assert event.type == "QueueStats"
            if {name: event.data[name] for name in wanted} == wanted:
                break


async def test_a_queues_figures_cost_nothing_between(face: Face) -> None:
    async with listening(face, "/queues/mail") as stream:
        await stream.next()
        await a_life(face)
        assert not face.service.live._waiting
        assert face.service.live.told == 0


async def test_another_queues_figures(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    assert_refused(await face.get("/events/queues/other", key=LIMITED), 404, "NOT_FOUND")
    assert_refused(await face.get("/events?queue=other", key=LIMITED), 403, "ACCESS_DENIED")


# -- who may listen


async def test_tokens_in_the_header_and_in_the_address(face: Face) -> None:
    token = await token_of(face)
    for key, query in ((token, "?limit=1"), (None, f"?limit=1&token={token}")):
        for path in ("", "/queues/mail"):
            async with listening(face, f"{path}{query}", key=key) as stream:
                assert await stream.next() is not None
    assert_refused(await face.get(f"/events?token={KEY}", key=None), 401, "AUTHENTICATION_FAILED")
    assert_refused(await face.get("/events?token=", key=None), 401, "UNAUTHORIZED")
    refresh = (await face.post("/auth/login", {"api_key": KEY}, key=None)).json["refresh_token"]
    refused = await face.get(f"/events?token={refresh}", key=None)
    assert_refused(refused, 401, "AUTHENTICATION_FAILED")


async def test_a_limited_key_sees_its_queues_only(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    for after in ("", "?after=0"):
        async with listening(face, after, key=LIMITED) as stream:
            await until(lambda: len(face.service.live) == 1)
            for queue in ("other", "mail"):
                await a_life(face, queue)
                await face.post(f"/queues/{queue}/pause")
                await face.post(f"/queues/{queue}/resume")
            found = await stream.told(6)
    assert {one.data["queue_name"] for one in found} == {"mail"}
    assert kinds(found)[-2:] == ["QueuePaused", "QueueResumed"]


async def test_what_was_missed_of_a_job_that_is_gone_is_seen_by_its_queues_keys(
    face: Face,
) -> None:
    face.add_key(LIMITED, "mail")
    mine, theirs = await a_life(face), await a_life(face, "other")
    gone = (JobRetired(job=mine), JobRetired(job=theirs))
    face.engine.execute(lambda state, ctx: Decision(gone, None), SYSTEM)
    async with listening(face, "?after=0", key=LIMITED) as stream:
        found = await stream.told(4)
    assert {one.data["job_id"] for one in found} == {mine}
    assert {one.data["queue_name"] for one in found} == {"mail"}


@pytest.mark.parametrize("how", ["key", "token"])
async def test_who_is_let_in_no_more_hears_no_more(face: Face, how: str) -> None:
    face.add_key(LIMITED)
    (key_id,) = [key.id for key in face.engine.state.tables.keys.values() if key.name == "limited"]
    token = await token_of(face, LIMITED)
    async with listening(face, key=LIMITED if how == "key" else token) as stream:
        await stream.next()
        if how == "key":
            face.engine.execute(
                lambda state, ctx: Decision((KeyRevoked(key=key_id),), None), SYSTEM
            )
        else:
            assert (await face.post("/auth/logout", key=token)).status == 204
        await face.create()
        assert await stream.rest() == []


async def test_a_server_that_goes_ends_its_streams(face: Face) -> None:
    job_id = await face.create()
    async with (
        listening(face) as all_,
        listening(face, f"/jobs/{job_id}") as one,
        listening(face, "/queues/mail") as figures,
    ):
        for stream in (all_, one, figures):
            assert await stream.next() is not None
        await face.client.server.app.shutdown()  # type: ignore[union-attr]
        for stream in (all_, one, figures):
            assert await stream.rest() == []
    async with listening(face) as stream:
        assert await stream.rest() == [], "and nobody is let in again"


# -- going on


async def test_what_was_missed_is_what_was_told(face: Face) -> None:
    async with listening(face) as stream:
        await stream.next()
        for number in range(3):
            await died(face, f"mail-{number}")
            await a_life(face, "other")
        await face.create(scheduled_at="2026-11-23T20:14:16Z", expires_at="2026-11-24T20:14:16Z")
        face.advance(3_600 * 24 * 3)
        jobs = [await face.create("bulk") for _ in range(30)]
        await face.post("/jobs/actions", {"action": "cancel", "filter": {"queue_name": "bulk"}})
        await face.post("/queues/the-end/pause")
        live_: list[Event] = []
        while not live_ or live_[-1].data.get("queue_name") != "the-end":
            live_ += await stream.told(1)
    assert len(jobs) == sum(one.data.get("new_status") == "cancelled" for one in live_) - 1
    again = await everything(face)
    assert again == live_[:-1]
    for number, event in enumerate(live_):
        if number % 5 == 0:
            async with listening(face, headers={"Last-Event-ID": event.id or ""}) as stream:
                wanted = live_[number + 1 :]
                assert await stream.told(len(wanted)) == wanted


async def test_a_worker_was_of_the_queue_that_it_had_then(face: Face) -> None:
    async with listening(face, "?queue=mail") as stream:
        for queue in ("mail", "other"):
            worker = {"queue_name": queue, "hostname": "h", "worker_id": ME}
            await face.post("/workers/register", worker)
            await face.post(f"/workers/{ME}/heartbeat", {"current_jobs": 0})
        await face.post("/queues/mail/pause")
        told = await stream.told(3)
    assert kinds(told) == ["WorkerRegistered", "WorkerHeartbeat", "QueuePaused"]
    async with listening(face, "?queue=mail&after=0") as stream:
        assert await stream.told(3) == told


@pytest.mark.parametrize("lives", [0, 1, 2, 20_000])
async def test_a_forgotten_life_is_made_out_anew(
    face: Face, monkeypatch: pytest.MonkeyPatch, lives: int
) -> None:
    async with listening(face) as stream:
        await stream.next()
        first, second = await face.create(), await face.create()
        await face.claim(limit=2)
        for job_id in (first, second):
            await face.settle("fail", job_id)
        face.advance(120)
        await face.claim(limit=2)
        for job_id in (second, first):
            await face.settle("complete", job_id)
        told = await stream.told(15 - 1)
    monkeypatch.setattr(missed, "LIVES_MAX", lives)
    assert await everything(face) == told


async def test_going_on_while_more_happens(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_module, "NEAR_RECORDS", 5)
    for _ in range(50):
        await face.create()
    async with (
        listening(face, "?after=0&events=job.created") as stream,
        listening(face, "?events=job.created") as other,
    ):
        creating = [
            background(face.post("/jobs", {"queue_name": "q", "payload": 1})) for _ in range(50)
        ]
        found = await stream.told(100)
        await asyncio.gather(*creating)
        assert len(await other.told(50)) == 50
    assert len({one.data["job_id"] for one in found}) == 100
    places = [tuple(map(int, (one.id or "").split("."))) for one in found]
    assert places == sorted(set(places))


async def test_who_comes_while_a_record_waits_for_the_disk(face: Face) -> None:
    async with listening(face, "?events=job.created") as early:
        await until(lambda: len(face.service.live) == 1)
        before = face.log.last
        face.log.hold()
        first = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
        await until(lambda: face.log.last > before)
        async with listening(face, f"?events=job.created&after={before}") as late:
            await until(lambda: len(face.service.live) == 2)
            second = background(face.post("/jobs", {"queue_name": "mail", "payload": 2}))
            await until(lambda: face.log.last > before + 1)
            face.log.release()
            ids = [(await one).json["id"] for one in (first, second)]
            for stream in (early, late):
                assert [one.data["job_id"] for one in await stream.told(2)] == ids
            # Each once: what follows is the next that happens.
            ids = [await face.create()]
            for stream in (early, late):
                assert [one.data["job_id"] for one in await stream.told(1)] == ids


async def test_beats_tell_how_far_one_has_come(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEALTH_SECS", 0.01)
    async with listening(face, "?events=job.failed,system.health") as stream:
        await stream.next()
        await a_life(face)
        while stream.last_id != str(face.log.last):
            assert await stream.next() is not None


async def test_what_has_expired_is_said(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await face.create()
    monkeypatch.setattr(MemoryLog, "first", 4)
    for headers, query in (({"Last-Event-ID": "2"}, ""), ({}, "?after=2")):
        async with listening(face, query, headers=headers) as stream:
            (error,) = await stream.told(1)
            assert (error.type, error.id) == ("Error", None)
            assert "before 4 have expired" in error.data["message"]
            job_id = await face.create()
            assert [one.data["job_id"] for one in await stream.told(1)] == [job_id]
    async with listening(face, "?after=3&events=job.created") as stream:
        assert await stream.told(1)


async def test_what_expires_meanwhile_is_said(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    async def expired(log: object, after: int) -> AsyncIterator[Any]:
        raise LogExpired(9)
        yield

    monkeypatch.setattr(MemoryLog, "read", expired)
    await face.create()
    async with listening(face, "?after=0") as stream:
        assert "before 9" in (await stream.told(1))[0].data["message"]
        await face.create()
        assert kinds(await stream.told(1)) == ["JobCreated"]


async def test_an_id_of_another_log_is_said(face: Face) -> None:
    async with listening(face, "?after=1000.1") as stream:
        (error,) = await stream.told(1)
        assert "of another one" in error.data["message"]
        await face.create()
        assert kinds(await stream.told(1)) == ["JobCreated"]


async def test_marks_that_are_none(face: Face) -> None:
    assert_refused(await face.get("/events?after=x"), 400, "VALIDATION_ERROR")
    async with listening(face, headers={"Last-Event-ID": "of-another-server"}) as stream:
        await stream.next()
        await face.create()
        assert kinds(await stream.told(1)) == ["JobCreated"]


# -- those that do not keep up, and the end of the log


async def test_who_is_too_slow_is_dropped_and_memory_is_bounded(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "UNTAKEN_BYTES_MAX", 50_000)
    request = f"GET {API}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
    reader, writer = await asyncio.open_connection(face.client.host, face.client.port, limit=1)
    writer.write(request.encode())
    await until(lambda: len(face.service.live) == 1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    (listener,) = face.service.live._listeners
    async with listening(face, "?events=queue.paused") as quick:
        await until(lambda: len(face.service.live) == 2)
        body = {"queue_name": "mail", "jobs": [{"payload": 1}] * 100}
        async with asyncio.timeout(60):
            while face.service.live.dropped == 0:
                await face.post("/jobs/bulk", body)
                assert listener._bytes <= 50_000
        assert listener.ended
        assert not listener._batches
        assert len(face.service.live) == 1
        await face.post("/queues/mail/pause")
        assert kinds(await quick.told(1)) == ["QueuePaused"]
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert not (await reader.read()).endswith(b"0\r\n\r\n"), "it was cut off, and has no end"
    writer.close()


@asynccontextmanager
async def a_client_that_takes_nothing(face: Face, path: str) -> AsyncIterator[None]:
    """Ask for much, and read none of it."""
    for _ in range(30):
        body: dict[str, Any] = {"queue_name": "mail", "jobs": [{"payload": 1}] * 100}
        assert (await face.post("/jobs/bulk", body)).status == 200
        jobs = await face.claim(limit=100)
        body = {
            "worker_id": ME,
            "jobs": [{"job_id": one["id"], "error": "e" * 2_000} for one in jobs],
        }
        assert (await face.post("/jobs/bulk/fail", body)).json["success_count"] == 100
    request = f"GET {API}{path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
    _, writer = await asyncio.open_connection(face.client.host, face.client.port, limit=1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.transport.get_extra_info("socket").setsockopt(1, 8, 4_096)
    writer.write(request.encode())
    await until(lambda: face.service.traffic.connections == 2)
    yield
    writer.close()


async def is_cut_off(face: Face) -> None:
    async with asyncio.timeout(20):
        while face.service.traffic.connections == 2:  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0.01)


async def test_who_takes_nothing_is_dropped(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CONSUMER_SECS_MAX", 0.05)
    async with a_client_that_takes_nothing(face, "/events?after=0"):
        await is_cut_off(face)


@pytest.mark.parametrize("path", ["/events?after=0", "/log/records?follow=true"])
async def test_who_takes_nothing_does_not_hold_up_a_server_that_goes(face: Face, path: str) -> None:
    busy = face.service.sending
    async with a_client_that_takes_nothing(face, path):
        await until(lambda: any(one.get_write_buffer_size() > 65_536 for one in busy if one))
        await face.client.server.app.shutdown()  # type: ignore[union-attr]
        await is_cut_off(face)
        await until(lambda: not busy)


async def test_without_listeners_nothing_is_made(face: Face) -> None:
    async with listening(face) as stream:
        await stream.next()
    face.service.live.close()
    await a_life(face)
    assert face.service.live.told == 0
    assert not face.service.live._waiting
    assert not face.service.live._lines


async def test_listeners_that_want_the_same_share_it(face: Face) -> None:
    async with (
        listening(face) as one,
        listening(face) as other,
        listening(face, "?queue=q") as third,
    ):
        await until(lambda: len(face.service.live) == 3)
        assert sorted(len(line) for _, line in face.service.live._lines.of([])) == [1, 2]
        await face.create("q")
        for stream in (one, other, third):
            assert kinds(await stream.told(1)) == ["JobCreated"]
        assert face.service.live.told == 3


async def test_a_failed_log_ends_the_streams(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(log: object, position: int) -> None:
        raise LogFailed(5, "segment")  # type: ignore[arg-type]

    async with listening(face) as stream:
        await stream.next()
        face.log.hold()
        monkeypatch.setattr(MemoryLog, "durable", failing)
        assert (await face.post("/jobs", {"queue_name": "q", "payload": 1})).status == 503
        assert await stream.rest() == []


async def test_a_damaged_past_breaks_the_stream_off(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    face.log._bodies[0] = b'{"v":9}'
    async with listening(face, "?after=0") as stream:
        with pytest.raises(aiohttp.ClientError):
            await stream.rest()
    assert "the events broke off" in caplog.text
