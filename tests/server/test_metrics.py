"""The page at /metrics against what was asked of the server."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eventlog import LogFailed
from projections.bounds import BODY_BYTES_MAX
from projections.shelf import Shelf
from projections.state import State
from server.app import build_app
from server.lag import PERIOD_SECS, LoopLag, watch_loop
from server.settings import Settings
from server.startup import open_engine
from server.stock import take_stock
from server.tally import Histogram
from tests.server.harness import API, ME, Answer, Face, assert_refused, background, started, until

TOKEN = "scrape-me"
STATUSES = ("pending", "scheduled", "processing", "completed", "failed", "deadletter", "cancelled")


class Page:
    """The samples of a page, by name and labels."""

    def __init__(self, text: str) -> None:
        self.types: dict[str, str] = {}
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(text):
            self.types[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._values, "every sample stands there once"
                self._values[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]

    def of(self, *names: str) -> list[float]:
        return [self(name) for name in names]

    def has(self, name: str, **labels: str) -> bool:
        return (name, frozenset(labels.items())) in self._values


async def scraped(face: Face) -> Page:
    answer = await face.ask("GET", "/metrics", key=None)
    assert answer.status == 200, answer.content
    return Page(answer.content.decode())


def jobs_counted(page: Page) -> dict[str, float]:
    names = ("enqueued", "completed", "failed", "retried", "deadlettered")
    counted = {name: page(f"spooled_jobs_{name}_total") for name in names}
    return {name: count for name, count in counted.items() if count}


async def test_format_is_told(face: Face) -> None:
    answer = await face.ask("GET", "/metrics", key=None)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    page = Page(answer.content.decode())
    assert page.types["spooled_jobs_enqueued"] == "counter"
    assert page.types["spooled_jobs_pending"] == "gauge"
    assert page.types["spooled_job_duration_seconds"] == "histogram"


async def test_nothing_has_happened_at_first(face: Face) -> None:
    page = await scraped(face)
    assert jobs_counted(page) == {}
    assert page("spooled_job_max_age_seconds") == 0
    assert page("spooled_job_duration_seconds_count") == 0
    assert [page("spoolog_jobs", status=status) for status in STATUSES] == [0] * 7


async def test_created_and_completed(face: Face) -> None:
    await face.create(idempotency_key="one")
    again = await face.post("/jobs", {"queue_name": "x", "payload": 1, "idempotency_key": "one"})
    assert again.status == 200
    await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": [{"payload": 1}] * 3})
    face.clock.advance(3)
    first, second = await face.claim(limit=2)
    face.clock.advance(7)
    await face.settle("complete", first["id"])
    face.clock.advance(13)
    await face.post("/jobs/bulk/complete", {"worker_id": ME, "jobs": [{"job_id": second["id"]}]})
    page = await scraped(face)
    assert jobs_counted(page) == {"enqueued": 4, "completed": 2}
    within = {"5.0": 0, "10.0": 1, "30.0": 2, "+Inf": 2}
    for bound, count in within.items():
        assert page("spooled_job_duration_seconds_bucket", le=bound) == count
    assert page.of("spooled_job_duration_seconds_count", "spooled_job_duration_seconds_sum") == [
        2,
        7 + 20,
    ]
    assert page("spoolog_events_total", type="job.created") == 4
    assert page("spoolog_events_total", type="job.claimed") == 2
    assert page("spoolog_jobs_finished") == 2


@pytest.mark.parametrize(
    ("max_retries", "ends", "counted"),
    [
        (1, "fail", {"failed": 1, "retried": 1}),
        (0, "fail", {"failed": 1, "deadlettered": 1}),
        (1, "lose", {"failed": 1, "retried": 1}),
        (0, "lose", {"failed": 1, "deadlettered": 1}),
        (1, "stop", {"failed": 1}),
    ],
)
async def test_attempts_that_fail(
    face: Face, max_retries: int, ends: str, counted: dict[str, int]
) -> None:
    job_id = await face.create(max_retries=max_retries)
    await face.claim()
    if ends == "stop":
        await face.post(f"/jobs/{job_id}/cancel", {})
    if ends == "lose":
        face.advance(31)
    else:
        await face.settle("fail", job_id)
    assert jobs_counted(await scraped(face)) == {"enqueued": 1, **counted}


async def test_sent_back_by_hand(face: Face) -> None:
    job_id = await face.create(max_retries=0)
    await face.claim()
    await face.settle("fail", job_id)
    await face.post(f"/jobs/{job_id}/retry")
    counted = jobs_counted(await scraped(face))
    assert counted == {"enqueued": 1, "failed": 1, "deadlettered": 1, "retried": 1}


async def test_refused_settlement_counts_for_nothing_but_its_event(face: Face) -> None:
    job_id = await face.create()
    await face.claim()
    await face.post(f"/jobs/{job_id}/complete", {"worker_id": "another"})
    page = await scraped(face)
    assert jobs_counted(page) == {"enqueued": 1}
    assert page("spoolog_events_total", type="job.settlement_refused") == 1


async def test_what_is_there_now(face: Face) -> None:
    later = "2099-01-01T00:00:00Z"
    await face.create("a")
    face.clock.advance(20)
    for queue in ("a", "b", "b"):
        await face.create(queue)
    await face.create("c", scheduled_at=later)
    gone = await face.create("c")
    await face.delete(f"/jobs/{gone}")
    face.clock.advance(10)
    page = await scraped(face)
    assert page.of("spooled_jobs_pending", "spooled_job_max_age_seconds") == [4, 30]
    await face.claim("a")
    page = await scraped(face)
    assert page.of("spooled_jobs_pending", "spooled_jobs_processing") == [3, 1]
    assert page("spooled_job_max_age_seconds") == 10
    wanted = {"pending": 3, "scheduled": 1, "processing": 1, "cancelled": 1}
    assert {s: page("spoolog_jobs", status=s) for s in STATUSES} == dict.fromkeys(
        STATUSES, 0
    ) | wanted


async def test_workers(face: Face) -> None:
    ids = []
    for _ in range(3):
        worker = await face.post("/workers/register", {"queue_name": "mail", "hostname": "h"})
        ids.append(worker.json["id"])
    await face.post(f"/workers/{ids[0]}/deregister")
    await face.post(f"/workers/{ids[1]}/heartbeat", {"current_jobs": 1, "status": "degraded"})
    page = await scraped(face)
    assert page.of("spooled_workers_active", "spooled_workers_healthy") == [2, 1]
    face.advance(200)
    page = await scraped(face)
    assert page.of("spooled_workers_active", "spooled_workers_healthy") == [0, 0]


async def test_requests_by_route_and_status(face: Face) -> None:
    job_id = await face.create()
    await face.get(f"/jobs/{job_id}")
    await face.get("/jobs/none")
    await face.get("/jobs/none", key=None)
    await face.get("/jobs?limit=x")
    await face.get("/nowhere")
    await face.ask("PATCH", "/anything/else")
    page = await scraped(face)
    for method, path, status, count in (
        ("POST", f"{API}/jobs", "201", 1),
        ("GET", f"{API}/jobs/{{id}}", "200", 1),
        ("GET", f"{API}/jobs/{{id}}", "404", 1),
        ("GET", f"{API}/jobs/{{id}}", "401", 1),
        ("GET", f"{API}/jobs", "400", 1),
        ("other", "other", "404", 2),
    ):
        told = page("spooled_api_requests_total", method=method, path=path, status=status)
        assert told == count, (method, path, status)
    one = {"method": "GET", "path": f"{API}/jobs/{{id}}"}
    assert page("spooled_api_request_duration_seconds_count", **one) == 3
    assert page("spooled_api_request_duration_seconds_bucket", **one, le="+Inf") == 3
    assert page("spooled_api_request_duration_seconds_sum", **one) > 0
    assert not page.has("spooled_api_requests_total", method="GET", path="/metrics", status="200")


async def test_refused_for_want_of_room(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, rate_limit=1, rate_burst=2)
    large = b'"' + b"x" * BODY_BYTES_MAX + b'"'
    assert (await face.post("/jobs", data=large)).status == 413
    assert [(await face.get("/jobs")).status for _ in range(3)] == [200, 429, 429]
    page = await scraped(face)
    told = {
        reason: page("spoolog_requests_refused_total", reason=reason)
        for reason in ("too_large", "rate_limited", "unavailable", "timeout", "storage_full")
    }
    assert told == {
        "too_large": 1,
        "rate_limited": 2,
        "unavailable": 0,
        "timeout": 0,
        "storage_full": 0,
    }


async def test_a_log_that_stands_still_is_told(face: Face) -> None:
    await face.create()
    face.log.hold()
    waiting = background(face.post("/jobs", {"queue_name": "mail", "payload": 1}))
    await until(lambda: face.log.last > face.log.durable_position)
    page = await scraped(face)
    last, durable = page.of("spoolog_log_last_position", "spoolog_log_durable_position")
    assert (last, durable) == (face.log.last, face.log.durable_position)
    assert page("spoolog_log_pending_bytes") > 0
    assert page("spoolog_log_failed") == 0
    face.log.release()
    assert (await waiting).status == 201


async def test_connections_and_claims_that_wait(face: Face) -> None:
    body = {"queue_name": "mail", "worker_id": ME, "wait_secs": 20}
    waiting = background(face.post("/jobs/claim", body))
    await until(lambda: len(face.service.waiting) == 1)
    page = await scraped(face)
    assert page.of("spoolog_claims_waiting", "spoolog_connections_open") == [1, 2]
    await face.create()
    assert (await waiting).status == 200
    assert (await scraped(face))("spoolog_claims_waiting") == 0


async def test_servers_in_one_process_count_for_themselves(aiohttp_client: Any) -> None:
    one, other = await started(aiohttp_client), await started(aiohttp_client)
    await one.create()
    assert jobs_counted(await scraped(one)) == {"enqueued": 1}
    assert jobs_counted(await scraped(other)) == {}


async def test_a_value_that_others_hold_is_read_when_asked_for(face: Face) -> None:
    held = [1.5]
    face.service.metrics.gauge("spoolog_test", "A test", lambda: held[0])
    assert (await scraped(face))("spoolog_test") == 1.5
    held[0] = 2
    assert (await scraped(face))("spoolog_test") == 2


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "UNAUTHORIZED"),
        ("Bearer", "UNAUTHORIZED"),
        (f"Basic {TOKEN}", "UNAUTHORIZED"),
        (TOKEN, "UNAUTHORIZED"),
        ("Bearer another", "AUTHENTICATION_FAILED"),
        (f"Bearer {TOKEN}x", "AUTHENTICATION_FAILED"),
        (f"Bearer {TOKEN}", ""),
        (f"bearer  {TOKEN} ", ""),
    ],
)
async def test_the_token(aiohttp_client: Any, authorization: str | None, code: str) -> None:
    face = await started(aiohttp_client, metrics_token=TOKEN)
    headers = {} if authorization is None else {"Authorization": authorization}
    answer: Answer = await face.ask("GET", "/metrics", key=None, headers=headers)
    if code:
        assert_refused(answer, 401, code)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    else:
        assert answer.status == 200
        assert b"spooled_jobs_pending" in answer.content


async def test_an_api_key_is_no_metrics_token(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, metrics_token=TOKEN)
    assert_refused(await face.ask("GET", "/metrics"), 401, "AUTHENTICATION_FAILED")
    by_other_header = await face.ask("GET", "/metrics", key=None, headers={"X-API-Key": TOKEN})
    assert_refused(by_other_header, 401, "UNAUTHORIZED")
    assert (await face.get("/jobs", key=TOKEN)).status == 401


async def test_batches_and_syncs_of_a_log_on_disk(aiohttp_client: Any, tmp_path: Path) -> None:
    def on_failure(failure: LogFailed) -> None:
        raise failure

    opened = await open_engine(Settings(data_dir=tmp_path), on_failure)
    try:
        engine = opened.engine
        app = build_app(engine, opened.secret, meter=opened.meter)
        client = await aiohttp_client(app)
        async with client.get("/metrics") as answer:
            page = Page(await answer.text())
        stat = engine.log.stat()
        assert page("spoolog_log_records_total") == stat.last > 0
        assert page.of("spoolog_log_bytes") == [stat.bytes]
        assert page("spoolog_log_synced_position") == stat.last
        batches = page("spoolog_log_batches_total")
        assert 0 < batches <= stat.last
        assert page("spoolog_log_sync_seconds_count") == batches
        assert page("spoolog_log_batch_records_sum") == stat.last
        assert 0 < page("spoolog_log_batch_bytes_sum") < stat.bytes
    finally:
        await opened.engine.log.close()


async def test_a_loop_that_is_held_up_shows_it() -> None:
    lag = LoopLag()
    watching = asyncio.create_task(watch_loop(lag))
    await until(lambda: sum(lag.lags.counts) > 0)
    held_up_secs = 10 * PERIOD_SECS
    time.sleep(held_up_secs)  # noqa: ASYNC251 - this is what must be seen
    woken = sum(lag.lags.counts)
    await until(lambda: sum(lag.lags.counts) > woken)
    watching.cancel()
    least_ns = (held_up_secs - PERIOD_SECS) * 1e9
    assert lag.worst_ns >= least_ns
    assert lag.lags.total >= least_ns
    assert lag.worst_own_ns >= least_ns / 2, "asleep is not waiting for a processor"


async def test_the_server_watches_its_loop(face: Face) -> None:
    face.service.lag.observe(90_000_000_000, 30_000_000_000)
    await until(lambda: sum(face.service.lag.lags.counts) > 1)
    page = await scraped(face)
    assert page("spoolog_loop_stall_seconds_max") == 90
    assert page("spoolog_loop_stall_own_seconds_max") == 60
    assert page("spoolog_loop_lag_seconds_count") > 1
    assert page("spoolog_loop_lag_seconds_sum") >= 90


async def test_counting_over_many_queues_lets_others_in() -> None:
    state = State()
    state.shelves["default"] = {f"q{number}": Shelf() for number in range(2_500)}
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    stock = await take_stock(state)
    task.cancel()
    assert turns == 2
    assert sum(stock.jobs.values()) == 0


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([], [0, 0, 0]),
        ([0, 1], [2, 0, 0]),
        ([2, 4, 5], [0, 2, 1]),
    ],
)
def test_a_bucket_holds_its_bound(values: Iterable[int], counts: list[int]) -> None:
    histogram = Histogram((1, 4))
    for value in values:
        histogram.observe(value)
    assert histogram.counts == counts
    assert histogram.total == sum(values)
