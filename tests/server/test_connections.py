"""Clients that dawdle, say nothing, do not read, or are too many."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest

from server.http import connections
from server.http.answer import UNREAD_BYTES_MAX
from server.http.connections import Connection, Doors
from tests.server.harness import API, KEY, ME, Face, background, started, turns, until
from tests.server.line import Line, Opener

SOON: Final = 0.1
HEALTH: Final = "GET /health/live"
STANDARD: Final = {
    *("X-API-Version", "X-Content-Type-Options", "X-Frame-Options", "Cache-Control", "Server"),
    *("X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("X-RateLimit-Scope", "Date", "Content-Type", "Content-Length"),
}


def doors(face: Face) -> Doors:
    assert face.client.server.runner is not None
    found = face.client.server.runner.server
    assert isinstance(found, Doors)
    return found


def assert_outright(answer: tuple[int, dict[str, str], Any], status: int, code: str) -> None:
    """Check an answer to what never became a request: like every other error."""
    found, headers, told = answer
    assert (found, told["code"]) == (status, code)
    assert set(told) == {"code", "message"}
    assert set(headers) - {"Connection", "Retry-After"} == STANDARD
    assert headers.get("Connection", "close") == "close"  # nothing is said in HTTP/1.0
    assert headers["Content-Type"].startswith("application/json")


async def trickle(line: Line, piece: bytes) -> None:
    """Send a piece again and again until the connection is closed."""
    while not line.writer.transport.is_closing():
        line.writer.write(piece)
        await asyncio.sleep(SOON / 10)


@pytest.mark.parametrize("piece", [b"X-Header: value\r\n", b"x"])
@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
async def test_head_that_does_not_come_to_an_end(
    opened: Opener, aiohttp_client: Any, piece: bytes, used: bool
) -> None:
    face = await started(aiohttp_client, head_secs=SOON)
    line = await opened(face)
    if used:
        line.head(start=HEALTH)
        assert (await line.answer())[0] == 200
    line.writer.write(b"POST /api/v1/jobs HTTP/1.1\r\n")
    trickling = asyncio.create_task(trickle(line, piece))
    assert_outright(await line.answer(), 408, "REQUEST_TIMEOUT")
    assert await line.ended()
    await until(lambda: face.service.traffic.connections == 0)
    assert face.service.traffic.late_heads == 1
    await line.close()
    await trickling


async def test_who_says_nothing_is_hung_up_on(opened: Opener, aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, idle_secs=SOON)
    silent, idle = await opened(face), await opened(face)
    idle.head(start=HEALTH)
    assert (await idle.answer())[0] == 200
    assert await silent.ended()
    assert await idle.ended()
    assert face.service.traffic.connections == 0


async def test_waiting_for_an_answer_is_neither_idle_nor_late(
    opened: Opener, aiohttp_client: Any
) -> None:
    face = await started(aiohttp_client, head_secs=SOON, idle_secs=2 * SOON)
    slow, body = await opened(face), b'{"queue_name":"q","payload":1}'
    slow.head(f"Content-Length: {len(body)}")
    asking = background(
        face.post("/jobs/claim", {"queue_name": "mail", "worker_id": ME, "wait_secs": 20})
    )
    for _ in range(4):
        late = await opened(face)
        late.writer.write(b"GET / HTTP/1.1\r\n")
        assert (await late.answer())[0] == 408
        await late.close()
    assert not asking.done()
    job_id = await face.create()
    assert [job["id"] for job in (await asking).json["jobs"]] == [job_id]
    slow.writer.write(body)
    assert (await slow.answer())[0] == 201


async def test_client_that_asks_and_asks_and_never_reads(face: Face) -> None:
    job_id = await face.create(payload="x" * 50_000)
    request = f"GET {API}/jobs/{job_id} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n".encode()
    loop, unread = asyncio.get_running_loop(), 0
    before = set(doors(face)._open)
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        ours.setblocking(False)
        await loop.sock_connect(ours, (face.client.host, face.client.port))
        await until(lambda: doors(face)._open - before)
        (connection,) = doors(face)._open - before
        with suppress(ConnectionResetError, BrokenPipeError):
            while connection.wire is not None:
                unread = max(unread, connection.wire.get_write_buffer_size())
                await loop.sock_sendall(ours, request)
                await turns(3)
    assert UNREAD_BYTES_MAX / 2 < unread < UNREAD_BYTES_MAX + 100_000
    assert face.service.traffic.unread_aborts == 1
    assert (await face.job(job_id))["status"] == "pending"


async def test_large_answer_that_nobody_takes(opened: Opener, aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, idle_secs=SOON, head_secs=SOON)
    for _ in range(8):
        await face.create(payload="x" * 1_000_000)
    line = await opened(face)
    transport: Any = line.writer.transport
    transport.pause_reading()
    body = b'{"queue_name":"mail","worker_id":"w1","limit":100}'
    line.head(f"Content-Length: {len(body)}", start=f"POST {API}/jobs/claim")
    line.writer.write(body)
    await until_seen(lambda: face.service.traffic.unread_aborts == 1)
    transport.resume_reading()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await line.answer()


async def until_seen(condition: Callable[[], bool]) -> None:
    """Wait for what real time brings about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(SOON / 10)


async def test_slow_reader_is_not_one_who_does_not_read(face: Face) -> None:
    connection = Connection(doors(face), loop=asyncio.get_running_loop())
    looks = [(0.0, 900, False), (9.0, 900, False), (10.5, 900, True)]
    looks += [(11.0, 899, False), (20.9, 899, False), (21.1, 0, False), (99.0, 0, False)]
    looks += [(99.5, 5, False), (109.0, 6, False), (110.0, 6, True)]
    for now, waiting, expected in looks:
        assert connection.is_unread(now, waiting, 10.0) == expected, now


async def test_connection_too_many_is_told_so(opened: Opener, aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, connections_max=2)
    first, second, third = [await opened(face) for _ in range(3)]
    for line in (first, second):
        line.head(start=HEALTH)
        assert (await line.answer())[0] == 200
    third.head(start=HEALTH)
    answer = await third.answer()
    assert_outright(answer, 503, "OVERLOADED")
    assert answer[1]["Retry-After"] == "1"
    assert await third.ended()
    assert (face.service.traffic.connections, face.service.traffic.turned_away) == (2, 1)
    await first.close()
    await until(lambda: face.service.traffic.connections == 1)
    fourth = await opened(face)
    fourth.head(start=HEALTH)
    assert (await fourth.answer())[0] == 200


async def test_connection_too_many_that_says_nothing(
    opened: Opener, aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TURNED_AWAY_SECS", SOON)
    monkeypatch.setattr(connections, "TURNED_AWAY_MAX", 1)
    face = await started(aiohttp_client, connections_max=1)
    _, second, third = [await opened(face) for _ in range(3)]
    assert await third.ended(), "cut off without a word"
    assert_outright(await second.answer(), 503, "OVERLOADED")
    assert await second.ended()
    assert (face.service.traffic.turned_away, doors(face).turned_away) == (2, set())


@pytest.mark.parametrize(
    "request_",
    [
        *(b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"),
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["words", "version", "tls", "line", "header", "headers", "lengths"],
)
async def test_what_is_not_http_is_answered_in_shape(
    opened: Opener, face: Face, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    line = await opened(face)
    line.writer.write(request_)
    assert_outright(await line.answer(), 400, "BAD_REQUEST")
    assert await line.ended()
    assert not caplog.records, "a stranger's mistake is not worth a line"
