"""A consumer that follows a real server over kills and restarts: it misses nothing, sees nothing twice."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.tools.workbench import KEY, server, spoolog
from tools.children import Child

HEADERS = {"Authorization": f"Bearer {KEY}"}
OPTIONS = ("--segment-bytes", "4096", "--drain-secs", "60")


class Consumer:
    """Keeps what it was told, and goes on behind the last whole line."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    @property
    def after(self) -> int:
        return self.lines[-1]["position"] if self.lines else 0

    async def follow(self, url: str) -> None:
        """Read until the server goes, in whatever way."""
        target = f"{url}/api/v1/log/records?follow=1&after={self.after}"
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            try:
                async with session.get(target) as response:
                    assert response.status == 200
                    async for line in response.content:
                        if line.endswith(b"\n"):
                            self.lines.append(json.loads(line))
            except aiohttp.ClientError:
                pass


async def produce(url: str, count: int) -> int:
    """Create, claim and complete jobs, many at once; give how many were acknowledged."""

    async def one(session: aiohttp.ClientSession, number: int) -> bool:
        jobs = f"{url}/api/v1/jobs"
        try:
            body = {"queue_name": "q", "payload": {"n": number}}
            async with session.post(jobs, json=body) as created:
                assert created.status == 201
            body = {"queue_name": "q", "worker_id": "w"}
            async with session.post(f"{jobs}/claim", json=body) as claimed:
                (job,) = (await claimed.json())["jobs"]
            done = f"{jobs}/{job['id']}/complete"
            async with session.post(done, json={"worker_id": "w"}) as completed:
                assert completed.status == 200
        except aiohttp.ClientError:
            return False
        return True

    async with aiohttp.ClientSession(headers=HEADERS) as session:
        return sum(await asyncio.gather(*(one(session, number) for number in range(count))))


async def caught_up(consumer: Consumer, url: str) -> None:
    """Wait until the consumer has all that the log holds now."""
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(f"{url}/api/v1/log/stat") as answer,
    ):
        last = (await answer.json())["last"]
    while consumer.after < last:  # noqa: ASYNC110 - what arrives is what is waited for
        await asyncio.sleep(0.001)


async def killed_at(child: Child, consumer: Consumer, position: int) -> None:
    """Kill the server in the middle of its work."""
    while consumer.after < position:  # noqa: ASYNC110 - what arrives is what is waited for
        await asyncio.sleep(0.001)
    child.kill()


async def test_nothing_missed_nothing_twice(tmp_path: Path) -> None:
    consumer = Consumer()
    for _ in range(3):
        with server(tmp_path, *OPTIONS) as (child, url):
            killing = killed_at(child, consumer, consumer.after + 60)
            await asyncio.gather(consumer.follow(url), produce(url, 100), killing)
    with server(tmp_path, *OPTIONS) as (child, url):
        following = asyncio.create_task(consumer.follow(url))
        assert await produce(url, 20) == 20
        # A stream ends with the server, wherever it is; a consumer would go on at the next one.
        await caught_up(consumer, url)
        assert await asyncio.to_thread(child.end) == 0
        await following
    exported = spoolog("export", "--format", "jsonl", "--data-dir", tmp_path).stdout
    told = [
        {name: line[name] for name in ("position", "at", "by", "req")} | event
        for line in consumer.lines
        for event in line["events"]
    ]
    assert told == [json.loads(line) for line in exported.splitlines()]
    positions = [line["position"] for line in consumer.lines]
    assert positions == list(range(1, len(positions) + 1))
