"""Many claimers at once, watched from outside and through the log."""

import asyncio
import random
from collections import Counter
from typing import Any

from projections.events import JobClaimed, decode
from tests.server.harness import Face

QUEUES = ("mail", "media")
JOBS = 500
CLAIMERS = 32


async def filled(face: Face) -> dict[str, list[str]]:
    """Create the jobs; give each queue's ids in the order in which they are to be handed out."""
    dice = random.Random(7)
    ranked: dict[str, list[tuple[int, int, str]]] = {queue: [] for queue in QUEUES}
    for number in range(JOBS // 50):
        queue = QUEUES[number % 2]
        items = [{"payload": n, "priority": dice.randint(-3, 3)} for n in range(50)]
        made = await face.post("/jobs/bulk", {"queue_name": queue, "jobs": items})
        for item, one in zip(items, made.json["succeeded"], strict=True):
            ranked[queue].append((-item["priority"], len(ranked[queue]), one["job_id"]))
    return {queue: [job_id for *_, job_id in sorted(jobs)] for queue, jobs in ranked.items()}


async def claimer(face: Face, number: int, grants: list[dict[str, Any]]) -> None:
    """Claim and complete until a claim comes back empty."""
    queue, worker, dice = QUEUES[number % 2], f"w{number}", random.Random(number)
    while True:
        jobs = await face.claim(queue, worker, limit=dice.randint(1, 4))
        if not jobs:
            return
        grants += [{**job, "worker": worker} for job in jobs]
        for job in jobs:
            if dice.random() < 0.5:
                await face.settle("complete", job["id"], worker_id=worker, lease_id=job["lease_id"])


async def granted(face: Face, queue: str) -> list[str]:
    """Give the ids in the order in which the log tells that they were handed out."""
    jobs = face.engine.state.tables.jobs
    events = [
        event
        async for batch in face.log.read()
        for position, body in batch
        for event in decode(position, body).events
    ]
    claims = (event for event in events if isinstance(event, JobClaimed))
    return [event.job for event in claims if jobs[event.job].queue == queue]


async def test_nothing_is_handed_out_twice_or_lost_or_out_of_order(face: Face) -> None:
    wanted = await filled(face)
    grants: list[dict[str, Any]] = []
    async with asyncio.TaskGroup() as group:
        for number in range(CLAIMERS):
            group.create_task(claimer(face, number, grants))
    assert Counter(job["id"] for job in grants) == Counter(wanted["mail"] + wanted["media"])
    assert len({job["lease_id"] for job in grants}) == JOBS
    assert len({job["worker"] for job in grants}) > CLAIMERS // 2, "they did compete"
    for queue in QUEUES:
        assert await granted(face, queue) == wanted[queue]
    stats = (await face.get("/jobs/stats")).json
    assert (stats["pending"], stats["processing"] + stats["completed"]) == (0, JOBS)


async def test_one_creator_wins_an_idempotency_key(face: Face) -> None:
    body = {"queue_name": "mail", "payload": 1, "idempotency_key": "k"}
    answers = await asyncio.gather(*(face.post("/jobs", body) for _ in range(CLAIMERS)))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: CLAIMERS - 1}
    assert len({answer.json["id"] for answer in answers}) == 1


async def test_one_settlement_wins(face: Face) -> None:
    job_id = await face.create()
    await face.claim()
    body = {"worker_id": "w1", "error": "e"}
    verbs = ["complete", "fail"] * (CLAIMERS // 2)
    answers = await asyncio.gather(*(face.post(f"/jobs/{job_id}/{verb}", body) for verb in verbs))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: CLAIMERS - 1}
