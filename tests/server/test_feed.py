"""The log as a feed: everything once, nobody else's, only what is durable, and it ends when it must."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from msgspec import Raw
from yarl import URL

from eventlog import LogExpired, LogFailed
from projections.decide import Context, Decision, access
from projections.events import JobCreated, KeyRevoked, QueueCreated
from projections.state import State
from server import feed
from server.access import new_key
from server.engine import SYSTEM
from server.http import records, streams
from tests.server.harness import (
    API,
    KEY,
    SECRET,
    Face,
    assert_refused,
    background,
    turns,
    until,
)

BATCH = {"Accept": "application/cloudevents-batch+json"}
LIMITED = "sp_test_limited"
HOOK_SECRET = "of-the-webhook"


def parsed(content: bytes) -> list[dict[str, Any]]:
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


async def fed(face: Face, query: str = "", key: str = KEY) -> list[dict[str, Any]]:
    answer = await face.get(f"/log/records{query}", key=key)
    assert answer.status == 200, answer.content
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return parsed(answer.content)


async def types(face: Face, query: str = "", key: str = KEY) -> list[str]:
    return [event["type"] for line in await fed(face, query, key) for event in line["events"]]


def stored(face: Face) -> list[dict[str, Any]]:
    """Give every record as the log has it."""
    found = []
    for position, body in enumerate(face.log._bodies, start=1):
        record = json.loads(body)
        for index, event in enumerate(record["events"]):
            event.pop("completion_webhook_secret", None)
            record["events"][index] = {"index": index, **event}
        found.append({"position": position, **record})
    return found


async def a_life(face: Face) -> tuple[str, str]:
    """Let two jobs live in two queues, with a worker in each; give the jobs."""
    mine = await face.create("mail", completion_webhook_secret=HOOK_SECRET)
    theirs = await face.create("other")
    for queue in ("mail", "other"):
        body = {"queue_name": queue, "hostname": "h", "worker_id": f"in-{queue}"}
        await face.post("/workers/register", body)
        await face.post(f"/workers/in-{queue}/heartbeat", {"current_jobs": 1})
        await face.claim(queue)
    await face.settle("complete", mine)
    await face.settle("complete", theirs)
    return mine, theirs


class Stream:
    """The lines of a stream, one by one."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def line(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self.response.content.readline(), 10)
        assert text.endswith(b"\n"), text
        found: dict[str, Any] = json.loads(text)
        return found

    async def rest(self) -> list[dict[str, Any]]:
        return parsed(await asyncio.wait_for(self.response.content.read(), 10))


@asynccontextmanager
async def following(face: Face, query: str = "", key: str = KEY) -> AsyncIterator[Stream]:
    target = URL(f"{API}/log/records?follow=1{query}", encoded=True)
    headers = {"Authorization": f"Bearer {key}"}
    async with face.client.get(target, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert response.headers["X-Request-Id"]
        yield Stream(response)


# -- pages


async def test_a_line_is_a_record_as_it_is_stored(face: Face) -> None:
    await a_life(face)
    for line, record in zip(await fed(face), stored(face), strict=True):
        assert list(line) == ["position", "at", "by", "req", "events"]
        assert line["events"] == record["events"]
        assert (line["position"], line["by"], line["req"]) == (
            record["position"],
            record["by"],
            record["req"],
        )
        assert line["at"] == "2026-11-23T19:14:16.000000Z"


async def test_secrets_stay_and_documents_keep_their_spelling(face: Face) -> None:
    await face.ask(
        "POST",
        f"{API}/jobs",
        data=b'{"queue_name":"mail","payload":{"n":2.50},"completion_webhook":"http://x/",'
        b'"completion_webhook_secret":"%b"}' % HOOK_SECRET.encode(),
    )
    for headers in ({}, BATCH):
        content = (await face.get("/log/records", headers=headers)).content
        assert b'"payload":{"n":2.50}' in content
        assert b'"completion_webhook":"http://x/"' in content
        assert HOOK_SECRET.encode() not in content


@pytest.mark.parametrize("limit", [1, 2, 3, 1_000])
async def test_pages_give_everything_once(face: Face, limit: int) -> None:
    await a_life(face)
    found, after, more = [], "0", True
    while more:
        answer = await face.get(f"/log/records?after={after}&limit={limit}")
        page = parsed(answer.content)
        assert len(page) <= limit
        found += page
        after = answer.headers["X-Next-After"]
        more = answer.headers["X-Has-More"] == "true"
    assert [line["position"] for line in found] == list(range(1, face.log.last + 1))
    assert int(after) == face.log.last


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 100), ("?limit=0", 1), ("?limit=-5", 1), ("?limit=5000", 106), ("?after=-1&limit=2", 2)],
)
async def test_limits_are_moved_into_their_range(face: Face, query: str, count: int) -> None:
    for _ in range(105):
        await face.create()
    assert len(await fed(face, query)) == count


