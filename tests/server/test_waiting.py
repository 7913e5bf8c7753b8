"""Claims that wait: woken by what arrives, the oldest first, and nothing lost to who has gone."""

import asyncio
from typing import Any

import pytest

from tests.server.harness import (
    API,
    KEY,
    ME,
    Answer,
    Face,
    assert_refused,
    background,
    turns,
    until,
)


def waits(face: Face, worker: str = ME, **fields: Any) -> asyncio.Task[Answer]:
    body = {"queue_name": "mail", "worker_id": worker, "wait_secs": 20, **fields}
    return background(face.post("/jobs/claim", body))


async def lined_up(face: Face, count: int) -> None:
    await until(lambda: len(face.service.waiting) == count)


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.content
    return [job["id"] for job in answer.json["jobs"]]


async def test_a_waiting_claim_gets_the_job_that_arrives(face: Face) -> None:
    asking = waits(face)
    await lined_up(face, 1)
    await face.create("other")
    await turns()
    assert not asking.done()
    job_id = await face.create()
    assert ids(await asking) == [job_id]
    assert len(face.service.waiting) == 0


async def test_what_is_there_is_given_at_once(face: Face) -> None:
    job_id = await face.create()
    assert ids(await waits(face)) == [job_id]


async def test_time_is_up(face: Face) -> None:
    assert ids(await waits(face, wait_secs=0.05)) == []
    assert len(face.service.waiting) == 0
    assert ids(await waits(face, wait_secs=0)) == []


async def test_the_oldest_waiter_is_served_first(face: Face) -> None:
    asking = []
    for number in range(5):
        asking.append(waits(face, f"w{number}"))
        await lined_up(face, number + 1)
    made = [await face.create() for _ in range(5)]
    assert [ids(await one) for one in asking] == [[job_id] for job_id in made]


async def test_many_jobs_at_once_serve_many(face: Face) -> None:
    first, second, third = waits(face, limit=2), None, None
    await lined_up(face, 1)
    second = waits(face, "w2", limit=2)
    await lined_up(face, 2)
    third = waits(face, "w3")
    await lined_up(face, 3)
    items = [{"payload": number} for number in range(3)]
    await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": items})
    assert [len(ids(await one)) for one in (first, second)] == [2, 1]
    await turns()
    assert not third.done()
    await face.create()
    assert len(ids(await third)) == 1


async def wakes(face: Face, how: str) -> str:
    """Set up a job that cannot be claimed yet; give its id."""
    match how:
        case "due" | "expired lease" | "retry":
            when = {"scheduled_at": "2099-01-01T00:00:00Z"} if how == "due" else {}
            job_id = await face.create(**when)
        case "parent":
            parent = await face.create("parents")
            job_id = await face.create(parent_job_id=parent)
        case "concurrency":
            await face.put("/queues/mail/config", {"settings": {"concurrency_limit": 1}})
            await face.create()
            job_id = await face.create()
        case _:
            job_id = await face.create()
    if how in {"resume", "config"}:
        await face.post("/queues/mail/pause")
    elif how == "dead letter":
        await face.claim()
        await face.put("/queues/mail/config", {"max_retries": 0})
        await face.settle("fail", job_id)
    elif how in {"expired lease", "retry", "concurrency"}:
        await face.claim()
    if how == "retry":
        await face.settle("fail", job_id)
    return job_id


@pytest.mark.parametrize(
    "how", ["due", "expired lease", "retry", "parent", "concurrency", "resume", "config"]
)
async def test_whatever_makes_a_job_claimable_wakes(face: Face, how: str) -> None:
    job_id = await wakes(face, how)
    asking = waits(face)
    await lined_up(face, 1)
    await turns()
    assert not asking.done()
    match how:
        case "due":
            face.advance(10**10)
        case "expired lease":
            face.advance(31)
        case "retry":
            face.advance(61)
        case "parent":
            parents = await face.claim("parents")
            await face.settle("complete", parents[0]["id"])
        case "concurrency":
            done = (await face.get("/jobs?status=processing")).json[0]["id"]
            await face.settle("complete", done)
        case "resume":
            await face.post("/queues/mail/resume")
        case "config":
            await face.put("/queues/mail/config", {"enabled": True})
    assert ids(await asking) == [job_id]


async def test_a_rate_limit_wakes_by_itself(face: Face) -> None:
    await face.put("/queues/mail/config", {"rate_limit": 1000})
    await face.create()
    queue = face.engine.state.queue("default", "mail")
    assert queue is not None
    queue.paid_until_ns = (face.clock() + 1_000_500) * 1_000
    asking = waits(face)
    await lined_up(face, 1)
    face.clock.advance(0.01)
    assert len(ids(await asking)) == 1


async def test_who_has_gone_takes_nothing_and_holds_up_nobody(face: Face) -> None:
    body = b'{"queue_name":"mail","worker_id":"gone","wait_secs":20}'
    request = (
        f"POST {API}/jobs/claim HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    _, writer = await asyncio.open_connection(face.client.host, face.client.port)
    writer.write(request)
    await lined_up(face, 1)
    patient = waits(face, "w2")
    await lined_up(face, 2)
    writer.transport.abort()
    await turns()
    job_id = await face.create()
    assert ids(await patient) == [job_id]
    job = await face.job(job_id)
    assert (job["assigned_worker_id"], job["retry_count"]) == ("w2", 0)


async def test_a_claim_whose_client_went_before_the_answer_is_taken_back(face: Face) -> None:
    job_id = await face.create(max_retries=0)
    body = b'{"queue_name":"mail","worker_id":"gone"}'
    request = (
        f"POST {API}/jobs/claim HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    _, writer = await asyncio.open_connection(face.client.host, face.client.port)
    face.log.hold()
    last = face.log.last
    writer.write(request)
    await until(lambda: face.log.last > last)
    connections = face.client.server.runner.server.connections  # type: ignore[union-attr]
    (held,) = [one for one in connections if one._current_request is not None]
    writer.transport.abort()
    await until(lambda: held.transport is None)
    face.log.release()
    job = face.engine.state.tables.jobs[job_id]
    await until(lambda: job.worker is None)
    assert (job.status, job.retry_count) == ("pending", 0)
    assert [one["id"] for one in await face.claim()] == [job_id]


async def test_a_server_that_goes_sends_everyone_home(face: Face) -> None:
    asking = waits(face)
    await lined_up(face, 1)
    face.service.draining = True
    face.service.waiting.close()
    assert ids(await asking) == []
    await face.create()
    assert ids(await waits(face)) == []


@pytest.mark.parametrize("secs", [-1, 20.5, 1e300])
async def test_nobody_waits_longer_than_the_bound(face: Face, secs: float) -> None:
    body = {"queue_name": "mail", "worker_id": ME, "wait_secs": secs}
    assert_refused(await face.post("/jobs/claim", body), 400, "VALIDATION_ERROR")


async def test_what_a_waiting_claim_got_is_durable_before_it_is_told(face: Face) -> None:
    asking = waits(face)
    await lined_up(face, 1)
    face.log.hold()
    creating = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
    await until(lambda: len(face.service.waiting) == 0)
    await turns()
    assert not asking.done()
    face.log.release()
    assert len(ids(await asking)) == 1
    await creating
