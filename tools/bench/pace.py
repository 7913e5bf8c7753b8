"""Load at an even pace, however the server copes: jobs that are created, claimed and completed.

Open loop: a job begins when its time has come, whether or not those before it are done; how late its
answers are is told. Runs in a process of its own, on loopback only: ``python -m tools.bench.pace``
reads a `Pace` in one line, works until standard input ends, and prints a `Kept`, both JSON.
"""

import asyncio
import ipaddress
import re
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, Final, cast

from msgspec import Struct, json

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_EVENTS_PER_JOB: Final = 3
_GRACE_SECS: Final = 30
_CONNECTIONS_MAX: Final = 200
_BEHIND_SECS_MAX: Final = 60
_WORKER: Final = "bench"


class Pace(Struct, frozen=True):
    """How many events a second, on which queues of which server."""

    host: str
    port: int
    key: str
    queues: list[str]
    events_per_sec: int


class Kept(Struct, frozen=True):
    """How it went; times are from when a job was due to when it was completed."""

    jobs: int
    seconds: float
    events_per_sec: float
    p50_ms: float
    p99_ms: float


class NotKept(Exception):
    """The server refused, or could not keep up at all."""


class Connection(asyncio.Protocol):
    """A connection on which one request at a time is sent and answered."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    @property
    def usable(self) -> bool:
        """Whether it is open."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[explicit-override]
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:  # type: ignore[explicit-override]
        """Gather an answer until it is whole."""
        self._received += data
        head, end, body = self._received.partition(_HEAD_END)
        length = _LENGTH.search(head + end)
        if not end or len(body) < int(length[1] if length else 0):
            return
        answer, whole = self._answer, self._received
        self._answer, self._received = None, b""
        if answer is None or answer.done():
            return  # whoever asked has given up
        if head[9:10] == b"2":
            answer.set_result(body)
        else:
            answer.set_exception(NotKept(whole.decode(errors="replace")))

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[explicit-override]
        """Fail what will not be answered any more."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NotKept(f"connection lost: {exc or 'closed'}"))

    async def ask(self, request: bytes) -> bytes:
        """Send a request and give the body of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


class Run:
    """What all jobs share."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(_CONNECTIONS_MAX)
        self._underway: set[asyncio.Task[None]] = set()
        self._failed: list[asyncio.Task[None]] = []
        self.took_ms: list[float] = []

    async def until(self, end: asyncio.Event) -> None:
        """Begin jobs, each in its time, and see all of them through."""
        behind_max = _BEHIND_SECS_MAX * self._pace.events_per_sec
        for number, due in enumerate(self._moments()):
            delay = due - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            if end.is_set() or self._failed:
                break
            if len(self._underway) * _EVENTS_PER_JOB > behind_max:
                raise NotKept(f"the server is {_BEHIND_SECS_MAX} s behind")
            task = asyncio.create_task(self._job(number, due))
            self._underway.add(task)
            task.add_done_callback(self._done)
        remaining = asyncio.gather(*self._failed, *self._underway)
        await asyncio.wait_for(remaining, _GRACE_SECS)

    def _moments(self) -> Iterator[float]:
        began = time.perf_counter()
        every = _EVENTS_PER_JOB / self._pace.events_per_sec
        return (began + number * every for number in count())

    async def _job(self, number: int, due: float) -> None:
        async with self._free:
            connection = await self._connection()
            await self._life(connection, number)
            self._idle.append(connection)
        self.took_ms.append((time.perf_counter() - due) * 1_000)

    async def _life(self, connection: Connection, number: int) -> None:
        queue = self._pace.queues[number % len(self._pace.queues)]
        body = {"queue_name": queue, "payload": {"number": number, "to": "someone@example.com"}}
        await connection.ask(self._request("jobs", body))
        claim = {"queue_name": queue, "worker_id": _WORKER}
        claimed = json.decode(await connection.ask(self._request("jobs/claim", claim)))
        for job in claimed["jobs"]:
            done = {"worker_id": _WORKER, "lease_id": job["lease_id"], "result": {"sent": True}}
            await connection.ask(self._request(f"jobs/{job['id']}/complete", done))

    async def _connection(self) -> Connection:
        while self._idle:
            if (connection := self._idle.pop()).usable:
                return connection
        loop, pace = asyncio.get_running_loop(), self._pace
        _, connection = await loop.create_connection(Connection, pace.host, pace.port)
        return connection

    def _request(self, path: str, document: dict[str, Any]) -> bytes:
        pace, body = self._pace, json.encode(document)
        head = (
            f"POST /api/v1/{path} HTTP/1.1\r\nHost: {pace.host}:{pace.port}\r\n"
            f"Authorization: Bearer {pace.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _done(self, task: asyncio.Task[None]) -> None:
        self._underway.discard(task)
        if task.cancelled() or task.exception() is not None:
            self._failed.append(task)


async def keep(pace: Pace, end: asyncio.Event) -> Kept:
    """Work at this pace until the end is called.

    Raises:
        ValueError: the host is not this machine.
        NotKept: the server refused something, or fell far behind.
        OSError: nobody listens there.

    """
    if not ipaddress.ip_address(pace.host).is_loopback:
        raise ValueError(f"{pace.host} is not a loopback address")
    run, began = Run(pace), time.perf_counter()
    await run.until(end)
    seconds = time.perf_counter() - began
    times = sorted(run.took_ms) or [0.0]
    return Kept(
        jobs=len(run.took_ms),
        seconds=seconds,
        events_per_sec=len(run.took_ms) * _EVENTS_PER_JOB / seconds,
        p50_ms=times[len(times) // 2],
        p99_ms=times[int(len(times) * 0.99)],
    )


async def _main() -> None:
    pace = json.decode(sys.stdin.buffer.readline(), type=Pace)
    end = asyncio.Event()

    async def listen() -> None:
        # The parent holds the other end: when it is gone, so are we.
        await asyncio.to_thread(sys.stdin.buffer.read)
        end.set()

    listening = asyncio.create_task(listen())
    kept = await keep(pace, end)
    await listening
    sys.stdout.buffer.write(json.encode(kept) + b"\n")


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