@pytest.mark.parametrize(
    ("bound", "value", "lines"), [("PAGE_LOOKED_MAX", 3, 0), ("PAGE_BYTES_MAX", 1, 1)]
)
async def test_a_page_is_bounded_and_says_where_to_go_on(
    face: Face, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, lines: int
) -> None:
    await a_life(face)
    monkeypatch.setattr(feed, bound, value)
    query = "?type=job.completed"
    answer = await face.get(f"/log/records{query}")
    assert len(parsed(answer.content)) == lines
    assert answer.headers["X-Has-More"] == "true"
    found: list[dict[str, Any]] = []
    after = 0
    while after < face.log.last:
        answer = await face.get(f"/log/records{query}&after={after}")
        found += parsed(answer.content)
        after = int(answer.headers["X-Next-After"])
    assert [line["events"][0]["type"] for line in found] == ["job.completed"] * 2


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?type=job.completed", ["job.completed"] * 2),
        ("?type=job.claimed,job.completed&queue=mail", ["job.claimed", "job.completed"]),
        ("?job={mine}", ["job.created", "job.claimed", "job.completed"]),
        ("?job={mine}&type=job.claimed", ["job.claimed"]),
        (
            "?queue=other",
            [
                *("queue.created", "job.created", "worker.registered", "worker.heartbeat"),
                *("job.claimed", "job.completed"),
            ],
        ),
        ("?type=no.such", []),
        ("?job=no-such", []),
        ("?queue=no-such", []),
        ("?type=", None),
    ],
)
async def test_filters(face: Face, query: str, wanted: list[str] | None) -> None:
    mine, _ = await a_life(face)
    found = await types(face, query.replace("{mine}", mine))
    assert found == (await types(face) if wanted is None else wanted)


async def test_indexes_are_places_in_the_record(face: Face) -> None:
    items = [{"payload": number} for number in range(3)]
    await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": items})
    (line,) = await fed(face, "?type=job.created")
    assert [event["index"] for event in line["events"]] == [1, 2, 3]


async def test_cloud_events(face: Face) -> None:
    await a_life(face)
    answer = await face.get("/log/records?after=1&limit=2", headers=BATCH)
    assert answer.headers["Content-Type"] == "application/cloudevents-batch+json"
    assert (answer.headers["X-Next-After"], answer.headers["X-Has-More"]) == ("3", "true")
    found = json.loads(answer.content)
    told = [(line, event) for line in stored(face)[1:3] for event in line["events"]]
    for one, (line, event) in zip(found, told, strict=True):
        index = event.pop("index")
        assert one["specversion"] == "1.0"
        assert one["id"] == f"memory/{line['position']}/{index}"
        assert (one["source"], one["type"]) == ("/spoolog/memory", f"io.spoolog.{event['type']}")
        assert one["subject"] == event.get("job", event.get("queue"))
        assert (one["actor"], one["requestid"]) == (line["by"], line["req"])
        assert one["data"] == event
    empty = await face.get(f"/log/records?after={face.log.last}", headers=BATCH)
    assert json.loads(empty.content) == []


