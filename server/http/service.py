"""What every handler needs of the running server, under one typed application key."""

import asyncio

from aiohttp import web

from server.clock import monotonic_us
from server.engine import Engine
from server.http.description import Description
from server.http.guessing import Guessing
from server.http.intake import Intake
from server.http.ratelimit import Limiter
from server.pressure import Pressure
from server.settings import Settings
from server.waiting import WaitingRoom


class Traffic:
    """Figures of the connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.turned_away = 0
        self.late_heads = 0
        self.unread_aborts = 0


class Service:
    """The engine, the secret of the key hashes, and whether the server is on its way out."""

    def __init__(
        self, engine: Engine, secret: bytes, settings: Settings, description: Description
    ) -> None:
        self.engine = engine
        self.secret = secret
        self.description = description
        self.limiter = Limiter(settings.rate_limit, settings.rate_burst)
        self.guessing = Guessing(settings.auth_failures_per_min, engine.now_us)
        self.intake = Intake(bytes_max=settings.body_bytes_max, secs=settings.body_secs)
        self.traffic = Traffic()
        self.pressure = Pressure(
            engine.log,
            pending_bytes_max=settings.pending_bytes_max,
            disk_reserve_bytes=settings.disk_reserve_bytes,
        )
        engine.admission = self.pressure.admit
        self.waiting = WaitingRoom(engine)
        self.draining = False
        self.started_us = monotonic_us()
        self.digest_turn = asyncio.Lock()
        self.background: list[asyncio.Task[None]] = []

    def uptime_secs(self) -> int:
        """Whole seconds since the service was built."""
        return (monotonic_us() - self.started_us) // 1_000_000


SERVICE = web.AppKey("service", Service)
