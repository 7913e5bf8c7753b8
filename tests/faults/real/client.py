"""A client that knows the HTTP API, and writes down all that it asks and is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from tests.faults.real.ledger import Ledger, Op
from tests.faults.real.stage import KEY

_ANSWER_SECS: Final = 30


class Client:
    """Sends requests to one server; it may die at any moment."""

    def __init__(self, session: aiohttp.ClientSession, ledger: Ledger) -> None:
        self._session = session
        self.ledger = ledger

    async def call(self, kind: str, method: str, path: str, body: Any = None, **asked: Any) -> Op:
        """Write down what is asked, ask it, and write down what came of it."""
        op = self.ledger.invoke(kind, asked if body is None else {**body, **asked})
        await self.send(op, method, path, body)
        return op

    async def send(self, op: Op, method: str, path: str, body: Any = None) -> None:
        """Ask what was written down; never raises for what the server did."""
        headers = {"X-Request-Id": op.request}
        try:
            async with self._session.request(
                method, "/api/v1" + path, json=body, headers=headers
            ) as answer:
                told = await answer.json() if answer.content_type == "application/json" else None
                self.ledger.settle(op, _outcome(answer.status), answer.status, told)
        except aiohttp.ClientConnectorError:
            self.ledger.settle(op, "fail")  # it was never sent
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.ledger.settle(op, "unknown")
        except asyncio.CancelledError:
            self.ledger.settle(op, "unknown")
            raise

    async def ask(self, path: str) -> tuple[int, Any]:
        """Read something that goes into no history: the checker's own question."""
        async with self._session.get("/api/v1" + path) as answer:
            return answer.status, await answer.json()

    async def alive(self) -> bool:
        """Ask the probe, which waits for nothing."""
        async with self._session.get("/health/live") as answer:
            return answer.status == 200


@asynccontextmanager
async def connected(url: str, ledger: Ledger) -> AsyncIterator[Client]:
    """Give a client of the server at `url`, with as many connections as it needs."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECS)
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(
        url, headers=headers, connector=connector, timeout=timeout
    ) as session:
        session._retry_connection = False  # what is sent twice cannot be judged
        yield Client(session, ledger)


def _outcome(status: int) -> str:
    if status < 400:
        return "ok"
    return "fail" if status < 500 else "unknown"
