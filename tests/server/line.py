"""A connection on which a test sends what it likes, byte by byte if need be."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.server.harness import API, KEY, Face


class Line:
    """Both ends of a connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, face: Face) -> "Line":
        return cls(*await asyncio.open_connection(face.client.host, face.client.port))

    def head(self, *headers: str, start: str = f"POST {API}/jobs") -> None:
        """Send a whole head."""
        lines = [f"{start} HTTP/1.1", "Host: x", f"Authorization: Bearer {KEY}", *headers]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Read one answer: status, headers, JSON."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        content = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return int(status.split()[1]), headers, json.loads(content or b"null")

    async def ended(self) -> bool:
        """Wait until the server has closed, in whatever way; True when nothing came before."""
        try:
            rest = await self.reader.read()
        except ConnectionResetError:
            return True
        return rest == b""

    async def close(self) -> None:
        """Cut it."""
        self.writer.transport.abort()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


Opener = Callable[[Face], Awaitable[Line]]
