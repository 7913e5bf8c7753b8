"""The official SDK's workers drain a queue: every job ends as its handler said."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from spooled import AsyncSpooledClient, AsyncSpooledWorker, SpooledClient, SpooledWorker
from spooled.worker.types import JobCompletedEventData, JobFailedEventData

from tests.sdk.clients import config

JOBS: Final = 40
QUEUE: Final = "numbers"
CONCURRENCY: Final = 4
POLL_SECS: Final = 0.02
WAIT_SECS: Final = 30


class Flaky(Exception):
    """The first attempt at every fourth job fails."""


class Hopeless(Exception):
    """Every attempt at every tenth job fails."""


class Seen(Struct):
    """What the workers told: which jobs ended, how many attempts failed, what went wrong."""

    completed: list[str] = []
    failures: list[str] = []
    dead: list[str] = []
    errors: list[Exception] = []

    def all_ended(self) -> bool:
        return len(self.completed) + len(self.dead) == JOBS


def hopeless(number: int) -> bool:
    return number % 10 == 9


def flaky(number: int) -> bool:
    return number % 4 == 0


def work(number: int, retry_count: int) -> dict[str, int]:
    if hopeless(number):
        raise Hopeless("never")
    if flaky(number) and retry_count == 0:
        raise Flaky("not at first")
    return {"square": number * number}


def watch(worker: SpooledWorker | AsyncSpooledWorker, ended: Callable[[], None]) -> Seen:
    """Note what the worker tells, and call `ended` when every job has."""
    seen, lock = Seen(), threading.Lock()

    def told(note: Callable[[], None]) -> None:
        with lock:
            note()
            if seen.all_ended() or seen.errors:
                ended()

    @worker.on("job:completed")
    def completed(event: JobCompletedEventData) -> None:
        told(lambda: seen.completed.append(event.job_id))

    @worker.on("job:failed")
    def failed(event: JobFailedEventData) -> None:
        told(lambda: (seen.failures if event.will_retry else seen.dead).append(event.job_id))

    @worker.on("error")
    def error(event: Any) -> None:
        told(lambda: seen.errors.append(event.error))

    return seen


async def enqueue(url: str) -> dict[int, str]:
    async with AsyncSpooledClient(config=config(url)) as client:
        items: list[dict[str, Any]] = [{"payload": {"n": number}} for number in range(JOBS)]
        made = await client.jobs.bulk_enqueue(
            {"queue_name": QUEUE, "jobs": items, "default_max_retries": 1}
        )
    return {one.index: one.job_id or "" for one in made.succeeded}


async def assert_drained(url: str, ids: dict[int, str], seen: Seen) -> None:
    """Compare what the workers told and what the server holds with what had to come out."""
    assert seen.errors == []
    assert sorted(seen.completed) == sorted(ids[n] for n in ids if not hopeless(n))
    assert sorted(seen.dead) == sorted(ids[n] for n in ids if hopeless(n))
    assert sorted(seen.failures) == sorted(ids[n] for n in ids if hopeless(n) or flaky(n))
    async with AsyncSpooledClient(config=config(url)) as client:
        for number, job_id in ids.items():
            job = await client.jobs.get(job_id)
            assert job.retry_count == (hopeless(number) or flaky(number)), number
            if hopeless(number):
                assert (job.status, job.last_error) == ("deadletter", "never")
            else:
                assert (job.status, job.result) == ("completed", {"square": number * number})
        (worker,) = await client.workers.list()
        assert (worker.status, worker.max_concurrency) == ("offline", CONCURRENCY)
        stats = await client.queues.get_stats(QUEUE)
        assert (stats.pending_jobs, stats.processing_jobs) == (0, 0)
        assert (stats.completed_jobs_24h, stats.failed_jobs_24h) == (
            len(seen.completed),
            len(seen.dead),
        )


async def test_blocking_worker(url: str) -> None:
    ids = await enqueue(url)
    ended = threading.Event()
    with SpooledClient(config=config(url)) as client:
        worker = SpooledWorker(client, QUEUE, concurrency=CONCURRENCY, poll_interval=POLL_SECS)
        worker.process(lambda job: work(job.payload["n"], job.retry_count))
        seen = watch(worker, ended.set)
        running = asyncio.create_task(asyncio.to_thread(worker.start))
        try:
            assert await asyncio.to_thread(ended.wait, WAIT_SECS), seen
        finally:
            await asyncio.to_thread(worker.stop)
            await running
    await assert_drained(url, ids, seen)


async def test_asyncio_worker(url: str) -> None:
    ids = await enqueue(url)
    ended = asyncio.Event()
    async with AsyncSpooledClient(config=config(url)) as client:
        worker = AsyncSpooledWorker(client, QUEUE, concurrency=CONCURRENCY, poll_interval=POLL_SECS)

        @worker.process
        async def handle(job: Any) -> dict[str, int]:
            return work(job.payload["n"], job.retry_count)

        seen = watch(worker, ended.set)
        running = asyncio.create_task(worker.start())
        try:
            await asyncio.wait_for(ended.wait(), WAIT_SECS)
        finally:
            await worker.stop()
            await running
    await assert_drained(url, ids, seen)
