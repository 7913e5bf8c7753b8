"""Wrong keys: so many an address, and what was right before stays right."""

from typing import Any

import pytest

from projections.bounds import SECOND_US
from server.http import guessing
from server.http.guessing import Guessing
from server.http.ratelimit import TooManyRequests
from tests.fakes import FakeClock
from tests.server.harness import Face, assert_refused, started

OTHER = "sp_test_another_key"


@pytest.fixture
async def guarded(aiohttp_client: Any) -> Face:
    """A server that takes three wrong keys, and three more a minute."""
    return await started(aiohttp_client, auth_failures_per_min=3)


def allowed(guesses: Guessing, address: str, count: int) -> int:
    """Guess wrongly; give how often that was looked at."""
    looked_at = 0
    for _ in range(count):
        try:
            guesses.failed(address)
        except TooManyRequests:
            continue
        looked_at += 1
    return looked_at


async def test_address_that_guesses_is_not_listened_to(guarded: Face) -> None:
    guarded.add_key(OTHER)
    assert (await guarded.get("/jobs")).status == 200
    before = guarded.footprint()
    for number in range(3):
        wrong = await guarded.get("/jobs", key=f"sp_test_wrong_{number}")
        assert_refused(wrong, 401, "AUTHENTICATION_FAILED")
    for key in ("sp_test_wrong", OTHER):
        refused = await guarded.post("/jobs", {"queue_name": "mail", "payload": 1}, key=key)
        assert_refused(refused, 429, "RATE_LIMIT_EXCEEDED")
        assert refused.headers["Retry-After"] == "20"
    assert guarded.footprint() == before
    assert (guarded.service.guessing.failures, guarded.service.guessing.refusals) == (3, 2)
    assert (await guarded.get("/jobs")).status == 200, "it was right before"
    assert (await guarded.get("/jobs", key=None)).status == 401
    assert (await guarded.ask("GET", "/health", key=None)).status == 200
    guarded.clock.advance(19.9)
    assert (await guarded.get("/jobs", key=OTHER)).headers["Retry-After"] == "1"
    guarded.clock.advance(0.1)
    assert (await guarded.get("/jobs", key=OTHER)).status == 200


async def test_it_can_be_switched_off(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, auth_failures_per_min=0)
    for _ in range(100):
        assert (await face.get("/jobs", key="sp_test_wrong")).status == 401
    assert (await face.get("/jobs")).status == 200


@pytest.mark.parametrize("per_min", [1, 7, 60, 1_000])
def test_a_burst_and_then_the_rate(per_min: int) -> None:
    clock = FakeClock()
    guesses = Guessing(per_min, clock)
    assert allowed(guesses, "a", 2 * per_min) == per_min
    found = 0
    for _ in range(600):
        clock.advance(1)
        found += allowed(guesses, "a", per_min)
    assert 10 * per_min - 1 <= found <= 10 * per_min + 1
    clock.advance(60)
    assert allowed(guesses, "a", 2 * per_min) == per_min


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "10.0.0.1", False),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    guesses = Guessing(1, FakeClock())
    assert allowed(guesses, one, 2) == 1
    assert allowed(guesses, other, 2) == (0 if same else 1)


def test_who_was_right_elsewhere_is_not_known_here() -> None:
    guesses = Guessing(1, FakeClock())
    guesses.passed("a", "key")
    for address in "ab":
        assert allowed(guesses, address, 1) == 1
    guesses.passed("a", "key")
    with pytest.raises(TooManyRequests):
        guesses.passed("b", "key")
    with pytest.raises(TooManyRequests):
        guesses.passed("a", "other")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "REMEMBERED_MAX", 10)
    clock = FakeClock()
    guesses = Guessing(2, clock)
    for number in range(100):
        guesses.failed("again and again" if number == 0 else f"10.0.0.{number}")
        guesses.passed(f"10.1.0.{number}", "key")
        if number % 5 == 4:
            clock.now_us += 30 * SECOND_US
            guesses.failed("again and again")
    assert len(guesses._paid_until_us) == len(guesses._proved) == 10
    assert "again and again" in guesses._paid_until_us
    assert ("10.1.0.99", "key") in guesses._proved
