"""The figures that a dashboard shows: everything at a glance, and one queue over time."""

from typing import Final

from msgspec import Struct, field

from eventlog import SyncMode
from projections import bounds
from projections.entities import Queue
from projections.lifecycle import Status
from projections.moments import to_text
from projections.queries.stats import per_minute
from server.failures import Group
from server.http.views.times import Time
from server.overview import WINDOWS_US, Glanced, Overview, Rate
from server.rings import Durations, quantile_us
from server.timeline import Moment

QUEUES_NAMED_MAX: Final = 20


class System(Struct, frozen=True):
    """The server. `database` is the log, `cache` the projections."""

    version: str
    uptime_seconds: int
    started_at: Time
    database_status: str
    cache_status: str
    environment: str


class Jobs(Struct, frozen=True):
    """Jobs by status, and what ended in 24 hours; the averages are absent where nothing happened."""

    total: int
    pending: int
    scheduled: int
    processing: int
    completed_24h: int
    failed_24h: int
    deadletter: int
    avg_wait_time_ms: float | None
    avg_processing_time_ms: float | None


class QueueLine(Struct, frozen=True):
    """A queue in the short list by name."""

    name: str
    pending: int
    processing: int
    paused: bool


class Workers(Struct, frozen=True):
    """The workers that are not offline; healthy ones were heard of within a minute."""

    total: int
    healthy: int
    unhealthy: int


class RecentActivity(Struct, frozen=True):
    """What happened within an hour, to the minute."""

    jobs_created_1h: int
    jobs_completed_1h: int
    jobs_failed_1h: int


class LogFigures(Struct, frozen=True):
    """Where the log stands."""

    position: int
    durable_position: int
    sync: SyncMode
    segments: int
    bytes: int


class Rates(Struct, frozen=True):
    """Jobs created, jobs completed and attempts failed, a second."""

    in_per_sec: float
    out_per_sec: float
    failed_per_sec: float


class Throughput(Struct, frozen=True):
    """The rates of the last minute, hour and day, or of as much of it as is known."""

    minute: Rates
    hour: Rates
    day: Rates


class FailureGroup(Struct, frozen=True):
    """Failures of 24 hours whose errors differ only in numbers, ids, paths and quoted texts."""

    signature: str
    count: int
    last_at: Time
    queues: list[str]
    example_job_id: str
    example_error: str


class PausedQueue(Struct, frozen=True):
    """A paused queue: by whom, why, since when."""

    queue: str
    by: str | None
    reason: str | None
    since: Time


class Glance(Struct, frozen=True):
    """A queue at a glance; rates are those of the last five minutes."""

    name: str
    pending: int
    scheduled: int
    processing: int
    deadletter: int
    oldest_claimable_secs: int | None
    in_per_min: float
    out_per_min: float
    paused: bool


class OldestClaimable(Struct, frozen=True):
    """The job that could have been handed out for the longest time, and was not."""

    queue: str
    job_id: str
    age_secs: int


class Dashboard(Struct, frozen=True):
    """Answer to GET /dashboard. What is counted over time is whole from `figures_since` on."""

    system: System
    jobs: Jobs
    queues: list[QueueLine]
    workers: Workers
    recent_activity: RecentActivity
    log: LogFigures
    throughput: Throughput
    failures: list[FailureGroup]
    paused: list[PausedQueue]
    glance: list[Glance]
    oldest_claimable: OldestClaimable | None
    figures_since: Time


class Point(Struct, frozen=True):
    """What happened in the `step_secs` from `at` on, and what was there at their end."""

    at: Time
    pending: int
    processing: int
    failed: int
    came: int = field(name="in")
    left: int = field(name="out")


class QueueSeries(Struct, frozen=True):
    """Answer to GET /queues/{name}/series."""

    step_secs: int
    points: list[Point]
    since: Time = field(name="from")


class Quantiles(Struct, frozen=True):
    """What half, nine in ten and 99 in a hundred do not exceed; absent when there was nothing."""

    p50: float | None
    p90: float | None
    p99: float | None
    count: int


class QueueTimings(Struct, frozen=True):
    """Answer to GET /queues/{name}/timings: how long jobs waited for a worker, and ran.

    They are whole from `figures_since` on.
    """

    window_secs: int
    wait_ms: Quantiles
    run_ms: Quantiles
    figures_since: Time


