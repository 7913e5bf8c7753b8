"""Mixed load on a server that may die at any moment: producers, workers, lease-breakers, meddlers.

It knows the HTTP API only. What it must remember from one server to the next (keys to send again,
leases it still holds) is in `Memory`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from msgspec import Struct, field

from tests.faults.real.client import Client
from tests.faults.real.ledger import Op, wall_us

QUEUES: Final = ("alpha", "beta", "gamma")
LEASE_SECS: Final = 5
_PAUSE_SECS_MAX: Final = 0.04
_KNOWN_MAX: Final = 400
_HELD_MAX: Final = 60


class Held(Struct):
    """A job under a lease that its worker keeps without a word."""

    job: str
    lease: str
    worker: str


class Memory(Struct):
    """What clients remember when the server dies."""

    keys: int = 0
    again: list[dict[str, Any]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


class Load:
    """The clients of one server, until `over` is set."""

    def __init__(self, client: Client, random: Random, memory: Memory) -> None:
        self.over = asyncio.Event()
        self._call = client.call
        self._random = random
        self._memory = memory

    async def run(self) -> None:
        roles = (
            [self._produce] * 8 + [self._work] * 8 + [self._break_lease] * 3 + [self._meddle] * 2
        )
        async with asyncio.TaskGroup() as group:
            for number, role in enumerate(roles):
                group.create_task(self._repeat(role, f"w{number}"))

    async def _repeat(self, role: Callable[[str], Awaitable[None]], name: str) -> None:
        while not self.over.is_set():
            await role(name)
            await asyncio.sleep(self._random.uniform(0, _PAUSE_SECS_MAX))

    async def _produce(self, name: str) -> None:
        memory, random = self._memory, self._random
        if memory.again and random.random() < 0.3:
            body = memory.again.pop(random.randrange(len(memory.again)))
            self._made(await self._call("create", "POST", "/jobs", body), body)
        elif random.random() < 0.75:
            body = self._new_job() | {"queue_name": random.choice(QUEUES)}
            body["max_retries"] = random.randrange(4)
            self._made(await self._call("create", "POST", "/jobs", body), body)
        else:
            jobs = [self._new_job() for _ in range(random.randint(2, 8))]
            body = {"queue_name": random.choice(QUEUES), "jobs": jobs, "default_max_retries": 1}
            op = await self._call("create_bulk", "POST", "/jobs/bulk", body)
            if op.ok:
                self._know(*(item["job_id"] for item in op.answer["succeeded"]))

    def _new_job(self) -> dict[str, Any]:
        self._memory.keys += 1
        key = f"key-{self._memory.keys}"
        body = {"payload": {"key": key}, "idempotency_key": key}
        body["priority"] = self._random.randint(-2, 2)
        if self._random.random() < 0.1:
            later = datetime.fromtimestamp(wall_us() / 1e6 + self._random.random(), UTC)
            body["scheduled_at"] = later.isoformat()
        return body

    def _made(self, op: Op, body: dict[str, Any]) -> None:
        """Send it again some time when the answer never came, and sometimes when it did."""
        if op.outcome == "unknown" or self._random.random() < 0.05:
            self._memory.again.append(body)
        if op.ok:
            self._know(op.answer["id"])

    def _know(self, *jobs: str) -> None:
        self._memory.known.extend(jobs)
        del self._memory.known[:-_KNOWN_MAX]

    async def _claim(self, name: str, limit: int) -> list[Held]:
        body = {"queue_name": self._random.choice(QUEUES), "worker_id": name, "limit": limit}
        body["lease_duration_secs"] = LEASE_SECS
        if self._random.random() < 0.2:
            body["wait_secs"] = 0.2
        op = await self._call("claim", "POST", "/jobs/claim", body)
        jobs = op.answer["jobs"] if op.ok else []
        return [Held(job["id"], job["lease_id"], name) for job in jobs]

    async def _work(self, name: str) -> None:
        held = await self._claim(name, self._random.randint(1, 5))
        together = []
        for one in held:
            match self._random.randrange(10):
                case 0 | 1:
                    await self._settle("fail", one)
                case 2:
                    await self._settle("heartbeat", one)
                    await self._settle("complete", one)
                case 3 | 4 | 5:
                    together.append(one)
                case _:
                    await self._settle("complete", one)
        if together:
            await self._settle_bulk(name, together)

    async def _break_lease(self, name: str) -> None:
        """Claim and say nothing; settle what was claimed long ago, late or with a wrong lease."""
        held, random = self._memory.held, self._random
        if len(held) < _HELD_MAX and random.random() < 0.3:
            held.extend(await self._claim(name, 2))
        elif held:
            one = random.choice(held)
            if random.random() < 0.2:
                await self._settle("complete", Held(one.job, "no-such-lease", one.worker))
            elif random.random() < 0.3:
                await self._settle("heartbeat", one)
            elif random.random() < 0.1:
                held.remove(one)
                await self._settle(random.choice(("complete", "fail")), one)

    async def _settle(self, verb: str, one: Held) -> None:
        body: dict[str, Any] = {"worker_id": one.worker, "lease_id": one.lease}
        if verb == "fail":
            body["error"] = "as planned"
        if verb == "heartbeat":
            body["lease_duration_secs"] = LEASE_SECS
        await self._call(verb, "POST", f"/jobs/{one.job}/{verb}", body, job=one.job)

    async def _settle_bulk(self, name: str, held: list[Held]) -> None:
        verb = self._random.choice(("complete", "complete", "fail"))
        extra = {"error": "as planned"} if verb == "fail" else {}
        jobs = [{"job_id": one.job, "lease_id": one.lease, **extra} for one in held]
        body = {"worker_id": name, "jobs": jobs}
        await self._call(f"{verb}_bulk", "POST", f"/jobs/bulk/{verb}", body)

    async def _meddle(self, name: str) -> None:
        if not self._memory.known:
            return
        job = self._random.choice(self._memory.known)
        match self._random.randrange(12):
            case 0:
                await self._call("cancel", "DELETE", f"/jobs/{job}", job=job)
            case 1:
                await self._call("stop", "POST", f"/jobs/{job}/cancel", {}, job=job)
            case 2:
                body = {"confirm": True, "limit": 3}
                await self._call("purge", "POST", "/jobs/dlq/purge", body)
            case 3:
                body = {"action": "purge", "filter": {"job_ids": [job], "status": "completed"}}
                await self._call("act", "POST", "/jobs/actions", body)
            case 4:
                await self._call("revive", "POST", "/jobs/dlq/retry", {"limit": 2})
            case _:
                body = {"priority": self._random.randint(-2, 2)}
                await self._call("priority", "PUT", f"/jobs/{job}/priority", body, job=job)
