"""What every handler needs of the running server, under one typed application key."""

import asyncio

from aiohttp import web

from server.clock import monotonic_us
from server.engine import Engine
from server.http.description import Description
from server.http.ratelimit import Limiter
from server.lag import LoopLag
from server.metrics import Counts, Metrics
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
        limiter: Limiter,
        description: Description,
        *,
        meter: LogMeter,
        metrics_token: str | None,
    ) -> None:
        self.engine = engine
        self.secret = secret
        self.limiter = limiter
        self.description = description
        self.metrics_token = metrics_token
        self.waiting = WaitingRoom(engine)
        self.requests: Requests = Requests(RouteTally)
        self.lag = LoopLag()
        self.server: web.Server | None = None
        self.metrics = Metrics(engine, Counts(JobTally(engine), self.requests, meter, self.lag))
        self._publish()
        self.draining = False
        self.started_us = monotonic_us()
        self.digest_turn = asyncio.Lock()
        self.timekeeper: asyncio.Task[None] | None = None

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
