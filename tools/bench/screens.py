"""What each screen of the dashboard asks the server, again and again while someone looks at it.

The requests are those of ``server/dashboard/js/views``, at their pace; ``tests/browser/test_smooth.py``
compares them with what a browser sends. Screens that ask what another one does are left out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
from aiohttp import web
from msgspec import Struct, json

_LOG_PAGE: Final = 60
_LOG_BACK: Final = 50
_LOG_BEHIND_MAX: Final = 400
"""As in server/dashboard/js/tail.js."""


class Visit:
    """Somebody who looks at one queue, one job, the end of the log."""

    def __init__(self, session: aiohttp.ClientSession, queue: str, job: str) -> None:
        self._session = session
        self.queue = queue
        self.job = job
        self.after: int | None = None
        """how far the log was read"""
        self.asked: list[str] = []
        """paths and queries, in order"""
        self.loads_ms: list[float] = []

    async def get(self, path: str) -> tuple[bytes, dict[str, str]]:
        """Ask, and give body and headers."""
        self.asked.append(path)
        async with self._session.get(f"/api/v1/{path}") as answer:
            body = await answer.read()
            assert answer.status == web.HTTPOk.status_code, (path, body)
            return body, dict(answer.headers)

    async def get_all(self, *paths: str) -> None:
        """Ask all of it at once."""
        await asyncio.gather(*map(self.get, paths))

    async def stream(self) -> None:
        """Follow the job as EventSource does, with a token in the address, until cancelled."""
        key = self._session.headers["Authorization"].removeprefix("Bearer ")
        async with self._session.post("/api/v1/auth/login", json={"api_key": key}) as answer:
            token: str = (await answer.json())["access_token"]
        url, forever = f"/api/v1/events/jobs/{self.job}", aiohttp.ClientTimeout()
        async with self._session.get(url, params={"token": token}, timeout=forever) as answer:
            await answer.read()


class Screen(Struct, frozen=True):
    """A screen: how long it rests between two loads, and what a load is; `streams` beside them."""

    rest_secs: float
    load: Callable[[Visit], Awaitable[Any]]
    streams: bool = False

    async def watch(self, visit: Visit, delay_secs: float) -> None:
        """Load it again and again, until cancelled."""
        await asyncio.sleep(delay_secs)
        async with asyncio.TaskGroup() as group:
            if self.streams:
                group.create_task(visit.stream())
            while True:
                began = time.perf_counter()
                await self.load(visit)
                visit.loads_ms.append((time.perf_counter() - began) * 1_000)
                await asyncio.sleep(self.rest_secs)


async def _queue(visit: Visit) -> None:
    at = f"queues/{visit.queue}"
    series = f"{at}/series?since_secs=3600"
    await visit.get_all(at, f"{at}/stats", "dashboard", series, f"{at}/timings")


async def _jobs(visit: Visit) -> None:
    page = "order_by=created_at&order_dir=desc&limit=50"
    await visit.get_all("queues", f"jobs?status=pending&queue_name={visit.queue}&{page}")


async def _deadletters(visit: Visit) -> None:
    await visit.get_all("jobs/dlq?order_by=updated_at&order_dir=desc&limit=50", "queues")


async def _job(visit: Visit) -> None:
    at = f"jobs/{visit.job}"
    await visit.get_all(at, f"{at}/explain", f"{at}/history?order_dir=desc&limit=500")


async def _log(visit: Visit) -> None:
    body, _ = await visit.get("log/stat")
    durable = int(json.decode(body)["durable"])
    after = durable - _LOG_BACK if visit.after is None else visit.after
    if durable - after > _LOG_BEHIND_MAX:
        after = durable - _LOG_PAGE
    _, headers = await visit.get(f"log/records?after={max(0, after)}&limit={_LOG_PAGE}")
    visit.after = int(headers["X-Next-After"])


SCREENS: Final = {
    "overview": Screen(2, lambda visit: visit.get("dashboard")),
    "queue": Screen(5, _queue),
    "jobs": Screen(3, _jobs),
    "job": Screen(2, _job, streams=True),
    "deadletters": Screen(5, _deadletters),
    "workers": Screen(3, lambda visit: visit.get_all("claimants", "workers")),
    "log": Screen(1, _log),
}
