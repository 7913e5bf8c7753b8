"""Time that jumps, stands still or was lost, and a disk that takes its time: leases and answers hold.

The server is a real process whose clock and disk the test bends; what came of it is read from its
log by the independent reader and judged by the rules of `lives`.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.figures import report
from tests.faults.real.bent import Control
from tests.faults.real.client import Client, connected
from tests.faults.real.compare import catch_up
from tests.faults.real.ledger import Ledger, Op
from tests.faults.real.lives import Lives
from tests.faults.real.stage import Stage, stage

HOUR_NS: Final = 3_600 * 10**9
DAY_NS: Final = 24 * HOUR_NS
_CREATES: Final = 50


class Bent:
    """A real server whose clock and disk obey `control`, and what its clients were told."""

    def __init__(self, server: Stage, control: Control, ledger: Ledger) -> None:
        self.server = server
        self.control = control
        self.ledger = ledger

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Client]:
        """Start it, and kill it at the end."""
        self.server.start()
        async with connected(self.server.url, self.ledger) as client:
            yield client
        self.server.kill()

    def lives(self) -> Lives:
        lives = Lives()
        catch_up(lives, self.server.data_dir)
        assert lives.violations == []
        return lives


@pytest.fixture
def bent(tmp_path: Path) -> Iterator[Bent]:
    with bent_on(tmp_path) as made:
        yield made


@contextmanager
def bent_on(path: Path) -> Iterator[Bent]:
    control, ledger = Control(path / "control"), Ledger(path / "ledger.jsonl")
    env = {"BENT_CONTROL": str(path / "control")}
    options = ("--retry-base-secs", "0")
    with stage(path / "data", *options, module="tests.faults.real.bent", **env) as server:
        yield Bent(server, control, ledger)
    control.close()
    ledger.close()


async def create(client: Client) -> str:
    body = {"queue_name": "q", "payload": 1, "max_retries": 5}
    op = await client.call("create", "POST", "/jobs", body)
    assert op.ok
    return str(op.answer["id"])


async def claim(client: Client, worker: str, secs: int = 30) -> Any:
    """Give the job that a worker gets; None when there is none."""
    body = {"queue_name": "q", "worker_id": worker, "lease_duration_secs": secs}
    op = await client.call("claim", "POST", "/jobs/claim", body)
    assert op.ok
    return next(iter(op.answer["jobs"]), None)


async def settle(client: Client, verb: str, worker: str, job: Any) -> Op:
    body = {"worker_id": worker, "lease_id": job["lease_id"]}
    return await client.call(verb, "POST", f"/jobs/{job['id']}/{verb}", body)


async def lease_ended(client: Client, bent: Bent, held: Any) -> None:
    """The first worker has lost the job; the second gets it, and only the second."""
    second = await claim(client, "second")
    assert second["id"] == held["id"]
    assert await claim(client, "third") is None
    late = await settle(client, "complete", "first", held)
    assert (late.status, late.answer["code"]) == (409, "LEASE_EXPIRED")
    assert (await settle(client, "heartbeat", "second", second)).ok
    assert (await settle(client, "complete", "second", second)).ok
    assert bent.lives().events["lease_expired"] == 1


async def lease_holds(client: Client, bent: Bent, held: Any) -> None:
    """The first worker still has the job, and nobody else gets it."""
    assert await claim(client, "second") is None
    assert (await settle(client, "heartbeat", "first", held)).ok
    assert (await settle(client, "complete", "first", held)).ok
    await create(client)
    assert (await settle(client, "complete", "second", await claim(client, "second"))).ok
    assert bent.lives().events["lease_expired"] == 0


JUMPS = {
    "an hour forward": ("offset_ns", HOUR_NS, lease_ended),
    "an hour back": ("offset_ns", -HOUR_NS, lease_holds),
    "a day back": ("offset_ns", -DAY_NS, lease_holds),
    "frozen": ("frozen_ns", None, lease_holds),
}


@pytest.mark.parametrize("name", JUMPS)
async def test_clock_jumps_under_an_open_lease(bent: Bent, name: str) -> None:
    field, value, then = JUMPS[name]
    async with bent.serving() as client:
        await create(client)
        held = await claim(client, "first")
        bent.control[field] = now_ns() if value is None else value
        await then(client, bent, held)
        bent.control[field] = 0  # and back
        await create(client)
        assert (await settle(client, "complete", "last", await claim(client, "last"))).ok
    bent.lives()
    report(f"real_time: {name}", violations=0)


@pytest.mark.parametrize("name", ["an hour forward", "an hour back", "a day back"])
async def test_clock_jumps_across_a_restart(bent: Bent, name: str) -> None:
    field, value, then = JUMPS[name]
    assert value is not None
    async with bent.serving() as client:
        await create(client)
        held = await claim(client, "first")
    bent.control[field] = value
    async with bent.serving() as client:
        await then(client, bent, held)
    bent.lives()


async def test_lease_ends_although_the_clock_went_back(bent: Bent) -> None:
    async with bent.serving() as client:
        await create(client)
        held = await claim(client, "first", 5)
        bent.control["offset_ns"] = -DAY_NS
        body = {"queue_name": "q", "worker_id": "second", "wait_secs": 20}
        op = await client.call("claim", "POST", "/jobs/claim", body)
        assert [job["id"] for job in op.answer["jobs"]] == [held["id"]]
    bent.lives()


async def test_server_stood_still_for_longer_than_a_lease(bent: Bent) -> None:
    async with bent.serving() as client:
        await create(client)
        held = await claim(client, "first", 5)
        bent.server.signal(signal.SIGSTOP)
        late = asyncio.create_task(settle(client, "complete", "first", held))
        await asyncio.sleep(5.2)  # the lease is what is waited for
        bent.server.signal(signal.SIGCONT)
        assert (await late).status == 409
        await lease_ended(client, bent, held)


async def test_held_disk_holds_answers_and_not_the_probe(bent: Bent) -> None:
    async with bent.serving() as client:
        await create(client)
        bent.control["sync_held"] = 1
        before = bent.control["syncs"]
        creating = [asyncio.create_task(create(client)) for _ in range(_CREATES)]
        for _ in range(20):
            async with client._session.get("/health/live") as live:
                assert live.status == 200
        assert not any(task.done() for task in creating), "answered before it was durable"
        bent.control["sync_held"] = 0
        assert len(set(await asyncio.gather(*creating))) == _CREATES
        syncs = bent.control["syncs"] - before
    assert syncs <= _CREATES // 5, "one sync is to carry many records"
    report("real_time: held disk", creates=_CREATES, syncs=syncs)


async def test_slow_disk_loses_nothing_that_was_acknowledged(bent: Bent) -> None:
    bent.control["sync_delay_ms"] = 200
    async with bent.serving() as client:
        job = await create(client)
        creating = [asyncio.create_task(_creates(client)) for _ in range(_CREATES)]
        reads = 0
        until = time.monotonic() + 2
        while time.monotonic() < until:
            status, answer = await client.ask(f"/jobs/{job}")
            assert (status, answer["id"]) == (200, job)
            reads += 1
        bent.server.kill()
        bent.server.launch()
        await asyncio.gather(*creating)
        bent.control["sync_delay_ms"] = 0
        bent.server.url = bent.server.child.listening_url()
        made = [op.answer["id"] for op in bent.ledger.ops if op.ok]
        async with connected(bent.server.url, bent.ledger) as again:
            answers = [await again.ask(f"/jobs/{one}") for one in made]
    assert [status for status, _ in answers] == [200] * len(made)
    unknown = sum(op.outcome == "unknown" for op in bent.ledger.ops)
    report("real_time: slow disk", acknowledged=len(made), unknown=unknown, reads=reads, lost=0)
    assert len(made) >= 2 * _CREATES, "answers are to come many at a time"
    assert set(made) <= bent.lives().jobs.keys()


async def _creates(client: Client) -> None:
    """Create until the server is gone."""
    while (await client.call("create", "POST", "/jobs", {"queue_name": "q", "payload": 1})).ok:
        pass


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME)
