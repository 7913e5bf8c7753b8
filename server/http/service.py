"""What every handler needs of the running server, under one typed application key."""

import asyncio

from aiohttp import web

from server.clock import monotonic_us
from server.engine import Engine
from server.http.description import Description
from server.http.intake import Intake
from server.http.ratelimit import Limiter
from server.lag import LoopLag
from server.metrics import Counts, Metrics
from server.pressure import Pressure
from server.settings import Settings
from server.tally import JobTally, LogMeter, Requests, RouteTally
from server.waiting import WaitingRoom


class Service:
    """The engine, the secret of the key hashes, and whether the server is on its way out.

    `server` is the one whose connections bring the requests, once it runs. Whoever bears
    `metrics_token` may read the metrics; without it, everyone.
    """

    def __init__(
        self,
        engine: Engine,
        secret: bytes,
        settings: Settings,
        description: Description,
        meter: LogMeter,
    ) -> None:
        self.engine = engine
        self.secret = secret
        self.description = description
        self.metrics_token = settings.metrics_token
        self.limiter = Limiter(settings.rate_limit, settings.rate_burst)
        self.intake = Intake(bytes_max=settings.body_bytes_max, secs=settings.body_secs)
        self.pressure = Pressure(
            engine.log,
            pending_bytes_max=settings.pending_bytes_max,
            disk_reserve_bytes=settings.disk_reserve_bytes,
        )
        engine.admission = self.pressure.admit
        self.waiting = WaitingRoom(engine)
        self.requests: Requests = Requests(RouteTally)
        self.lag = LoopLag()
        self.server: web.Server | None = None
        self.metrics = Metrics(engine, Counts(JobTally(engine), self.requests, meter, self.lag))
        self._publish()
        self.draining = False
        self.started_us = monotonic_us()
        self.digest_turn = asyncio.Lock()
        self.background: list[asyncio.Task[None]] = []

    def _publish(self) -> None:
        """Publish what others hold, one line each; docs/metrics.md tells what it means."""
        gauge = self.metrics.gauge
        gauge("spoolog_connections_open", "Connections open", self._open_connections)
        gauge("spoolog_claims_waiting", "Claims that wait for a job", lambda: len(self.waiting))

    def _open_connections(self) -> int:
        return 0 if self.server is None else len(self.server.connections)

    def uptime_secs(self) -> int:
        """Whole seconds since the service was built."""
        return (monotonic_us() - self.started_us) // 1_000_000


SERVICE = web.AppKey("service", Service)