async def test_a_position_that_the_log_does_not_have(face: Face) -> None:
    last = face.log.last
    for query in ("", "&follow=1"):
        answer = await face.get(f"/log/records?after={last + 1}{query}")
        assert_refused(answer, 409, "CONFLICT")
    assert await fed(face, f"?after={last}") == []


async def test_a_batch_cannot_be_followed(face: Face) -> None:
    answer = await face.get("/log/records?follow=1", headers=BATCH)
    assert_refused(answer, 400, "BAD_REQUEST")


@pytest.mark.parametrize("query", ["after=x", "limit=1.5", "follow=perhaps"])
async def test_bad_parameters(face: Face, query: str) -> None:
    assert_refused(await face.get(f"/log/records?{query}"), 400, "VALIDATION_ERROR")


async def test_only_durable_records_are_told(face: Face) -> None:
    before = await fed(face)
    face.log.hold()
    creating = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
    await until(lambda: face.log.last > len(before))
    asking = background(face.get("/log/records"))
    await turns()
    face.log.release()
    assert parsed((await asking).content) == before
    await creating
    assert len(await fed(face)) == len(before) + 1


# -- who sees what


async def test_a_limited_key_sees_its_queues_only(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    await a_life(face)
    seen = await fed(face, key=LIMITED)
    assert seen == await fed(face, "?queue=mail")
    assert {event["type"] for line in seen for event in line["events"]} == {
        "queue.created",
        "job.created",
        "job.claimed",
        "job.completed",
        "worker.registered",
        "worker.heartbeat",
    }
    assert b"other" not in (await face.get("/log/records", key=LIMITED)).content
    assert await fed(face, "?queue=other", key=LIMITED) == []
    assert await fed(face, "?type=key.created", key=LIMITED) == []
    assert await fed(face, "?type=key.created") != []


async def test_what_is_gone_is_seen_by_an_unrestricted_key_only(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    await a_life(face)
    await face.post("/jobs/actions", {"action": "purge", "filter": {"status": "completed"}})
    for kind in ("job.claimed", "job.completed", "job.deleted", "bulk.applied"):
        assert await fed(face, f"?type={kind}", key=LIMITED) == []
        assert await fed(face, f"?type={kind}") != []
    assert len(await fed(face, "?type=job.created", key=LIMITED)) == 1


async def test_another_organizations_events_are_not_there(face: Face) -> None:
    await face.create()
    before = await fed(face)

    def foreign(state: State, ctx: Context) -> Decision[None]:
        queue = QueueCreated(org="another", queue="mail", id="q")
        job = JobCreated(
            org="another",
            job="foreign",
            queue="mail",
            payload=Raw(b"1"),
            max_retries=0,
            timeout_secs=1,
        )
        return Decision((queue, job), None)

    face.engine.execute(foreign, SYSTEM)
    assert await fed(face) == before
    for query in ("?job=foreign", f"?queue=mail&after={len(before)}"):
        assert await fed(face, query) == []


# -- streams


async def test_a_stream_goes_on_as_records_come(face: Face) -> None:
    first = await fed(face)
    async with following(face) as stream:
        assert [await stream.line() for _ in first] == first
        for _ in range(3):
            job_id = await face.create()
            line = await stream.line()
            assert line["position"] == face.log.last
            assert line["events"][-1]["job"] == job_id


async def test_a_stream_waits_until_a_record_is_durable(face: Face) -> None:
    async with following(face, f"&after={face.log.last}") as stream:
        face.log.hold()
        creating = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
        reading = asyncio.create_task(stream.line())
        await turns()
        assert not reading.done()
        face.log.release()
        assert (await reading)["position"] == face.log.last
        await creating


async def test_a_stream_filters_and_ends_at_its_limit(face: Face) -> None:
    mine, theirs = await a_life(face)
    async with following(face, "&type=job.completed&limit=2") as stream:
        found = await stream.rest()
    assert [line["events"][0]["job"] for line in found] == [mine, theirs]


async def test_a_server_that_goes_ends_its_streams(face: Face) -> None:
    async with following(face) as stream, following(face, "&type=job.failed") as other:
        await stream.line()
        face.service.leaving.set()
        assert [line["position"] for line in await stream.rest()] == list(
            range(2, face.log.last + 1)
        )
        assert await other.rest() == []


async def test_a_revoked_key_ends_its_stream(face: Face) -> None:
    face.add_key(LIMITED)
    (key_id,) = [key.id for key in face.engine.state.tables.keys.values() if key.name == "limited"]
    async with following(face, f"&after={face.log.last}", LIMITED) as stream:
        await face.create()
        await stream.line()
        face.engine.execute(lambda state, ctx: Decision((KeyRevoked(key=key_id),), None), SYSTEM)
        assert await stream.rest() == []


async def test_a_silent_stream_says_how_far_it_has_come(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "IDLE_SECS", 0.01)
    async with following(face, "&type=job.failed") as stream:
        assert await stream.line() == {"position": face.log.last, "events": []}
        await face.create()
        while (line := await stream.line())["position"] < face.log.last:
            pass
        assert line == {"position": face.log.last, "events": []}


async def test_a_long_look_says_how_far_it_has_come(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(205):
        await face.create()
    monkeypatch.setattr(feed, "PAGE_LOOKED_MAX", 100)
    async with following(face, "&type=job.failed") as stream:
        assert [await stream.line() for _ in range(2)] == [
            {"position": 100, "events": []},
            {"position": 200, "events": []},
        ]


async def test_a_slow_consumer_is_dropped(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CONSUMER_SECS_MAX", 0.05)
    for _ in range(12):
        await face.create(payload="x" * 1_000_000)
    server = face.client.server.runner.server  # type: ignore[union-attr]

    def served() -> bool:
        return any(one._current_request is not None for one in server.connections)

    request = f"GET {API}/log/records?follow=1 HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
    reader, writer = await asyncio.open_connection(face.client.host, face.client.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request.encode())
    await until(served)
    async with asyncio.timeout(20):
        while served():  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0.01)
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    content = await reader.read()
    assert len(content) < 12_000_000
    assert not content.endswith(b"0\r\n\r\n")  # it did not end, it was broken off
    writer.close()
    await writer.wait_closed()


async def test_who_has_gone_leaves_nothing_behind(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "IDLE_SECS", 0.01)
    before = len(asyncio.all_tasks())
    async with following(face) as stream:
        await stream.line()
        stream.response.close()
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def test_a_failed_log_breaks_the_stream_off(
    face: Face, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(log: object, after: int) -> AsyncIterator[list[tuple[int, bytes]]]:
        yield [(1, face.log._bodies[0])]
        raise LogFailed(5, "segment")  # type: ignore[arg-type]

    monkeypatch.setattr(type(face.log), "follow", failing)
    async with following(face) as stream:
        assert (await stream.line())["position"] == 1
        with pytest.raises(aiohttp.ClientError):
            await stream.rest()
    assert "the feed broke off" in caplog.text


async def test_a_replaced_bootstrap_key_is_turned_away(face: Face) -> None:
    async with following(face, f"&after={face.log.last}") as stream:
        face.engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "next", "another-key"))
        assert await stream.rest() == []


async def test_a_feed_begins_where_the_log_does(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await face.create()
    monkeypatch.setattr(type(face.log), "first", 4)
    for query in ("?after=2", "?after=0", "?after=2&follow=1"):
        refused = await face.get(f"/log/records{query}")
        assert "begins" in assert_refused(refused, 410, "LOG_EXPIRED")["message"]
    assert (await fed(face))[0]["position"] == 4
    assert await fed(face) == await fed(face, "?after=3")


async def test_what_expires_in_the_moment_of_the_question_is_told_as_well(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    await face.create()

    async def expired(*_: object) -> object:
        raise LogExpired(9)

    monkeypatch.setattr(records, "page", expired)
    refused = await face.get("/log/records")
    assert "records before 9" in assert_refused(refused, 410, "LOG_EXPIRED")["message"]
