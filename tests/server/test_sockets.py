"""The WebSocket: who gets in, what is told, which commands are obeyed, and how it ends."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from projections.decide import Decision
from projections.events import KeyRevoked
from server import live
from server.engine import SYSTEM
from server.http import sockets
from tests.server.harness import API, KEY, Face, assert_refused, background, turns, until
from tests.server.listeners import Event, Socket, connected, listening

LIMITED = "sp_test_limited"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def token_of(face: Face, key: str = KEY, kind: str = "access") -> str:
    entered = await face.post("/auth/login", {"api_key": key}, key=None)
    token: str = entered.json[f"{kind}_token"]
    return token


def queues(found: list[Event]) -> list[str]:
    return [one.data["queue_name"] for one in found]


async def between(socket: Socket) -> list[Event]:
    """Give all that was told until a Ping answers ours."""
    await socket.send("Ping")
    found: list[Event] = []
    while (event := await socket.next()).type != "Ping":
        found.append(event)
    return found


async def handed_out(face: Face) -> None:
    """Wait until everything recorded was handed to the listeners."""
    await until(lambda: face.service.live._handing is None, 10_000_000)


# -- who gets in


async def test_a_token_in_the_address(face: Face) -> None:
    async with connected(face, f"?token={await token_of(face)}", key=None) as socket:
        job_id = await face.create()
        (event,) = await socket.told(1)
        assert (event.type, event.data["job_id"]) == ("JobCreated", job_id)
        assert event.id == f"{face.log.last}.0"


@pytest.mark.parametrize("with_token", [False, True])
async def test_a_key_or_a_token_in_the_header(face: Face, with_token: bool) -> None:
    async with connected(face, key=await token_of(face) if with_token else KEY) as socket:
        await face.create()
        assert (await socket.told(1))[0].type == "JobCreated"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "UNAUTHORIZED"),
        ("?token=", "UNAUTHORIZED"),
        ("?token=eyJ.e30.x", "AUTHENTICATION_FAILED"),
        (f"?token={KEY}", "AUTHENTICATION_FAILED"),
        ("?token={refresh}", "AUTHENTICATION_FAILED"),
        ("?token={ended}", "AUTHENTICATION_FAILED"),
    ],
)
async def test_who_is_refused_gets_no_upgrade(face: Face, query: str, code: str) -> None:
    ended = await token_of(face)
    await face.post("/auth/logout", key=ended)
    refresh = await token_of(face, kind="refresh")
    query = query.replace("{refresh}", refresh).replace("{ended}", ended)
    answer = await face.get(f"/ws{query}", key=None, headers=UPGRADE)
    assert_refused(answer, 401, code)
    assert face.service.sockets.total() == 0


async def test_without_an_upgrade(face: Face) -> None:
    answer = await face.get("/ws")
    assert_refused(answer, 426, "UPGRADE_REQUIRED")
    assert answer.headers["Upgrade"] == "websocket"


async def test_only_so_many_of_an_organization(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SOCKETS_MAX", 2)
    async with connected(face):
        async with connected(face):
            refused = await face.get("/ws", headers=UPGRADE)
            assert_refused(refused, 429, "RATE_LIMIT_EXCEEDED")
            assert refused.headers["Retry-After"] == "1"
            assert face.service.sockets["default"] == 2
        await until(lambda: face.service.sockets["default"] == 1)
        async with connected(face):
            pass
    await until(lambda: face.service.sockets.total() == 0)


async def test_a_bad_address_gets_no_upgrade(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    bad = await face.get("/ws?after=x", headers=UPGRADE)
    assert_refused(bad, 400, "VALIDATION_ERROR")
    denied = await face.get("/ws?queue=other", key=LIMITED, headers=UPGRADE)
    assert_refused(denied, 403, "ACCESS_DENIED")


async def test_the_upgrade_carries_the_standard_headers(face: Face) -> None:
    async with face.client.ws_connect(
        f"{API}/ws", headers={"Authorization": f"Bearer {KEY}", "X-Request-Id": "abc"}
    ) as ws:
        assert ws._response.headers["X-Request-Id"] == "abc"
        assert ws._response.headers["X-API-Version"] == "1"


# -- what is told


async def test_pings_come_at_once_and_again(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PING_SECS", 0.01)
    async with connected(face) as socket:
        for _ in range(3):
            ping = await socket.next()
            assert ping.type == "Ping"
            assert ping.data == {"timestamp": "2026-11-23T19:14:16.000000Z"}
            assert ping.id == str(face.log.last)


async def test_the_same_as_by_server_sent_events(face: Face) -> None:
    async with connected(face) as socket, listening(face) as stream:
        await stream.next()
        job_id = await face.create()
        await face.claim()
        await face.settle("complete", job_id)
        assert await socket.told(4) == await stream.told(4)


async def test_the_address_filters(face: Face) -> None:
    mine = await face.create("mail", idempotency_key="mine")
    async with (
        connected(face, "?queue=mail") as by_queue,
        connected(face, f"?job_id={mine}") as by_job,
        connected(face, "?events=job.completed,job.status") as by_name,
    ):
        await face.create("other")
        await face.claim("other")
        await face.claim("mail")
        assert [one.data["job_id"] for one in await by_queue.told(1)] == [mine]
        assert [one.data["job_id"] for one in await by_job.told(1)] == [mine]
        assert queues(await by_name.told(2)) == ["other", "mail"]


async def test_only_durable_events_are_told(face: Face) -> None:
    async with connected(face) as socket:
        face.log.hold()
        creating = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
        await until(lambda: face.log.last > face.log.durable_position)
        await turns()
        assert await between(socket) == []
        face.log.release()
        assert (await socket.told(1))[0].data["job_id"] == (await creating).json["id"]


async def test_a_limited_key_sees_its_queues_only(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    async with connected(face, f"?token={await token_of(face, LIMITED)}", key=None) as socket:
        await socket.send("Subscribe", queue="other")
        await socket.send("Subscribe", queue="mail")
        await socket.obeyed()
        for queue in ("other", "mail"):
            await face.create(queue)
        assert queues(await socket.told(1)) == ["mail"]


async def test_it_goes_on_where_it_was_cut_off(face: Face) -> None:
    async with connected(face) as socket:
        first = await face.create()
        await face.claim()
        await face.settle("complete", first)
        found = await socket.told(4)
    await face.create()
    async with listening(face, "?after=0") as stream:
        everything = await stream.told(5)
    for number, event in enumerate(found):
        async with connected(face, f"?after={event.id}") as socket:
            assert await socket.told(4 - number) == everything[number + 1 :]


# -- commands


@pytest.mark.parametrize("spelling", [str.lower, str.title, str.upper])
async def test_subscriptions_add_up(face: Face, spelling: Any) -> None:
    subscribe, unsubscribe = spelling("subscribe"), spelling("unsubscribe")
    mine = await face.create("third")
    async with connected(face) as socket:
        await face.create("any")
        assert queues(await socket.told(1)) == ["any"]
        await socket.send(subscribe, queue="mail")
        await socket.send(subscribe, job_id=mine)
        await socket.obeyed()
        for queue in ("mail", "other", "third"):
            await face.create(queue)
        await face.claim("third")
        assert queues(await socket.told(2)) == ["mail", "third"]
        await socket.send(unsubscribe, queue="mail", job_id=None)
        await socket.obeyed()
        await face.create("mail")
        await face.settle("complete", mine)
        assert {one.data["job_id"] for one in await socket.told(2)} == {mine}
        await socket.send(unsubscribe, job_id=mine)
        await socket.obeyed()
        await face.create("any")
        assert queues(await socket.told(1)) == ["any"]


async def test_a_subscription_to_both_wants_both(face: Face) -> None:
    mine = await face.create("mail")
    async with connected(face) as socket:
        await socket.send("Subscribe", queue="other", job_id=mine)
        await socket.obeyed()
        await face.claim("mail")
        await handed_out(face)
        assert await between(socket) == []
        await socket.send("Subscribe", queue="", job_id=mine)
        await socket.obeyed()
        await face.settle("complete", mine)
        assert len(await socket.told(2)) == 2


async def test_there_are_no_acknowledgements(face: Face) -> None:
    async with connected(face) as socket:
        await socket.send("Subscribe", queue="mail")
        await socket.send("Subscribe", queue="mail")
        await socket.send("Unsubscribe", queue="never")
        await socket.send("Explode")
        await socket.send("subscribe", queue="x", further={"of": "later"})
        await socket.ws.send_bytes(b"\xff")
        assert await between(socket) == []
        assert {one.wanted.either for one in face.service.live._listeners if one.wanted} == {
            frozenset({("mail", None), ("x", None)})
        }


@pytest.mark.parametrize(
    "text", ["", "no", "[]", "{}", '{"cmd":1}', '{"cmd":"Subscribe","queue":1}', "[" * 8_000]
)
async def test_what_is_no_command_is_said(face: Face, text: str) -> None:
    async with connected(face) as socket:
        await socket.ws.send_str(text)
        error = await socket.next()
        assert (error.type, error.data["message"]) == ("Error", "This is no command")
        await face.create()
        assert (await socket.told(1))[0].type == "JobCreated"


async def test_only_so_many_subscriptions(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SUBSCRIPTIONS_MAX", 2)
    async with connected(face) as socket:
        for queue in ("a", "b", "a", "c"):
            await socket.send("Subscribe", queue=queue)
        error = await socket.next()
        assert (error.type, error.data["message"]) == (
            "Error",
            "A socket has at most 2 subscriptions",
        )
        await face.create("c")
        await face.create("b")
        assert queues(await socket.told(1)) == ["b"]


async def test_a_command_that_is_too_long_ends_it(face: Face) -> None:
    async with connected(face) as socket:
        await socket.ws.send_str(json.dumps({"cmd": "x" * sockets.MESSAGE_BYTES_MAX}))
        assert await socket.close_code() == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    await until(lambda: len(face.service.live) == 0)


@pytest.mark.parametrize("field", ["queue", "job_id"])
async def test_a_subscription_to_more_than_a_name_is_none(face: Face, field: str) -> None:
    async with connected(face) as socket:
        await socket.send("Subscribe", **{field: "x" * 256})
        assert (await socket.next()).type == "Error"
        await face.create()
        assert (await socket.told(1))[0].type == "JobCreated"


async def test_protocol_pings_are_answered(face: Face) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with face.client.ws_connect(f"{API}/ws", headers=headers, autoping=False) as ws:
        await ws.receive()
        await ws.pong(b"unasked")
        await ws.ping(b"are you there")
        answer = await ws.receive(10)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"are you there")


@pytest.mark.parametrize("kind", ["ping", "pong", "empty", "command"])
async def test_who_sends_more_than_anybody_needs_to_is_cut_off(face: Face, kind: str) -> None:
    async with connected(face) as socket, connected(face) as other:
        send = {
            "ping": socket.ws.ping,
            "pong": socket.ws.pong,
            "empty": lambda: socket.ws.send_str(""),
            "command": lambda: socket.send("Subscribe", queue="mail"),
        }[kind]
        with suppress(ConnectionError):
            for _ in range(sockets.MESSAGES_AT_ONCE + 1):
                await send()
        assert await socket.close_code() == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        await until(lambda: face.service.sockets.total() == 1)
        await face.create()
        assert (await other.told(1))[0].type == "JobCreated"


async def test_many_messages_are_taken_in_the_long_run(face: Face) -> None:
    async with connected(face) as socket:
        for _ in range(3):
            for _ in range(sockets.MESSAGES_AT_ONCE - 1):
                await socket.ws.ping()
            await socket.obeyed()
            face.clock.advance(sockets.MESSAGES_AT_ONCE / sockets.MESSAGES_PER_SEC)


# -- how it ends


async def test_a_server_that_goes_says_so(face: Face) -> None:
    async with connected(face) as socket:
        closing = asyncio.create_task(socket.close_code())
        await face.client.server.app.shutdown()  # type: ignore[union-attr]
        assert await closing == aiohttp.WSCloseCode.GOING_AWAY


@pytest.mark.parametrize("how", ["key", "token"])
async def test_who_is_let_in_no_more(face: Face, how: str) -> None:
    face.add_key(LIMITED)
    (key_id,) = [key.id for key in face.engine.state.tables.keys.values() if key.name == "limited"]
    token = await token_of(face, LIMITED)
    async with connected(face, f"?token={token}", key=None) as socket:
        if how == "key":
            face.engine.execute(
                lambda state, ctx: Decision((KeyRevoked(key=key_id),), None), SYSTEM
            )
        else:
            assert (await face.post("/auth/logout", key=token)).status == 204
        await face.create()
        assert await socket.close_code() == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_who_leaves_leaves_nothing_behind(face: Face) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(3):
        async with connected(face):
            pass
    async with connected(face) as socket:
        assert socket.ws._response.connection is not None
        socket.ws._response.connection.transport.abort()  # type: ignore[union-attr]
    await until(lambda: len(face.service.live) == 0)
    await until(lambda: face.service.sockets.total() == 0)
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_who_is_too_slow_is_dropped(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "UNTAKEN_BYTES_MAX", 20_000)
    async with connected(face) as socket:
        connection = socket.ws._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()  # type: ignore[attr-defined]
        body = {"queue_name": "mail", "jobs": [{"payload": 1}] * 100}
        async with asyncio.timeout(60):
            while face.service.live.dropped == 0:
                await face.post("/jobs/bulk", body)
        await until(lambda: face.service.sockets.total() == 0)
        assert len(face.service.live) == 0
        connection.transport.resume_reading()  # type: ignore[attr-defined]


async def test_what_has_expired_is_said(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    await face.create()
    monkeypatch.setattr(type(face.log), "first", 3)
    async with connected(face, "?after=1") as socket:
        (error,) = await socket.told(1)
        assert "before 3 have expired" in error.data["message"]
        await face.create()
        assert (await socket.told(1))[0].type == "JobCreated"


async def test_a_damaged_past_ends_it(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    face.log._bodies[0] = b'{"v":9}'
    async with connected(face, "?after=0") as socket:
        assert await socket.close_code() == aiohttp.WSCloseCode.INTERNAL_ERROR
    assert "the events broke off" in caplog.text
