"""What every handler needs of the running server, under one typed application key."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web

from server.claimants import Claimants
from server.clock import monotonic_us
from server.diskuse import NOTHING, DiskUse
from server.engine import Engine
from server.http.description import Description
from server.http.gathering import Gathering
from server.http.guessing import Guessing
from server.http.intake import Intake
from server.http.ratelimit import Limiter
from server.lag import LoopLag
from server.live import Hub
from server.metrics import Counts, Metrics
from server.past import Past
from server.pressure import Pressure
from server.series import Series
from server.settings import Settings
from server.snapshotter import Snapshotter
from server.tally import JobTally, LogMeter, Requests, RouteTally
from server.tokens import Tokens
from server.waiting import WaitingRoom

LOGIN_FAILURES_PER_MIN: Final = 5
"""Wrong keys that one address may log in with, of those that begin alike."""


class Traffic:
    """Figures of the connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.turned_away = 0
        self.late_heads = 0
        self.unread_aborts = 0


class Service:
    """The engine, the secret of the key hashes, and whether the server is on its way out.

    Whoever bears `metrics_token` may read the metrics; without it, everyone.
    """

    def __init__(
        self,
        engine: Engine,
        secret: bytes,
        settings: Settings,
        description: Description,
        meter: LogMeter,
        *,
        series: Series,
    ) -> None:
        self.engine = engine
        self.secret = secret
        self.description = description
        self.metrics_token = settings.metrics_token
        self.access_log = settings.access_log
        self.limiter = Limiter(settings.rate_limit, settings.rate_burst)
        self.guessing = Guessing(settings.auth_failures_per_min, engine.now_us)
        self.logins = Guessing(
            min(settings.auth_failures_per_min, LOGIN_FAILURES_PER_MIN), engine.now_us
        )
        self.tokens = Tokens(
            secret,
            engine.now_us,
            engine.new_id,
            access_secs=settings.token_secs,
            refresh_secs=settings.refresh_token_secs,
        )
        self.intake = Intake(bytes_max=settings.body_bytes_max, secs=settings.body_secs)
        self.traffic = Traffic()
        self.pressure = Pressure(
            engine.log,
            pending_bytes_max=settings.pending_bytes_max,
            disk_reserve_bytes=settings.disk_reserve_bytes,
        )
        engine.admission = self.pressure.admit
        self.waiting = WaitingRoom(engine)
        self.live = Hub(engine)
        self.claimants = Claimants(engine)
        self.sockets: Counter[str] = Counter()
        """open WebSockets, by organization"""
        self.requests: Requests = Requests(RouteTally)
        self.lag = LoopLag()
        self.snapshotter = Snapshotter.never(engine.log, engine.now_us)
        self.disk_use = DiskUse(lambda: NOTHING)
        self.past: Past | None = None
        """answers questions about the past; none where the log is in memory"""
        self.metrics = Metrics(engine, Counts(JobTally(engine), self.requests, meter, self.lag))
        self.series = series
        self.gathering = Gathering(engine.now_us)
        self._publish()
        self.draining = False
        self.leaving = asyncio.Event()
        """set when streams must end, for the server is on its way out"""
        self.sending: set[asyncio.Transport | None] = set()
        """connections of answers that go on, while what was sent is being taken"""
        self.started_us = monotonic_us()
        self.digest_turn = asyncio.Lock()
        self.undo_turn = asyncio.Lock()
        """one at a time: each looks first for what was restored before it"""
        self.reading_turn = asyncio.Lock()
        """of those who read the log from far back, by slices"""
        self.background: list[asyncio.Task[None]] = []

    def _publish(self) -> None:
        """Publish what others hold, one line each; docs/metrics.md tells what it means."""
        gauge = self.metrics.gauge
        gauge("spoolog_connections_open", "Connections open", lambda: self.traffic.connections)
        gauge("spoolog_connections_refused", "Turned away", lambda: self.traffic.turned_away)
        gauge("spoolog_heads_late", "Heads too slow", lambda: self.traffic.late_heads)
        gauge("spoolog_answers_unread", "Answers not read", lambda: self.traffic.unread_aborts)
        gauge("spoolog_claims_waiting", "Claims that wait for a job", lambda: len(self.waiting))
        gauge("spoolog_listeners", "Who listens to events", lambda: len(self.live))
        gauge("spoolog_sockets", "Open WebSockets", self.sockets.total)
        gauge("spoolog_listeners_dropped", "Listeners too slow", lambda: self.live.dropped)
        gauge("spoolog_frames_told", "Frames for listeners", lambda: self.live.told)
        for name, text, read in (*self._storage(), *self._past()):
            gauge(name, text, read)

    def _storage(self) -> Iterator[tuple[str, str, Callable[[], float]]]:
        """Tell what is on disk."""
        yield "spoolog_disk_free_bytes", "Free space", lambda: self.pressure.free_bytes or 0
        yield "spoolog_log_first_position", "First position there", lambda: self.disk_use.now.first
        yield "spoolog_log_segments", "Segments on disk", lambda: self.disk_use.now.segments
        yield (
            "spoolog_log_file_bytes",
            "Size of the log on disk",
            lambda: self.disk_use.now.log_bytes,
        )
        yield (
            "spoolog_log_compressed_bytes",
            "Size of compressed segments",
            lambda: self.disk_use.now.compressed_bytes,
        )
        yield (
            "spoolog_quarantine_bytes",
            "Size of what was cut from logs",
            lambda: self.disk_use.now.quarantine_bytes,
        )
        yield "spoolog_snapshots", "Snapshots there", lambda: self.disk_use.now.snapshots
        yield (
            "spoolog_snapshot_bytes",
            "Size of all snapshots",
            lambda: self.disk_use.now.snapshot_bytes,
        )
        yield "spoolog_snapshot_position", "Newest snapshot", lambda: self.snapshotter.position
        yield "spoolog_snapshot_age_seconds", "Its age", lambda: self.snapshotter.age_secs
        yield "spoolog_snapshots_made", "Made by this process", lambda: self.snapshotter.made
        yield "spoolog_snapshots_failed", "Attempts in vain", lambda: self.snapshotter.failures

    def _past(self) -> Iterator[tuple[str, str, Callable[[], float]]]:
        """Tell of questions about the past."""

        def of_past(read: Callable[[Past], float]) -> Callable[[], float]:
            return lambda: 0 if self.past is None else read(self.past)

        yield "spoolog_past_questions", "About the past", of_past(lambda past: past.asked)
        yield "spoolog_past_cached", "Answered from the cache", of_past(lambda past: past.hits)
        yield "spoolog_past_waiting", "That wait now", of_past(lambda past: past.waiting)
        yield "spoolog_past_failed", "That failed", of_past(lambda past: past.failures)
        yield "spoolog_past_starts", "Processes", of_past(lambda past: past.process.started)
        yield (
            "spoolog_past_memory_bytes",
            "Memory of the process",
            of_past(lambda past: past.process.memory_bytes()),
        )

    def uptime_secs(self) -> int:
        """Whole seconds since the service was built."""
        return (monotonic_us() - self.started_us) // 1_000_000


SERVICE = web.AppKey("service", Service)
