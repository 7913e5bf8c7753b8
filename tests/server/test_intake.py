"""Bodies on their way in: refused before they are read, or as soon as they are too long or too late."""

import asyncio
import json
from typing import Any, Final

import pytest

from projections import bounds
from server.http.intake import DISCARDED_BYTES_MAX
from tests.server.harness import (
    API,
    Face,
    started,
    turns,
    until,
)
from tests.server.line import Line, Opener

BODY: Final = json.dumps({"queue_name": "mail", "payload": 1}).encode()
ROOM: Final = 1_000
SENT_BYTES_MAX: Final = 64 * bounds.MIB
"""What sockets of this machine may hold between two ends that do not read, and more."""


@pytest.fixture
async def narrow(aiohttp_client: Any) -> Face:
    """A server that reads few bytes at one time."""
    return await started(aiohttp_client, body_bytes_max=ROOM)


async def test_too_many_bodies_at_one_time(opened: Opener, narrow: Face) -> None:
    first, second = await opened(narrow), await opened(narrow)
    first.head(f"Content-Length: {ROOM - 1}")
    await until(lambda: narrow.service.intake.bytes == ROOM - 1)
    before = narrow.footprint()
    second.head(f"Content-Length: {len(BODY)}")
    status, headers, told = await second.answer()
    assert (status, told["code"], headers["Retry-After"]) == (503, "OVERLOADED", "1")
    second.writer.write(BODY)  # what is left of a short one does not cost the connection
    assert (await narrow.post("/jobs", {"queue_name": "mail"})).status == 422, "it came at once"
    assert narrow.footprint() == before
    assert narrow.service.intake.refusals == 1
    first.writer.write(BODY.ljust(ROOM - 1))
    assert (await first.answer())[0] == 201
    assert narrow.service.intake.bytes == 0
    second.head(f"Content-Length: {len(BODY)}")
    await turns()
    second.writer.write(BODY)
    assert (await second.answer())[0] == 201


async def test_body_of_untold_length_counts_as_the_longest(opened: Opener, narrow: Face) -> None:
    line = await opened(narrow)
    line.head("Transfer-Encoding: chunked")
    status, headers, told = await line.answer()
    assert (status, told["code"], headers["Connection"]) == (503, "OVERLOADED", "close")
    assert await line.ended()


async def test_client_that_leaves_in_the_middle_makes_room(opened: Opener, narrow: Face) -> None:
    line = await opened(narrow)
    line.head(f"Content-Length: {ROOM}")
    await until(lambda: narrow.service.intake.bytes == ROOM)
    await line.close()
    await until(lambda: narrow.service.intake.bytes == 0)


async def sent_until_closed(line: Line, piece: bytes) -> int:
    sent = 0
    try:
        while sent < 1 << 30:
            line.writer.write(piece)
            await line.writer.drain()
            sent += len(piece)
    except (ConnectionResetError, BrokenPipeError):
        return sent
    return sent


@pytest.mark.parametrize("path", ["/jobs", "/jobs/bulk"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_gigabyte_is_refused_and_not_read(
    opened: Opener, face: Face, path: str, chunked: bool
) -> None:
    line = await opened(face)
    before = face.footprint()
    line.head(
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {1 << 30}",
        start=f"POST {API}{path}",
    )
    data = b" " * 65_536
    piece = b"10000\r\n" + data + b"\r\n" if chunked else data
    sending = asyncio.create_task(sent_until_closed(line, piece))
    status, headers, told = await line.answer()
    assert (status, told["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert headers["Connection"] == "close"
    assert await line.ended()
    assert await sending < SENT_BYTES_MAX
    assert (face.service.intake.bytes, face.footprint()) == (0, before)


async def test_short_body_that_nobody_reads_keeps_the_connection(
    opened: Opener, face: Face
) -> None:
    line = await opened(face)
    line.head(f"Content-Length: {DISCARDED_BYTES_MAX}", start="POST /nowhere")
    assert (await line.answer())[0] == 404
    line.writer.write(b"x" * DISCARDED_BYTES_MAX)
    line.head(f"Content-Length: {len(BODY)}")
    line.writer.write(BODY)
    assert (await line.answer())[0] == 201


async def test_body_that_takes_too_long(opened: Opener, aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, body_secs=0.05)
    line = await opened(face)
    before = face.footprint()
    line.head(f"Content-Length: {len(BODY)}")
    line.writer.write(BODY[:-1])
    status, headers, told = await line.answer()
    assert (status, told["code"], headers["Connection"]) == (408, "REQUEST_TIMEOUT", "close")
    assert await line.ended()
    assert (face.service.intake.timeouts, face.service.intake.bytes) == (1, 0)
    assert face.footprint() == before
