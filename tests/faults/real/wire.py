"""Connections without manners, byte by byte: idle ones, slow ones, endless ones, impatient ones."""

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final, Self
from urllib.parse import urlsplit

from tests.faults.real.stage import KEY, Stage

_CHUNK: Final = bytes(64 * 1024)
_SAMPLE_SECS: Final = 0.02
_OPENING_AT_ONCE: Final = 100  # the kernel keeps only so many that were not accepted yet
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Allow this process and those it starts so many open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(count, before[0]), max(count, before[1])))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0], max(count, before[1])))


def head(method: str, path: str, *fields: str) -> bytes:
    """Give the head of a request with our key."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}"]
    return "\r\n".join([*lines, *fields, "", ""]).encode()


@asynccontextmanager
async def opened(url: str, count: int) -> AsyncIterator[list[Ends]]:
    """Open connections, and close those that are left."""
    made: list[Ends] = []
    try:
        for start in range(0, count, _OPENING_AT_ONCE):
            size = min(_OPENING_AT_ONCE, count - start)
            made += await asyncio.gather(*(connect(url) for _ in range(size)))
        yield made
    finally:
        await asyncio.gather(*(close(writer) for _, writer in made))


async def connect(url: str) -> Ends:
    where = urlsplit(url)
    return await asyncio.open_connection(where.hostname, where.port)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> int | None:
    """Read one answer and give its status; None when the connection ended instead."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        for line in lines:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                await reader.readexactly(int(value))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return int(lines[0].split()[1])


async def drip(ends: Ends, first: bytes, secs: float) -> int | None:
    """Send `first`, then a byte at a time; give the status of the answer, None when cut off."""
    reader, writer = ends
    answering = asyncio.create_task(answer(reader))
    with contextlib.suppress(ConnectionError):
        writer.write(first)
        while not answering.done():
            await asyncio.wait([answering], timeout=secs)
            writer.write(b"x")
            await writer.drain()
    return await answering


async def pour(
    ends: Ends, first: bytes, size: int, *, chunked: bool, deaf: bool
) -> tuple[int | None, int]:
    """Send `size` zeros until told to stop; give the answer and what was sent.

    `deaf` goes on after the answer, until it is cut off.
    """
    reader, writer = ends
    answering = asyncio.create_task(answer(reader))
    sent = 0
    with contextlib.suppress(ConnectionError):
        writer.write(first)
        while sent < size and not (reader.at_eof() if deaf else answering.done()):
            writer.write(b"%x\r\n%b\r\n" % (len(_CHUNK), _CHUNK) if chunked else _CHUNK)
            await writer.drain()
            sent += len(_CHUNK)
    return await answering, sent


async def fire(ends: Ends, request: bytes, count: int) -> Counter[int | None]:
    """Send so many requests at once and count the answers by status."""
    reader, writer = ends
    statuses: Counter[int | None] = Counter()
    with contextlib.suppress(ConnectionError):
        writer.write(request * count)
        await writer.drain()
    for _ in range(count):
        statuses[await answer(reader)] += 1
    return statuses


class Memory:
    """The server's memory while a block lasts: before, highest, after; in MiB."""

    def __init__(self, server: Stage) -> None:
        self._server = server
        self.before = self.peak = self.after = 0.0

    async def __aenter__(self) -> Self:
        self.before = self.peak = self._now()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        self.after = self._now()

    async def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self._now())
            await asyncio.sleep(_SAMPLE_SECS)

    def _now(self) -> float:
        return round(self._server.rss_bytes() / 2**20, 1)
