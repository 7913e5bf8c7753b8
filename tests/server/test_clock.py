"""Wall time as the server tells it: never back, and never standing still for long."""

from types import SimpleNamespace

import pytest

from server import clock
from server.clock import WallClock

START_US = 1_795_461_256_000_000
MINUTE_US = 60_000_000


class Times:
    """What the machine's two clocks say, in microseconds."""

    def __init__(self) -> None:
        self.wall_us = START_US
        self.monotonic_us = 0

    def pass_(self, us: int) -> None:
        self.wall_us += us
        self.monotonic_us += us


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times()
    stand_in = SimpleNamespace(
        time_ns=lambda: times.wall_us * 1_000, monotonic_ns=lambda: times.monotonic_us * 1_000
    )
    monkeypatch.setattr(clock, "time", stand_in)
    return times


def test_follows_the_wall_clock_forward(times: Times) -> None:
    now = WallClock()
    assert now() == START_US
    times.wall_us += 60 * MINUTE_US
    assert now() == START_US + 60 * MINUTE_US


def test_after_a_step_back_time_goes_on_slower_until_it_is_caught_up(times: Times) -> None:
    now = WallClock()
    now()
    times.wall_us -= 3 * MINUTE_US
    assert now() == START_US
    times.pass_(4 * MINUTE_US)
    assert now() == START_US + 3 * MINUTE_US
    times.pass_(4 * MINUTE_US)
    assert now() == START_US + 6 * MINUTE_US  # the wall clock is at + 5
    times.pass_(8 * MINUTE_US)
    assert now() == times.wall_us == START_US + 13 * MINUTE_US
    times.pass_(1)
    assert now() == times.wall_us


def test_second_step_back_does_not_move_it(times: Times) -> None:
    now = WallClock()
    now()
    times.wall_us -= MINUTE_US
    told = now()
    times.wall_us -= 1_440 * MINUTE_US
    assert now() == told
    times.pass_(4 * MINUTE_US)
    assert now() == told + 3 * MINUTE_US


def test_small_steps_add_up(times: Times) -> None:
    now = WallClock()
    now()
    times.wall_us -= MINUTE_US
    for _ in range(1_000):
        now()
        times.pass_(1)
    assert now() == START_US + 750


def test_starts_where_a_log_of_the_future_ends(times: Times) -> None:
    now = WallClock()
    now.start_at(START_US + MINUTE_US)
    assert now() == START_US + MINUTE_US
    times.pass_(400)
    assert now() == START_US + MINUTE_US + 300


def test_log_of_the_past_changes_nothing(times: Times) -> None:
    now = WallClock()
    now.start_at(START_US - MINUTE_US)
    assert now() == START_US
