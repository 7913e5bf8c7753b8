"""A load generator: keep-alive connections that send the same bytes and time the answers.

Closed loop: each connection has one request on its way. Runs in a process of its own, on loopback
only: ``python -m tools.bench.load`` reads a `Load` and prints a `Loaded`, both JSON. It knows just
enough HTTP/1.1 for answers with a Content-Length.
"""

import asyncio
import ipaddress
import re
import sys
import time
from typing import Final, cast

from msgspec import Struct, json

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_GRACE_SECS: Final = 10
_NS_PER_MS: Final = 1e6
_NS_PER_S: Final = 1e9
_SAMPLE_BYTES: Final = 200


class Load(Struct, frozen=True):
    """What to send where, and when to stop: after `seconds`, or `requests` if that comes first."""

    host: str
    port: int
    path: str
    body: str
    headers: dict[str, str]
    connections: int
    seconds: float
    requests: int | None = None


class Loaded(Struct, frozen=True):
    """What came back. `failure` is the first answer that was no 2xx, or why there was none."""

    requests: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    failures: int
    failure: str | None


class Run:
    """What all connections share."""

    def __init__(self, load: Load) -> None:
        self.request = request_bytes(load)
        self.left = load.requests
        self.stopping = False
        self.latencies_ns: list[int] = []
        self.failures = 0
        self.failure: str | None = None

    def may_send(self) -> bool:
        """Take one request out of the budget."""
        if self.stopping or self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def fail(self, why: str) -> None:
        """Count a failure and keep the first one's text."""
        self.failures += 1
        self.failure = self.failure or why


class Connection(asyncio.Protocol):
    """One connection: send, wait for the whole answer, note its time, send again."""

    def __init__(self, run: Run) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._needed = 0
        self._sent_ns = 0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[explicit-override]
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:  # type: ignore[explicit-override]
        """Gather an answer until it is whole."""
        self._received = self._received + data if self._received else data
        if not self._needed:
            self._needed = self._length()
        if self._needed and len(self._received) >= self._needed:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[explicit-override]
        """Count an answer that will not come any more."""
        if self._waiting:
            self._run.fail(f"connection lost: {exc or 'closed by the server'}")
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        self._waiting = self._run.may_send()
        if not self._waiting:
            self._transport.close()
            return
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._run.request)

    def _length(self) -> int:
        head_end = self._received.find(_HEAD_END)
        if head_end < 0:
            return 0
        head_end += len(_HEAD_END)
        length = _LENGTH.search(self._received, 0, head_end)
        return head_end + (int(length[1]) if length is not None else 0)

    def _answered(self) -> None:
        self._run.latencies_ns.append(time.perf_counter_ns() - self._sent_ns)
        if self._received[9:10] != b"2":
            self._run.fail(self._received[:_SAMPLE_BYTES].decode("latin-1"))
        self._received = b""
        self._needed = 0
        self._send()


def request_bytes(load: Load) -> bytes:
    """Write the request that is sent over and over."""
    body = load.body.encode()
    lines = [
        f"POST {load.path} HTTP/1.1",
        f"Host: {load.host}:{load.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in load.headers.items()),
    ]
    return "\r\n".join(lines).encode() + _HEAD_END + body


async def make_load(load: Load) -> Loaded:
    """Send until time or budget is up.

    Raises:
        ValueError: the host is not this machine.
        OSError: nobody listens there.

    """
    if not ipaddress.ip_address(load.host).is_loopback:
        raise ValueError(f"{load.host} is not a loopback address")
    loop = asyncio.get_running_loop()
    run = Run(load)
    began_ns = time.perf_counter_ns()
    opened = [
        loop.create_connection(lambda: Connection(run), load.host, load.port)
        for _ in range(load.connections)
    ]
    connections = [connection for _, connection in await asyncio.gather(*opened)]
    ended = [connection.ended for connection in connections]
    _, open_still = await asyncio.wait(ended, timeout=load.seconds)
    run.stopping = True
    if open_still:
        _, silent = await asyncio.wait(open_still, timeout=_GRACE_SECS)
        for _ in silent:
            run.fail(f"no answer within {_GRACE_SECS} s")
    return summary(run, (time.perf_counter_ns() - began_ns) / _NS_PER_S)


def summary(run: Run, seconds: float) -> Loaded:
    """Turn the times into figures."""
    ordered = sorted(run.latencies_ns) or [0]

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / _NS_PER_MS

    good = len(run.latencies_ns)
    return Loaded(
        requests=good,
        seconds=seconds,
        per_second=good / seconds,
        p50_ms=percentile(0.50),
        p99_ms=percentile(0.99),
        max_ms=ordered[-1] / _NS_PER_MS,
        failures=run.failures,
        failure=run.failure,
    )


def main() -> None:
    """Read a `Load` from standard input, carry it out, print the `Loaded`."""
    import uvloop  # noqa: PLC0415 - the rest of this module works without it

    load = json.decode(sys.stdin.buffer.read(), type=Load)
    loaded = uvloop.run(make_load(load))
    sys.stdout.buffer.write(json.encode(loaded) + b"\n")


if __name__ == "__main__":
    main()
