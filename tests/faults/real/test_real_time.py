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
        await asyncio.to_thread(self.server.start)
        async with connected(self.server.url, self.ledger) as client:
            yield client
        self.server.kill()

    def lives(self) -> Lives:
        """Give what the log tells; it tells of no broken rule."""
        lives = Lives()
        catch_up(lives, self.server.data_dir)
        assert lives.violations == []
        return lives

    def leases_ended(self, job: str) -> int:
        return sum(one.type == "lease_expired" for one in self.lives().jobs[job].told)


@contextmanager
def bent_on(path: Path) -> Iterator[Bent]:
    path.mkdir(exist_ok=True)
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


async def claim(client: Client, worker: str, secs: int = 30, wait_secs: int = 0) -> Any:
    """Give the job that a worker gets; None when there is none."""
    body = {"queue_name": "q", "worker_id": worker, "lease_duration_secs": secs}
    op = await client.call("claim", "POST", "/jobs/claim", body | {"wait_secs": wait_secs})
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
    assert bent.leases_ended(held["id"]) == 1


async def lease_holds(client: Client, bent: Bent, held: Any) -> None:
    """The first worker still has the job, and nobody else gets it; others come and go."""
    assert await claim(client, "second") is None
    assert (await settle(client, "heartbeat", "first", held)).ok
    assert (await settle(client, "complete", "first", held)).ok
    await create(client)
    assert (await settle(client, "complete", "second", await claim(client, "second"))).ok
    assert bent.leases_ended(held["id"]) == 0


JUMPS: Final = {
    "frozen": ("frozen_ns", None, lease_holds),
    "an hour back": ("offset_ns", -HOUR_NS, lease_holds),
    "a day back": ("offset_ns", -DAY_NS, lease_holds),
    "an hour forward": ("offset_ns", HOUR_NS, lease_ended),
    "a day forward": ("offset_ns", DAY_NS, lease_ended),
}
ACROSS_RESTARTS: Final = ("an hour back", "a day back", "an hour forward")


async def test_clock_jumps_under_open_leases_and_across_restarts(tmp_path: Path) -> None:
    with bent_on(tmp_path) as bent:
        async with bent.serving() as client:
            for jump in JUMPS:
                await _jump(client, bent, jump)
        for name in ACROSS_RESTARTS:
            field, value, then = JUMPS[name]
            bent.control["offset_ns"] += 2 * DAY_NS  # beyond all that the log has seen
            async with bent.serving() as client:
                await create(client)
                held = await claim(client, "first")
            bent.control[field] += value or 0
            async with bent.serving() as client:
                await then(client, bent, held)
        lives = bent.lives()
    report(
        "real_time",
        scenarios=len(JUMPS) + len(ACROSS_RESTARTS),
        leases_ended_once=lives.events["lease_expired"],
        violations=len(lives.violations),
    )


async def _jump(client: Client, bent: Bent, name: str) -> None:
    field, value, then = JUMPS[name]
    await create(client)
    held = await claim(client, "first")
    bent.control[field] = now_ns() if value is None else value
    await then(client, bent, held)
    bent.control[field] = 0  # and back, with another lease open
    await create(client)
    held = await claim(client, "first")
    assert await claim(client, "second") is None
    assert (await settle(client, "complete", "first", held)).ok


async def test_leases_end_in_spite_of_a_step_back_and_a_standstill(tmp_path: Path) -> None:
    with bent_on(tmp_path / "one") as stepped, bent_on(tmp_path / "two") as stopped:
        await asyncio.gather(_stepped_back(stepped), _stood_still(stopped))


async def _stepped_back(bent: Bent) -> None:
    async with bent.serving() as client:
        await create(client)
        held = await claim(client, "first", 5)
        bent.control["offset_ns"] = -DAY_NS
        again = await claim(client, "second", wait_secs=20)
        assert again["id"] == held["id"]
        assert bent.leases_ended(held["id"]) == 1


async def _stood_still(bent: Bent) -> None:
    async with bent.serving() as client:
        await create(client)
        held = await claim(client, "first", 5)
        bent.server.signal(signal.SIGSTOP)
        late = asyncio.create_task(settle(client, "complete", "first", held))
        await asyncio.sleep(5.2)  # the end of the lease is what is waited for
        bent.server.signal(signal.SIGCONT)
        assert (await late).status == 409
        await lease_ended(client, bent, held)


async def test_disk_that_takes_its_time(tmp_path: Path) -> None:
    with bent_on(tmp_path) as bent:
        async with bent.serving() as client:
            job = await create(client)
            syncs = await _hold(client, bent)
            reads = await _slow(client, bent, job)
        made = [op.answer["id"] for op in bent.ledger.ops if op.ok]
        async with bent.serving() as client:
            answers = [await client.ask(f"/jobs/{one}") for one in made]
        lost = [one for one, (status, _) in zip(made, answers, strict=True) if status != 200]
        assert set(made) <= bent.lives().jobs.keys()
        unknown = sum(op.outcome == "unknown" for op in bent.ledger.ops)
    report(
        "real_slow_disk",
        acknowledged=len(made),
        lost=len(lost),
        unknown=unknown,
        reads_meanwhile=reads,
        creates_of_a_held_disk=_CREATES,
        syncs_for_them=syncs,
    )
    assert lost == []


async def _hold(client: Client, bent: Bent) -> int:
    """While a sync does not return, the probe is answered, and nobody is told of what is not safe."""
    bent.control["sync_held"] = 1
    before = bent.control["syncs"]
    creating = [asyncio.create_task(create(client)) for _ in range(_CREATES)]
    for _ in range(20):
        assert await client.alive()
    assert not any(task.done() for task in creating), "answered before it was durable"
    bent.control["sync_held"] = 0
    assert len(set(await asyncio.gather(*creating))) == _CREATES
    syncs = bent.control["syncs"] - before
    assert syncs <= _CREATES // 5, "one sync is to carry many records"
    return syncs


async def _slow(client: Client, bent: Bent, job: str) -> int:
    """Read and create on a slow disk, kill it in the middle; give the number of reads."""
    bent.control["sync_delay_ms"] = 200
    told = sum(op.ok for op in bent.ledger.ops)
    creating = [asyncio.create_task(_creates(client)) for _ in range(_CREATES)]
    reads = 0
    while sum(op.ok for op in bent.ledger.ops) < told + 4 * _CREATES:
        status, answer = await client.ask(f"/jobs/{job}")
        assert (status, answer["id"]) == (200, job)
        assert await client.alive()
        reads += 1
    bent.control["sync_delay_ms"] = 0
    bent.server.signal(signal.SIGKILL)
    await asyncio.gather(*creating)
    return reads


async def _creates(client: Client) -> None:
    """Create until the server is gone."""
    body = {"queue_name": "q", "payload": 1}
    while (await client.call("create", "POST", "/jobs", body)).ok:
        pass


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME)
