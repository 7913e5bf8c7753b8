"""A browser-like client over kills and restarts of a real server: it misses nothing, repeats nothing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.server.listeners import Socket
from tests.server.test_feed_restarts import HEADERS, OPTIONS, produce
from tests.tools.workbench import KEY, server
from tools.children import Child

END = "the-end"


class Listener:
    """Keeps what it was told, and comes again with the last id it has, and with one token."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, dict[str, Any]]] = []
        self.last_id = "0"
        self.token = ""

    async def listen(self, url: str) -> None:
        """Listen until the server goes, or until the end was told."""
        async with aiohttp.ClientSession() as session:
            if not self.token:
                body = {"api_key": KEY}
                async with session.post(f"{url}/api/v1/auth/login", json=body) as entered:
                    self.token = (await entered.json())["access_token"]
            headers = {"Last-Event-ID": self.last_id}
            target = f"{url}/api/v1/events?token={self.token}"
            try:
                async with session.get(target, headers=headers) as response:
                    assert response.status == 200
                    await self._read(response)
            except aiohttp.ClientError:
                pass

    @property
    def has_the_end(self) -> bool:
        return bool(self.frames) and self.frames[-1][1]["data"].get("queue_name") == END

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        frame_id, data = "", ""
        async for line in response.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                frame_id = value
            elif name == "data":
                data = value
            elif name == "" and data and line == b"\n":
                frame, self.last_id = json.loads(data), frame_id or self.last_id
                if "." in frame_id:
                    self.frames.append((frame_id, frame))
                frame_id = data = ""
                if self.has_the_end:
                    return


async def killed_after(child: Child, listener: Listener, count: int) -> None:
    """Kill the server in the middle of its work."""
    goal = len(listener.frames) + count
    while len(listener.frames) < goal:  # noqa: ASYNC110 - what arrives is what is waited for
        await asyncio.sleep(0.001)
    child.kill()


async def test_nothing_missed_nothing_repeated(tmp_path: Path) -> None:
    listener, other = Listener(), Listener()
    for count in (100, 150):
        with server(tmp_path, *OPTIONS) as (child, url):
            killing = killed_after(child, listener, count)
            await asyncio.gather(listener.listen(url), produce(url, 100), killing)
    with server(tmp_path, *OPTIONS) as (child, url):
        following = asyncio.create_task(listener.listen(url))
        assert await produce(url, 20) == 20
        async with (
            aiohttp.ClientSession(headers=HEADERS) as session,
            session.post(f"{url}/api/v1/queues/{END}/pause", json={}) as paused,
        ):
            assert paused.status == 200
        await asyncio.wait_for(following, 30)
        await asyncio.wait_for(other.listen(url), 30)
        assert await asyncio.to_thread(child.end) == 0
    assert listener.has_the_end
    assert listener.frames == other.frames
    ids = [tuple(map(int, frame_id.split("."))) for frame_id, _ in listener.frames]
    assert ids == sorted(set(ids))
    created = [one["data"]["job_id"] for _, one in listener.frames if one["type"] == "JobCreated"]
    assert len(set(created)) == len(created) > 20


async def test_a_restart_forgets_no_logout(tmp_path: Path) -> None:
    with server(tmp_path) as (child, url):
        async with aiohttp.ClientSession() as session:
            tokens = []
            for _ in range(2):
                body = {"api_key": KEY}
                async with session.post(f"{url}/api/v1/auth/login", json=body) as entered:
                    tokens.append((await entered.json())["access_token"])
            ended = {"Authorization": f"Bearer {tokens[0]}"}
            async with session.post(f"{url}/api/v1/auth/logout", headers=ended) as left:
                assert left.status == 204
        child.kill()
    with server(tmp_path) as (_, url):
        async with aiohttp.ClientSession() as session:
            for token, status in zip(tokens, (401, 200), strict=True):
                headers = {"Authorization": f"Bearer {token}"}
                async with session.get(f"{url}/api/v1/auth/me", headers=headers) as me:
                    assert me.status == status


async def test_a_server_that_is_asked_to_end_does_so_at_once(tmp_path: Path) -> None:
    with server(tmp_path, "--drain-secs", "60") as (child, url):
        async with (
            aiohttp.ClientSession(headers=HEADERS) as session,
            session.get(f"{url}/api/v1/events") as events,
            session.ws_connect(f"{url}/api/v1/ws") as ws,
        ):
            await events.content.readline()
            assert (await ws.receive_json())["type"] == "Ping"
            ending = asyncio.to_thread(child.end)
            code, _, exit_code = await asyncio.wait_for(
                asyncio.gather(Socket(ws).close_code(), events.read(), ending), 20
            )
            assert (code, exit_code) == (aiohttp.WSCloseCode.GOING_AWAY, 0)
