"""Clients that listen: server-sent events read as a browser reads them, and a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from msgspec import Struct
from yarl import URL

from tests.server.harness import API, KEY, Face

WAIT_SECS: Final = 10.0
PASSING: Final = {"SystemHealth", "Ping", "QueueStats"}


class Event(Struct, frozen=True):
    """One frame."""

    type: str
    data: dict[str, Any]
    id: str | None

    @property
    def move(self) -> tuple[str, str, str]:
        return self.data["job_id"], self.data["old_status"], self.data["new_status"]


class Events:
    """The frames of a stream, one by one; `comments` counts what else came."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0
        self.last_id: str | None = None

    async def next(self) -> Event | None:
        """Give the next frame; nothing at a proper end."""
        data: list[str] = []
        frame_id: str | None = None
        while line := await asyncio.wait_for(self.response.content.readline(), WAIT_SECS):
            assert line.endswith(b"\n")
            name, _, value = line.decode().rstrip("\n").partition(": ")
            match name:
                case "id":
                    frame_id = self.last_id = value
                case "data":
                    data.append(value)
                case "" if value:
                    self.comments += 1
                case "":
                    if data:
                        (text,) = data
                        return Event(**json.loads(text), id=frame_id)
                case _:
                    raise AssertionError(line)
        assert not data, "it ended in the middle of a frame"
        return None

    async def told(self, count: int) -> list[Event]:
        """Give so many frames that tell of a record."""
        found: list[Event] = []
        while len(found) < count:
            event = await self.next()
            assert event is not None, found
            if event.type not in PASSING:
                found.append(event)
        return found

    async def rest(self) -> list[Event]:
        """Give all that comes before a proper end, but beats."""
        found = []
        while (event := await self.next()) is not None:
            if event.type not in PASSING:
                found.append(event)
        return found


@asynccontextmanager
async def listening(
    face: Face, path: str = "", *, key: str | None = KEY, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Events]:
    """Open a stream; its first frame has come when this begins, unless `path` asks for none."""
    sent = dict(headers or {})
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    target = URL(f"{API}/events{path}", encoded=True)
    async with face.client.get(target, headers=sent) as response:
        assert response.status == 200, await response.read()
        assert response.headers["Content-Type"] == "text/event-stream"
        yield Events(response)


class Socket:
    """The messages of a WebSocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def next(self) -> Event:
        text = await asyncio.wait_for(self.ws.receive_str(), WAIT_SECS)
        found = json.loads(text)
        return Event(found["type"], found["data"], found.get("id"))

    async def told(self, count: int) -> list[Event]:
        found: list[Event] = []
        while len(found) < count:
            event = await self.next()
            if event.type not in PASSING:
                found.append(event)
        return found

    async def send(self, cmd: str, **fields: Any) -> None:
        await self.ws.send_json({"cmd": cmd} | fields)

    async def obeyed(self) -> None:
        """Wait until all commands before have been obeyed: each is, before the next is read."""
        await self.send("Ping")
        while (await self.next()).type != "Ping":
            pass

    async def close_code(self) -> int | None:
        """Read on to the end."""
        async with asyncio.timeout(WAIT_SECS):
            async for _ in self.ws:
                pass
        return self.ws.close_code


@asynccontextmanager
async def connected(face: Face, query: str = "", *, key: str | None = KEY) -> AsyncIterator[Socket]:
    """Open a WebSocket; its first Ping has come when this begins."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    target = URL(f"{API}/ws{query}", encoded=True)
    async with face.client.ws_connect(target, headers=headers) as ws:
        socket = Socket(ws)
        if "after=" not in query:
            assert (await socket.next()).type == "Ping"
        yield socket