def glance(one: Glanced, now_us: int) -> Glance:
    """Give a queue at a glance."""
    shelf = one.shelf
    came, left = per_minute(shelf, now_us)
    return Glance(
        name=one.queue.name,
        pending=shelf.count(Status.PENDING),
        scheduled=shelf.count(Status.SCHEDULED),
        processing=shelf.count(Status.PROCESSING),
        deadletter=shelf.count(Status.DEADLETTER),
        oldest_claimable_secs=None if one.job is None else _secs(now_us - one.ready_us),
        in_per_min=round(came, 2),
        out_per_min=round(left, 2),
        paused=one.queue.paused_at is not None,
    )


def oldest_claimable(found: Overview) -> OldestClaimable | None:
    """Give the job at the head of the worst queue, if it is to be handed out at all."""
    worst = next(iter(found.glance), None)
    if worst is None or worst.job is None:
        return None
    return OldestClaimable(worst.queue.name, worst.job, _secs(found.now_us - worst.ready_us))


def line(one: Glanced) -> QueueLine:
    """Give a queue for the short list."""
    return QueueLine(
        name=one.queue.name,
        pending=one.shelf.count(Status.PENDING),
        processing=one.shelf.count(Status.PROCESSING),
        paused=one.queue.paused_at is not None,
    )


def jobs(found: Overview) -> Jobs:
    """Give the jobs by status and what ended."""
    by_status, day = found.jobs, found.day
    return Jobs(
        total=sum(by_status.values()),
        pending=by_status[Status.PENDING],
        scheduled=by_status[Status.SCHEDULED],
        processing=by_status[Status.PROCESSING],
        completed_24h=day.completed,
        failed_24h=day.failed,
        deadletter=by_status[Status.DEADLETTER],
        avg_wait_time_ms=_average_ms(found.waited_us, found.waited),
        avg_processing_time_ms=_average_ms(day.processing_us, day.completed),
    )


def recent_activity(found: Overview) -> RecentActivity:
    """Give what happened within an hour."""
    hour = found.hour
    return RecentActivity(hour.created, hour.completed, hour.failed)


def throughput(found: Overview) -> Throughput:
    """Give the rates, a job in 24 hours included."""
    minute, hour, day = (found.rates[window_us] for window_us in WINDOWS_US)
    return Throughput(_rates(minute), _rates(hour), _rates(day))


def failure(group: Group) -> FailureGroup:
    """Give failures of one kind, and the queues where there were most of them."""
    worst = sorted(group.counts, key=lambda name: (-group.counts[name], name))
    return FailureGroup(
        signature=group.signature,
        count=group.count,
        last_at=to_text(group.last.last_at),
        queues=worst[:QUEUES_NAMED_MAX],
        example_job_id=group.last.job,
        example_error=group.last.error,
    )


def paused(queue: Queue) -> PausedQueue:
    """Give a paused queue."""
    assert queue.paused_at is not None
    return PausedQueue(queue.name, queue.paused_by, queue.paused_reason, to_text(queue.paused_at))


def point(moment: Moment) -> Point:
    """Give a step of a series."""
    return Point(
        at=to_text(moment.at_us),
        pending=moment.pending,
        processing=moment.processing,
        failed=moment.failed,
        came=moment.came,
        left=moment.left,
    )


def quantiles(durations: Durations, since_us: int) -> Quantiles:
    """Give what most durations do not exceed, in milliseconds."""
    counts, _ = durations.since(since_us)
    p50, p90, p99 = (_ms(quantile_us(counts, share)) for share in (0.5, 0.9, 0.99))
    return Quantiles(p50, p90, p99, int(counts.sum()))


def _rates(rate: Rate) -> Rates:
    return Rates(round(rate.came, 6), round(rate.left, 6), round(rate.failed, 6))


def _average_ms(total_us: int, count: int) -> float | None:
    return total_us / count / 1_000 if count else None


def _ms(us: float | None) -> float | None:
    return None if us is None else round(us / 1_000, 3)


def _secs(us: int) -> int:
    return max(us, 0) // bounds.SECOND_US
