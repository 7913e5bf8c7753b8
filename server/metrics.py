"""Every metric and the registry of one server: what was counted becomes samples when asked for.

Nothing is counted here, and nothing here is on the way of a request. A value that somebody holds
already is one line: `Metrics.gauge`. docs/metrics.md lists them all, and a test compares.
"""

import asyncio
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from msgspec import Struct
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from eventlog import LogStat
from projections.bounds import SECOND_US
from projections.events import JobCompleted, JobCreated, JobFailed, JobLeaseExpired
from projections.lifecycle import TERMINAL, Status
from server.engine import Engine
from server.lag import LoopLag
from server.stock import Stock, take_stock
from server.tally import NS_PER_SEC, Histogram, JobTally, LogMeter, Requests

REFUSALS: Final = {
    408: "timeout",
    413: "too_large",
    429: "rate_limited",
    503: "unavailable",
    507: "storage_full",
}

_OF_LOG: Final[tuple[tuple[str, str, Callable[[LogStat], float]], ...]] = (
    ("spoolog_log_last_position", "Last position appended", lambda log: log.last),
    ("spoolog_log_durable_position", "Last durable position", lambda log: log.durable),
    ("spoolog_log_synced_position", "Last position synced to disk", lambda log: log.synced),
    ("spoolog_log_bytes", "Text of the log", lambda log: log.bytes),
    ("spoolog_log_pending_bytes", "Appended, not yet durable", lambda log: log.pending_bytes),
    ("spoolog_log_failed", "1 after a failed write or sync", lambda log: log.failed),
)


class Counts(Struct, frozen=True):
    """All that is counted in one server."""

    jobs: JobTally
    requests: Requests
    meter: LogMeter
    lag: LoopLag


class Metrics(Collector):
    """The metrics of one server."""

    def __init__(self, engine: Engine, counts: Counts) -> None:
        self.registry = CollectorRegistry()
        self._engine = engine
        self._counts = counts
        self._stock = Stock()
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Publish a value that is read when somebody asks; `read` must be quick."""
        self._gauges.append((name, text, read))

    async def page(self) -> bytes:
        """Give everything in the Prometheus text format 0.0.4."""
        self._stock = await take_stock(self._engine.state)
        parts = []
        for family in self.registry.collect():
            parts.append(generate_latest(_Only(family)))
            await asyncio.sleep(0)  # writing all of it would hold up the loop for milliseconds
        return b"".join(parts)

    def collect(self) -> Iterator[Metric]:  # type: ignore[explicit-override]  # typing.override is of 3.12
        """Give the families of our own."""
        counts, log = self._counts, self._engine.log.stat()
        for name, text, of in _OF_LOG:
            yield GaugeMetricFamily(name, text, of(log))
        for name, text, read in self._gauges:
            yield GaugeMetricFamily(name, text, read())
        yield from _events(counts.jobs)
        yield from _stock(self._stock, self._engine.now_us())
        yield from _requests(counts.requests)
        yield from _batches(counts.meter)
        yield from _loop(counts.lag)


class _Only(Collector):
    """One family, for a library that writes whole registries."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:  # type: ignore[explicit-override]
        """Give it."""
        yield self._family


def _events(jobs: JobTally) -> Iterator[Metric]:
    events = jobs.events
    failed = events[JobFailed] + events[JobLeaseExpired]
    for name, text, value in (
        ("spooled_jobs_enqueued", "Jobs created", events[JobCreated]),
        ("spooled_jobs_completed", "Jobs completed", events[JobCompleted]),
        ("spooled_jobs_failed", "Attempts that failed or lost their lease", failed),
        ("spooled_jobs_retried", "Jobs that went back to their queue", jobs.retried),
        ("spooled_jobs_deadlettered", "Jobs that became dead letters", jobs.deadlettered),
    ):
        yield CounterMetricFamily(name, text, value)
    by_type = CounterMetricFamily("spoolog_events", "Events recorded", labels=["type"])
    for kind, count in events.items():
        by_type.add_metric([str(kind.__struct_config__.tag)], count)
    yield by_type
    yield _histogram("spooled_job_duration_seconds", "From claim to completion", jobs.durations)


def _stock(stock: Stock, now_us: int) -> Iterator[Metric]:
    oldest_us = now_us if stock.oldest_us is None else stock.oldest_us
    finished = sum(stock.jobs[status] for status in TERMINAL)
    for name, text, value in (
        ("spooled_jobs_pending", "Jobs pending", stock.jobs[Status.PENDING]),
        ("spooled_jobs_processing", "Jobs processing", stock.jobs[Status.PROCESSING]),
        (
            "spooled_job_max_age_seconds",
            "Age of the oldest waiting",
            (now_us - oldest_us) / SECOND_US,
        ),
        ("spooled_workers_active", "Workers not offline", stock.workers_active),
        ("spooled_workers_healthy", "Workers that call themselves healthy", stock.workers_healthy),
        ("spoolog_jobs_finished", "Ended jobs that are kept", finished),
    ):
        yield GaugeMetricFamily(name, text, value)
    by_status = GaugeMetricFamily("spoolog_jobs", "Jobs by status", labels=["status"])
    for status, count in stock.jobs.items():
        by_status.add_metric([status], count)
    yield by_status


def _requests(requests: Requests) -> Iterator[Metric]:
    answered = CounterMetricFamily(
        "spooled_api_requests", "Requests answered", labels=["method", "path", "status"]
    )
    took = HistogramMetricFamily(
        "spooled_api_request_duration_seconds",
        "From a request's head to its answer",
        labels=["method", "path"],
    )
    refused = dict.fromkeys(REFUSALS, 0)
    for (method, path), route in requests.items():
        for status, count in route.statuses.items():
            answered.add_metric([method, path, str(status)], count)
            if status in refused:
                refused[status] += count
        took.add_metric([method, path], *_cumulated(route.durations))
    yield answered
    yield took
    by_reason = CounterMetricFamily(
        "spoolog_requests_refused", "Requests refused for want of room", labels=["reason"]
    )
    for status, count in refused.items():
        by_reason.add_metric([REFUSALS[status]], count)
    yield by_reason


def _batches(meter: LogMeter) -> Iterator[Metric]:
    yield CounterMetricFamily("spoolog_log_records", "Records written", meter.batch_records.total)
    yield CounterMetricFamily(
        "spoolog_log_batches", "Batches written", sum(meter.batch_records.counts)
    )
    yield _histogram("spoolog_log_batch_records", "Records in a batch", meter.batch_records)
    yield _histogram("spoolog_log_batch_bytes", "Bytes in a batch", meter.batch_bytes)
    yield _histogram("spoolog_log_sync_seconds", "Time in fdatasync", meter.syncs)


def _loop(lag: LoopLag) -> Iterator[Metric]:
    yield _histogram("spoolog_loop_lag_seconds", "How late the event loop woke", lag.lags)
    yield GaugeMetricFamily(
        "spoolog_loop_stall_seconds_max", "How late it woke at worst", lag.worst_ns / NS_PER_SEC
    )
    yield GaugeMetricFamily(
        "spoolog_loop_stall_own_seconds_max",
        "The same without waits for a processor",
        lag.worst_own_ns / NS_PER_SEC,
    )


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(name, text, labels=[])
    family.add_metric([], *_cumulated(histogram))
    return family


def _cumulated(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Give the buckets as they are published, each with those before it, and the sum."""
    bounds = [str(bound / histogram.scale) for bound in histogram.bounds]
    counts = accumulate(histogram.counts)
    return list(zip([*bounds, "+Inf"], counts, strict=True)), histogram.total / histogram.scale
