"""64 clients claim 20,000 jobs from a real server; a checker that sees only what they were told judges.

The server is a process of its own (``spoolog serve``); `SPOOLOG_CLAIM_JOBS` sets another number.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any, Final

import aiohttp
from msgspec import Struct

from tests.tools.workbench import KEY, server

JOBS: Final = int(os.environ.get("SPOOLOG_CLAIM_JOBS", "20000"))
CLIENTS: Final = 64
QUEUES: Final = ("alpha", "beta", "gamma", "delta")
PRIORITIES: Final = 3


class Handed(Struct):
    """A job as a client was handed it: when it asked, when it knew, and when it had settled it."""

    queue: str
    job_id: str
    lease_id: str
    asked: float
    told: float
    settled: float = 0.0


async def test_many_claimants(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        headers = {"Authorization": f"Bearer {KEY}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
            made = await _create(session)
            handed = await asyncio.gather(*(_claim(session, n) for n in range(CLIENTS)))
            counts = await _get(session, "/api/v1/jobs/stats")
    everything = [one for mine in handed for one in mine]
    assert counts["completed"] == counts["total"] == JOBS
    _nothing_lost_nothing_twice(made, everything)
    for queue in QUEUES:
        _in_order(made[queue], [one for one in everything if one.queue == queue])


def _nothing_lost_nothing_twice(made: dict[str, list[str]], handed: list[Handed]) -> None:
    ids = [one.job_id for one in handed]
    assert len(ids) == len(set(ids)), "a job was handed out twice within its lease"
    assert set(ids) == {job_id for jobs in made.values() for job_id in jobs}
    assert len({one.lease_id for one in handed}) == len(ids)


def _in_order(expected: list[str], handed: list[Handed]) -> None:
    """No job was told of before another that stood before it was even asked for.

    Claims that overlap in time may have been carried out in either order; between claims that did
    not overlap, priority and then creation hold.
    """
    place = {job_id: index for index, job_id in enumerate(expected)}
    furthest = -1
    by_end = sorted(handed, key=lambda one: one.told)
    done = 0
    for one in sorted(handed, key=lambda one: one.asked):
        while by_end[done].told < one.asked:
            furthest = max(furthest, place[by_end[done].job_id])
            done += 1
        assert place[one.job_id] > furthest, "handed out after one that stood behind it"
    assert done > len(handed) // 2, "nearly all claims overlapped: this proves nothing"


async def _create(session: aiohttp.ClientSession) -> dict[str, list[str]]:
    """Create the jobs; give the ids of each queue in the order in which they must come out."""
    made: dict[str, list[tuple[int, int, str]]] = {queue: [] for queue in QUEUES}
    for start in range(0, JOBS, 100):
        queue = QUEUES[start // 100 % len(QUEUES)]
        items = [{"payload": n, "priority": n % PRIORITIES} for n in range(start, start + 100)]
        body = {"queue_name": queue, "jobs": items}
        answer = await _post(session, "/api/v1/jobs/bulk", body)
        assert answer["success_count"] == len(items)
        for one in answer["succeeded"]:
            number = start + one["index"]
            made[queue].append((-(number % PRIORITIES), number, one["job_id"]))
    return {queue: [job_id for *_, job_id in sorted(jobs)] for queue, jobs in made.items()}


async def _claim(session: aiohttp.ClientSession, number: int) -> list[Handed]:
    """Claim and complete until the queue is empty, as one client of many."""
    queue, worker = QUEUES[number % len(QUEUES)], f"worker-{number}"
    mine: list[Handed] = []
    while True:
        body = {"queue_name": queue, "worker_id": worker, "limit": 1 + number % 5}
        asked = time.monotonic()
        jobs = (await _post(session, "/api/v1/jobs/claim", body))["jobs"]
        told = time.monotonic()
        if not jobs:
            return mine
        for job in jobs:
            one = Handed(queue, job["id"], job["lease_id"], asked, told)
            done = {"worker_id": worker, "lease_id": one.lease_id}
            await _post(session, f"/api/v1/jobs/{one.job_id}/complete", done)
            one.settled = time.monotonic()
            mine.append(one)


async def _post(session: aiohttp.ClientSession, path: str, body: Any) -> Any:
    async with session.post(path, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def _get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()
