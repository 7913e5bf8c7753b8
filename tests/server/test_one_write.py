"""Answers written in one piece are what the framework would have written, byte for byte but order."""

import asyncio
import json
from email.utils import formatdate

import pytest

from tests.server.harness import API, KEY, Face, turns, until

HEAD = f"Host: x\r\nAuthorization: Bearer {KEY}\r\nX-Request-Id: r1\r\n"
CLOSE = "Connection: close\r\n"


def request(start: str, headers: str = "", body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{start}\r\n{HEAD}{headers}{length}\r\n".encode() + body


def parsed(answer: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    headers = [line.split(": ", 1) for line in lines]
    assert len({name.lower() for name, _ in headers}) == len(headers), "each header once"
    return status, {name.lower(): value for name, value in headers}, body


async def kept(face: Face, start: str, body: bytes = b"") -> bytes:
    """Ask on a connection that stays; give what came before the answer to a second request."""
    both = request(start, body=body) + request("GET /health/live HTTP/1.1", CLOSE)
    answer = await face.exchange(both)
    first, status, rest = answer.rpartition(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in rest, "the second answer ends it"
    assert status
    return first


async def closed(face: Face, start: str, body: bytes = b"") -> bytes:
    return await face.exchange(request(start, CLOSE, body))


@pytest.mark.parametrize(
    "start",
    [
        "GET /health/live HTTP/1.1",
        f"GET {API}/jobs HTTP/1.1",
        f"GET {API}/jobs/nobody HTTP/1.1",
        f"PATCH {API}/jobs HTTP/1.1",
        f"POST {API}/workers/w1/deregister HTTP/1.1",
        f"POST {API}/workers/w1/heartbeat HTTP/1.1",
    ],
)
async def test_kept_and_closing_connection_get_the_same(face: Face, start: str) -> None:
    await face.post("/workers/register", {"queue_name": "q", "hostname": "h", "worker_id": "w1"})
    body = b'{"current_jobs": 1}' if "heartbeat" in start else b""
    status, headers, content = parsed(await kept(face, start, body))
    closing_status, closing, closing_content = parsed(await closed(face, start, body))
    assert closing.pop("connection") == "close"
    assert abs(len(headers.pop("date")) - len(closing.pop("date"))) == 0
    left = [int(one.pop("x-ratelimit-remaining")) for one in (headers, closing)]
    assert left[0] - left[1] == (headers["x-ratelimit-scope"] == "organization")
    assert (status, headers, content) == (closing_status, closing, closing_content)
    assert headers["server"] == "Spoolog"
    assert headers["x-request-id"] == "r1"


async def test_date_is_that_of_the_servers_clock(face: Face) -> None:
    _, headers, _ = parsed(await kept(face, "GET /health/live HTTP/1.1"))
    assert headers["date"] == formatdate(face.clock() // 1_000_000, usegmt=True)


async def test_no_content_has_no_length(face: Face) -> None:
    job_id = await face.create()
    status, headers, content = parsed(await kept(face, f"DELETE {API}/jobs/{job_id} HTTP/1.1"))
    assert status == "HTTP/1.1 204 No Content"
    assert "content-length" not in headers
    assert "content-type" not in headers
    assert content == b""


async def test_empty_answer_has_a_length(face: Face) -> None:
    status, headers, _ = parsed(await kept(face, "GET /health/live HTTP/1.1"))
    assert (status, headers["content-length"]) == ("HTTP/1.1 200 OK", "0")


async def test_head_is_told_no_body(face: Face) -> None:
    answer = await face.exchange(
        request(f"HEAD {API}/jobs HTTP/1.1") + request("GET /health/live HTTP/1.1", CLOSE)
    )
    first, _, second = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 405 ")
    assert second.startswith(b"HTTP/1.1 200 "), "no byte of a body stands between"


async def test_old_protocol(face: Face) -> None:
    status, headers, content = parsed(await face.exchange(request(f"GET {API}/jobs HTTP/1.0")))
    assert (status, content) == ("HTTP/1.0 200 OK", b"[]")
    assert headers["content-length"] == "2"


@pytest.mark.parametrize("length", [64 * 1024 - 100, 64 * 1024, 1024 * 1024 - 2])
async def test_large_answer_is_whole(face: Face, length: int) -> None:
    job_id = await face.create(payload="x" * length)
    answer = await face.get(f"/jobs/{job_id}")
    assert answer.json["payload"] == "x" * length
    assert answer.headers["Content-Length"] == str(len(answer.content))


async def test_answers_on_one_connection_keep_their_order(face: Face) -> None:
    jobs = [json.dumps({"queue_name": "q", "payload": n}).encode() for n in range(20)]
    asked = b"".join(request(f"POST {API}/jobs HTTP/1.1", body=job) for job in jobs)
    asked += request(f"GET {API}/jobs?order_dir=asc HTTP/1.1", CLOSE)
    *created, listed = (await face.exchange(asked)).split(b"HTTP/1.1 ")[1:]
    ids = [json.loads(parsed(answer)[2])["id"] for answer in created]
    assert ids == [job["id"] for job in json.loads(parsed(listed)[2])]
    assert len(ids) == len(jobs)


async def test_client_that_left_while_its_answer_waited(face: Face) -> None:
    """Its job stands, and the server goes on."""
    face.log.hold()
    _, writer = await asyncio.open_connection(face.client.host, face.client.port)
    writer.write(request(f"POST {API}/jobs HTTP/1.1", body=b'{"queue_name":"q","payload":1}'))
    await until(lambda: face.log._waiters)
    writer.close()
    await writer.wait_closed()
    await turns()
    face.log.release()
    assert [job["queue_name"] for job in await face.summaries()] == ["q"]
