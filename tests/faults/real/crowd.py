"""A crowd of clients around few jobs: every lease is known to all, so late and doubled calls abound.

Some clients hang up before the answer; what became of their request they never know.
"""

import asyncio
from random import Random
from typing import Any, Final

from tests.faults.real.client import Client
from tests.faults.real.ledger import Op

CLIENTS: Final = 4
KEYS: Final = 5
_HANG_UP: Final = 0.02
_VERBS: Final = ("complete", "heartbeat", "heartbeat", "fail", "fail")


class Crowd:
    """The clients of one queue."""

    def __init__(self, queue: str, random: Random) -> None:
        self.queue = queue
        self.ops: list[Op] = []
        self._random = random
        self._ids: dict[str, str] = {}
        self._leases: list[tuple[str, str, str]] = []

    async def play(self, client: Client, turns: int) -> None:
        """Let every client take so many turns."""
        names = [f"{self.queue}-{number}" for number in range(CLIENTS)]
        await asyncio.gather(*(self._turns(client, name, turns) for name in names))

    def key_of(self, op: Op) -> str | None:
        """Give the key of the job that the operation was about; None for a claim of nothing."""
        if op.kind == "create":
            return str(op.asked["idempotency_key"])
        if op.kind == "claim":
            jobs = op.answer["jobs"] if op.ok else []
            return str(jobs[0]["payload"]) if jobs else None
        return next(key for key, job in self._ids.items() if job == op.asked["job"])

    def histories(self) -> dict[str, list[Op]]:
        """Give the operations on each job; one that may have been about any job is in all."""
        sent = [op for op in self.ops if op.status or op.outcome == "unknown"]
        lost = [op for op in sent if op.kind == "claim" and op.outcome == "unknown"]
        keys = {key for op in sent if (key := self.key_of(op))}
        return {key: [op for op in sent if self.key_of(op) == key] + lost for key in keys}

    async def _turns(self, client: Client, name: str, turns: int) -> None:
        for _ in range(turns):
            await self._turn(client, name)
            await asyncio.sleep(self._random.uniform(0, 0.03))

    async def _turn(self, client: Client, name: str) -> None:
        random = self._random
        roll = random.random()
        if roll < 0.12 or not self._ids:
            await self._create(client)
        elif roll < 0.35 or not self._leases:
            await self._claim(client, name)
        elif roll < 0.45:
            job = random.choice(list(self._ids.values()))
            await self._ask(client, "get", "GET", f"/jobs/{job}", job=job)
        elif roll < 0.48:
            job = random.choice(list(self._ids.values()))
            await self._ask(client, "cancel", "DELETE", f"/jobs/{job}", job=job)
        else:
            await self._settle(client)

    async def _create(self, client: Client) -> None:
        key = f"{self.queue}-k{self._random.randrange(KEYS)}"
        body = {"queue_name": self.queue, "payload": key, "idempotency_key": key}
        # The same key asks for the same job, whoever sends it.
        body |= {"priority": hash_of(key) % 2, "max_retries": hash_of(key) % 3}
        op = await self._ask(client, "create", "POST", "/jobs", body)
        if op.ok:
            self._ids[key] = op.answer["id"]

    async def _claim(self, client: Client, name: str) -> None:
        body = {"queue_name": self.queue, "worker_id": name, "lease_duration_secs": 5}
        op = await self._ask(client, "claim", "POST", "/jobs/claim", body)
        for job in op.answer["jobs"] if op.ok else []:
            self._ids[job["payload"]] = job["id"]
            self._leases.append((job["id"], job["lease_id"], name))

    async def _settle(self, client: Client) -> None:
        recent = self._leases[-6:]
        job, lease, worker = self._random.choice(recent)
        verb = self._random.choice(_VERBS)
        body: dict[str, Any] = {"worker_id": worker, "lease_id": lease}
        if verb == "fail":
            body["error"] = "as planned"
        if verb == "heartbeat":
            body["lease_duration_secs"] = 5
        await self._ask(client, verb, "POST", f"/jobs/{job}/{verb}", body, job=job)

    async def _ask(
        self, client: Client, kind: str, method: str, path: str, body: Any = None, **asked: Any
    ) -> Op:
        """Ask, or hang up at a random moment before the answer."""
        op = client.ledger.invoke(kind, {**(body or {}), **asked})
        self.ops.append(op)
        calling = asyncio.ensure_future(client.send(op, method, path, body))
        if self._random.random() < _HANG_UP:
            await asyncio.wait([calling], timeout=self._random.uniform(0, 0.01))
            calling.cancel()
            await asyncio.wait([calling])
        else:
            await calling
        return op


def hash_of(key: str) -> int:
    """Give a number that is the same in every process."""
    return sum(map(ord, key))
