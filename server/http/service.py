"""What every handler needs of the running server, under one typed application key."""

import asyncio

from aiohttp import web

from server.clock import monotonic_us
from server.engine import Engine
from server.http.description import Description
from server.http.ratelimit import Limiter
from server.waiting import WaitingRoom


class Service:
    """The engine, the secret of the key hashes, and whether the server is on its way out."""

    def __init__(
        self, engine: Engine, secret: bytes, limiter: Limiter, description: Description
    ) -> None:
        self.engine = engine
        self.secret = secret
        self.limiter = limiter
        self.description = description
        self.waiting = WaitingRoom(engine)
        self.draining = False
        self.leaving = asyncio.Event()
        """set when streams must end, for the server is on its way out"""
        self.started_us = monotonic_us()
        self.digest_turn = asyncio.Lock()
        self.timekeeper: asyncio.Task[None] | None = None

    def uptime_secs(self) -> int:
        """Whole seconds since the service was built."""
        return (monotonic_us() - self.started_us) // 1_000_000


SERVICE = web.AppKey("service", Service)
