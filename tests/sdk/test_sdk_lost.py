"""The official SDK's workers when things go wrong: a lost lease, a job that takes too long, a shutdown."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from spooled import AsyncSpooledClient, AsyncSpooledWorker, SpooledClient, SpooledWorker

from server.engine import Engine
from tests.sdk.clients import config

QUEUE: Final = "slow"
POLL_SECS: Final = 0.02
WAIT_SECS: Final = 20


class Slow:
    """A worker, of either kind, whose jobs take until they are let go; and what it told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.told: list[tuple[str, str]] = []

    def watch(self, worker: Any) -> None:
        for name in ("job:completed", "job:failed", "job:lease_lost"):
            worker.on(name)(self._noter(name))

    def _noter(self, name: str) -> Any:
        def note(event: Any) -> None:
            self.told.append((name, event.job_id))

        return note

    def work(self) -> str:
        self.begun.set()
        assert self.may_end.wait(WAIT_SECS)
        return "late"

    async def work_async(self) -> str:
        self.begun.set()
        await until(self.may_end.is_set)
        return "late"


async def until(condition: Any) -> None:
    for _ in range(int(WAIT_SECS / POLL_SECS)):
        if condition():
            return
        await asyncio.sleep(POLL_SECS)
    raise AssertionError("it never came about")


@asynccontextmanager
async def working(kind: str, url: str, **options: Any) -> AsyncIterator[tuple[Slow, Any]]:
    """Run a worker; give what it does and a coroutine function that stops it."""
    slow = Slow()
    settings: dict[str, Any] = {"concurrency": 1, "poll_interval": POLL_SECS, **options}
    if kind == "blocking":
        with SpooledClient(config=config(url)) as client:
            worker = SpooledWorker(client, QUEUE, **settings)
            worker.process(lambda _: slow.work())
            slow.watch(worker)
            running = asyncio.create_task(asyncio.to_thread(worker.start))

            async def stop() -> None:
                await asyncio.to_thread(worker.stop)
                await running

            try:
                yield slow, stop
            finally:
                slow.may_end.set()
                if not running.done():
                    await stop()
    else:
        async with AsyncSpooledClient(config=config(url)) as async_client:
            async_worker = AsyncSpooledWorker(async_client, QUEUE, **settings)

            @async_worker.process
            async def handle(_: Any) -> str:
                return await slow.work_async()

            slow.watch(async_worker)
            async_running = asyncio.create_task(async_worker.start())

            async def async_stop() -> None:
                await async_worker.stop()
                await async_running

            try:
                yield slow, async_stop
            finally:
                slow.may_end.set()
                if not async_running.done():
                    await async_stop()


kinds = pytest.mark.parametrize("kind", ["blocking", "asyncio"])


async def enqueued(client: AsyncSpooledClient, **fields: Any) -> str:
    made = await client.jobs.create({"queue_name": QUEUE, "payload": {}, **fields})
    return made.id


@kinds
async def test_a_worker_that_lost_its_lease_settles_nothing(
    kind: str, url: str, engine: Engine
) -> None:
    async with (
        AsyncSpooledClient(config=config(url)) as client,
        # The first heartbeat is due after 30 s, which the server's clock leaps over.
        working(kind, url, lease_duration=30, heartbeat_fraction=1.0) as (slow, _),
    ):
        job_id = await enqueued(client)
        await until(slow.begun.is_set)
        real = engine._clock
        engine._clock = lambda: real() + 31_000_000
        claim: Any = {"queue_name": QUEUE, "worker_id": "other", "lease_duration_secs": 60}
        other = (await client.jobs.claim(claim)).jobs[0]
        assert (other.id, other.retry_count) == (job_id, 1)
        slow.may_end.set()
        await until(lambda: ("job:lease_lost", job_id) in slow.told)
        job = await client.jobs.get(job_id)
        assert (job.status, job.assigned_worker_id, job.result) == ("processing", "other", None)
        done: Any = {"worker_id": "other", "lease_id": other.lease_id, "result": "mine"}
        assert (await client.jobs.complete(job_id, done)).success
        assert (await client.jobs.get(job_id)).result == "mine"


@kinds
async def test_a_job_that_takes_too_long_is_failed_by_its_worker(kind: str, url: str) -> None:
    async with (
        AsyncSpooledClient(config=config(url)) as client,
        working(kind, url) as (slow, _),
    ):
        job_id = await enqueued(client, timeout_seconds=1, max_retries=0)
        await until(lambda: ("job:failed", job_id) in slow.told)
        job = await client.jobs.get(job_id)
        assert (job.status, job.last_error) == ("deadletter", "Job timeout exceeded")


@kinds
async def test_a_worker_that_stops_fails_what_it_cannot_finish(kind: str, url: str) -> None:
    async with (
        AsyncSpooledClient(config=config(url)) as client,
        working(kind, url, shutdown_timeout=0.1) as (slow, stop),
    ):
        job_id = await enqueued(client, max_retries=0)
        await until(slow.begun.is_set)
        await stop()
        job = await client.jobs.get(job_id)
        assert (job.status, job.last_error) == ("deadletter", "Worker shutdown timeout")
        (worker,) = await client.workers.list()
        assert worker.status == "offline"
