"""A steady stream of jobs through a server: created at a pace, claimed, completed, some failed once.

Every request is timed. What went wrong is counted, never hidden.
"""

import asyncio
import itertools
import time
from array import array
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct, field

from tests.faults.real.stage import KEY

QUEUES: Final = 4
_PRODUCERS: Final = 8
_WORKERS: Final = 12
_FAILS_EVERY: Final = 20
_JSON: Final = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Counts(Struct):
    """What was done; a latency for each request, and when it was asked, in seconds."""

    created: int = 0
    completed: int = 0
    failed: int = 0
    wrong: list[str] = field(default_factory=list)
    asked: "array[float]" = field(default_factory=lambda: array("d"))
    took: "array[float]" = field(default_factory=lambda: array("f"))


class Stream:
    """The clients. They go on until `over`, and the workers until nothing is left."""

    def __init__(self, url: str, rate: float) -> None:
        self.counts = Counts()
        self.over = asyncio.Event()
        self._url = url
        self._pace_secs = _PRODUCERS / rate
        self._numbers = itertools.count()

    async def run(self) -> None:
        """Create until told otherwise, and work until everything is done."""
        async with aiohttp.ClientSession(self._url, headers=_JSON) as session:
            self._session = session
            working = [asyncio.create_task(self._work(f"w{n}", n)) for n in range(_WORKERS)]
            await asyncio.gather(*(self._produce() for _ in range(_PRODUCERS)))
            await asyncio.gather(*working)

    async def _produce(self) -> None:
        next_at = time.monotonic()
        while not self.over.is_set():
            number = next(self._numbers)
            body = {
                "queue_name": f"q{number % QUEUES}",
                "payload": {"number": number, "to": "x" * 100},
            }
            made = await self._post("/jobs", body)
            self.counts.created += made is not None
            next_at += self._pace_secs
            await asyncio.sleep(max(next_at - time.monotonic(), 0))

    async def _work(self, name: str, number: int) -> None:
        claim = {
            "queue_name": f"q{number % QUEUES}",
            "worker_id": name,
            "limit": 10,
            "wait_secs": 1,
        }
        while True:
            claimed = await self._post("/jobs/claim", claim, timed=False) or {"jobs": []}
            for job in claimed["jobs"]:
                await self._settle(name, job)
            if not claimed["jobs"] and self._done():
                return

    def _done(self) -> bool:
        counts = self.counts
        return self.over.is_set() and (counts.completed >= counts.created or bool(counts.wrong))

    async def _settle(self, name: str, job: Any) -> None:
        body = {"worker_id": name, "lease_id": job["lease_id"]}
        if job["payload"]["number"] % _FAILS_EVERY == 0 and job["retry_count"] == 0:
            failed = await self._post(f"/jobs/{job['id']}/fail", body | {"error": "as planned"})
            self.counts.failed += failed is not None
        else:
            done = await self._post(f"/jobs/{job['id']}/complete", body | {"result": {"ok": True}})
            self.counts.completed += done is not None

    async def _post(self, path: str, body: Any, *, timed: bool = True) -> Any:
        asked = time.monotonic()
        async with self._session.post("/api/v1" + path, data=_encode(body)) as answer:
            told = await answer.read()
        if timed:
            self.counts.asked.append(asked)
            self.counts.took.append(time.monotonic() - asked)
        if answer.status >= 400:
            self.counts.wrong.append(f"{path}: {answer.status} {told[:200]!r}")
            return None
        return _decode(told)


async def every(secs: float, over: asyncio.Event, act: Callable[[], Any]) -> None:
    """Do something again and again until `over`."""
    while not over.is_set():
        await act()
        try:
            await asyncio.wait_for(over.wait(), secs)
        except TimeoutError:
            continue
