"""The request rate of an organization: what is told, and what happens when it is used up."""

from typing import Any

import pytest

from server.http.ratelimit import Limiter
from tests.server.harness import Face, assert_refused, started

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Scope")


@pytest.fixture
async def limited(aiohttp_client: Any) -> Face:
    return await started(aiohttp_client, rate_limit=2, rate_burst=4)


async def test_what_is_left_is_told_and_then_refused(limited: Face) -> None:
    told = [(await limited.get("/jobs")).headers for _ in range(4)]
    assert [one["X-RateLimit-Remaining"] for one in told] == ["3", "2", "1", "0"]
    assert {one["X-RateLimit-Limit"] for one in told} == {"4"}
    assert {one["X-RateLimit-Scope"] for one in told} == {"organization"}
    now = limited.clock() // 1_000_000
    assert [int(one["X-RateLimit-Reset"]) - now for one in told] == [1, 2, 2, 3]
    before = limited.footprint()
    refused = await limited.post("/jobs", {"queue_name": "mail", "payload": 1})
    assert_refused(refused, 429, "RATE_LIMIT_EXCEEDED")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert limited.footprint() == before


async def test_it_comes_back_with_time(limited: Face) -> None:
    for _ in range(4):
        await limited.get("/jobs")
    limited.clock.advance(0.5)
    assert (await limited.get("/jobs")).status == 200
    assert (await limited.get("/jobs")).status == 429
    limited.clock.advance(100)
    assert (await limited.get("/jobs")).headers["X-RateLimit-Remaining"] == "3"


async def test_refused_requests_cost_nothing(limited: Face) -> None:
    for _ in range(20):
        await limited.get("/jobs")
    limited.clock.advance(2)
    assert [(await limited.get("/jobs")).status for _ in range(5)] == [200] * 4 + [429]


async def test_health_and_strangers_are_not_limited(limited: Face) -> None:
    for _ in range(8):
        healthy = await limited.ask("GET", "/health")
        stranger = await limited.get("/jobs", key="sp_test_nobody")
    assert (healthy.status, stranger.status) == (200, 401)
    for answer in (healthy, stranger):
        assert answer.headers["X-RateLimit-Scope"] == "server"
        assert answer.headers["X-RateLimit-Remaining"] == answer.headers["X-RateLimit-Limit"]


async def test_every_answer_tells_by_default(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client)
    for answer in (
        await face.get("/jobs"),
        await face.get("/nowhere"),
        await face.get("/jobs/none"),
        await face.get("/jobs", headers={"Connection": "close"}),
    ):
        assert all(answer.headers[name] for name in HEADERS)


def test_organizations_have_a_bucket_each() -> None:
    limiter = Limiter(per_second=1, burst=1)
    assert limiter.take("a", 0).retry_after_secs is None
    assert limiter.take("a", 0).retry_after_secs == 1
    assert limiter.take("b", 0).retry_after_secs is None


@pytest.mark.parametrize("per_second", [1, 3, 7, 60])
def test_in_the_long_run_the_rate_is_kept(per_second: int) -> None:
    limiter = Limiter(per_second, burst=per_second)
    allowed = sum(
        limiter.take("a", 1_000_000 + step * 100_000 // per_second).retry_after_secs is None
        for step in range(100 * per_second)
    )
    assert per_second * 10 <= allowed <= per_second * 11 + 1
