"""Queues as the API shows them."""

from msgspec import Raw, Struct

from projections.entities import Queue
from projections.moments import to_text, to_text_or_none
from projections.queries.stats import QueueStats
from server.http.views.times import Time


class QueueSummary(Struct, frozen=True):
    """A queue in a list."""

    queue_name: str
    max_retries: int
    default_timeout: int
    rate_limit: int | None
    enabled: bool


class QueueDetail(Struct, frozen=True):
    """A whole queue."""

    id: str
    organization_id: str
    queue_name: str
    max_retries: int
    default_timeout: int
    rate_limit: int | None
    enabled: bool
    settings: Raw
    paused_at: Time | None
    paused_by: str | None
    paused_reason: str | None
    created_at: Time
    updated_at: Time


class QueueFigures(Struct, frozen=True):
    """Answer to GET /queues/{name}/stats."""

    queue_name: str
    pending_jobs: int
    processing_jobs: int
    completed_jobs_24h: int
    failed_jobs_24h: int
    avg_processing_time_ms: float | None
    max_job_age_seconds: int | None
    active_workers: int
    scheduled_jobs: int
    enqueued_per_minute: float
    throughput_per_minute: float
    last_claimed_at: Time | None


class Paused(Struct, frozen=True):
    """Answer to pause."""

    queue_name: str
    paused: bool
    paused_at: Time | None
    reason: str | None


class Resumed(Struct, frozen=True):
    """Answer to resume."""

    queue_name: str
    resumed: bool
    paused_duration_secs: int


def queue_summary(entity: Queue, retries: int, timeout_secs: int) -> QueueSummary:
    """Give a queue as lists show it; `retries` and `timeout_secs` are the server's defaults."""
    return QueueSummary(
        queue_name=entity.name,
        max_retries=_or(entity.max_retries, retries),
        default_timeout=_or(entity.default_timeout_secs, timeout_secs),
        rate_limit=entity.rate_limit,
        enabled=entity.paused_at is None,
    )


def queue(entity: Queue, retries: int, timeout_secs: int) -> QueueDetail:
    """Give a whole queue; `retries` and `timeout_secs` are the server's defaults."""
    return QueueDetail(
        id=entity.id,
        organization_id=entity.org,
        queue_name=entity.name,
        max_retries=_or(entity.max_retries, retries),
        default_timeout=_or(entity.default_timeout_secs, timeout_secs),
        rate_limit=entity.rate_limit,
        enabled=entity.paused_at is None,
        settings=entity.settings,
        paused_at=to_text_or_none(entity.paused_at),
        paused_by=entity.paused_by,
        paused_reason=entity.paused_reason,
        created_at=to_text(entity.created_at),
        updated_at=to_text(entity.updated_at),
    )


def queue_figures(name: str, stats: QueueStats) -> QueueFigures:
    """Give a queue's figures: milliseconds and whole seconds."""
    average, oldest = stats.avg_processing_us, stats.oldest_waiting_us
    return QueueFigures(
        queue_name=name,
        pending_jobs=stats.pending_jobs,
        processing_jobs=stats.processing_jobs,
        completed_jobs_24h=stats.completed_24h,
        failed_jobs_24h=stats.failed_24h,
        avg_processing_time_ms=None if average is None else average / 1_000,
        max_job_age_seconds=None if oldest is None else oldest // 1_000_000,
        active_workers=stats.active_workers,
        scheduled_jobs=stats.scheduled_jobs,
        enqueued_per_minute=round(stats.enqueued_per_minute, 2),
        throughput_per_minute=round(stats.completed_per_minute, 2),
        last_claimed_at=to_text_or_none(stats.last_claimed_at),
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
