"""What is counted over time: rows, durations, and the bounds of memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.bounds import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from projections.decide import Caller, jobs
from projections.events import Record
from server import failures, figures
from server.failures import Failures
from server.figures import Figures
from server.rings import (
    CAME,
    FINE_SPAN_US,
    FINE_US,
    NUMBER,
    PENDING,
    Durations,
    Ring,
    Rows,
    bucket_of,
    middle_us,
    quantile_us,
)
from server.series import Series
from tests.build import Bench, a_caller, a_job

DAY_IN_MINUTES = 1_440


def everyone(queue: str) -> bool:
    return True


def test_rows_are_as_many_as_the_span_needs_and_as_many_again() -> None:
    rows = Rows(FINE_US, FINE_SPAN_US)
    for number in range(5_000):
        rows.put(number * FINE_US, (1, 2, 3), (4, 5))
        table = rows.table()
        assert len(table) <= 2 * (FINE_SPAN_US // FINE_US + 1)
        assert len(table) >= min(number, FINE_SPAN_US // FINE_US)
    assert table[:, NUMBER].tolist() == list(range(5_000 - len(table), 5_000))
    assert {tuple(row[1:]) for row in table.tolist()} == {(1, 2, 3, 4, 5)}


def test_a_row_is_added_to_until_it_is_over() -> None:
    rows = Rows(FINE_US, FINE_SPAN_US)
    rows.put(0, (1, 2, 3), (4, 5))
    rows.put(FINE_US - 1, (10, 20, 30), (6, 7))
    rows.put(FINE_US, (1, 1, 1), (8, 9))
    assert rows.table().tolist() == [[0, 11, 22, 33, 6, 7], [1, 1, 1, 1, 8, 9]]


@pytest.mark.parametrize("asked", [False, True])
def test_a_ring_counts_in_ten_seconds_and_in_minutes(asked: bool) -> None:
    ring = Ring(0, (0, 0))
    for pending, secs in enumerate((0, 9, 10, 59, 60, 3_600)):
        ring.open(secs * SECOND_US // FINE_US)
        ring.came += 1
        ring.level = (pending, 0)
        if asked:
            ring.rows(HOUR_US)
    wanted = [NUMBER, CAME, PENDING]
    fine, coarse = ring.rows(HOUR_US).table(), ring.rows(DAY_US).table()
    assert fine[:, wanted].tolist() == [[0, 2, 1], [1, 1, 2], [5, 1, 3], [6, 1, 4], [360, 1, 5]]
    assert coarse[:, wanted].tolist() == [[0, 4, 3], [1, 1, 4], [60, 1, 5]]


@given(st.integers(0, 1 << 60))
def test_a_bucket_is_a_few_percent_wide(took_us: int) -> None:
    middle = middle_us(bucket_of(took_us))
    assert abs(middle - took_us) <= max(64, took_us / 15) or took_us > 1 << 47


def test_buckets_are_in_order() -> None:
    found = [bucket_of(took_us) for took_us in range(0, 1 << 22, 64)]
    assert found == sorted(found)
    assert [bucket_of(int(middle_us(one))) for one in found] == found
    assert bucket_of(0) == 0
    assert bucket_of(1 << 62) == bucket_of(1 << 50) > found[-1]


def test_quantiles_of_nothing_one_and_many() -> None:
    durations = Durations()
    assert quantile_us(durations.since(0)[0], 0.5) is None
    for number in range(1, 101):
        durations.observe(0, number * 1_000_000, bucket_of(number * 1_000_000))
    counts, total_us = durations.since(0)
    assert total_us == 5_050_000_000
    found = [quantile_us(counts, share) for share in (0.01, 0.5, 0.9, 0.99)]
    assert found == pytest.approx([1e6, 50e6, 90e6, 99e6], rel=0.07)


def test_durations_are_forgotten_after_an_hour_and_take_no_more_room() -> None:
    durations = Durations()
    for minute in range(DAY_IN_MINUTES):
        durations.observe(minute * MINUTE_US, 1_000, bucket_of(1_000))
        assert len(durations.timed) <= 13
    counts, _ = durations.since(DAY_IN_MINUTES * MINUTE_US - HOUR_US)
    assert counts.sum() == 60
    assert isinstance(counts, np.ndarray)


def test_failures_are_counted_for_a_day_in_bounded_room() -> None:
    found = Failures()
    for minute in range(3 * DAY_IN_MINUTES):
        found.add(minute * MINUTE_US, "default", "mail", "job", f"no {minute}")
    now_us = 3 * DAY_IN_MINUTES * MINUTE_US - 1
    (group,) = found.groups("default", everyone, now_us)
    assert group.count == pytest.approx(DAY_IN_MINUTES, abs=10)
    assert found.groups("other", everyone, now_us) == []
    for number in range(5 * failures.KINDS_MAX):
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        found.add(now_us + number, "default", "mail", f"job-{number}", letters)
        assert len(found.kinds) <= failures.KINDS_MAX
    newest = {group.signature for group in found.groups("default", everyone, now_us)}
    assert letters in newest


def created(bench: Bench, counted: Series, queue: str, caller: Caller | None = None) -> None:
    """Create a job as the engine does: counted, then folded."""
    decision = jobs.create(bench.state, bench.context(caller), a_job(queue))
    counted.count(Record(bench.state.position + 1, bench.clock(), "", "", decision.events))
    bench.record(decision.events)


def test_of_very_many_queues_those_with_traffic_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "RINGS_MAX", 20)
    bench = Bench()
    counted = Series(bench.state, Figures.since(bench.clock()))
    began = bench.clock()
    for number in range(200):
        bench.clock.advance(60)
        created(bench, counted, f"q{number}")
        created(bench, counted, "busy")
        assert len(counted.figures.queues.rings) <= 20
    busy = counted.ring("default", "busy")
    assert (busy.since_us, busy.base) == (began, (0, 0))
    assert busy.rows(DAY_US).table()[:, CAME].sum() == 200
    (everything,) = counted.rings("default", None)
    assert everything.rows(DAY_US).table()[:, CAME].sum() == 400
    assert counted.whole_since_us("default", None) == began
    forgot_us = counted.whole_since_us("default", everyone)
    assert began < forgot_us <= bench.clock()
    forgotten = counted.ring("default", "q0")
    assert (forgotten.since_us, forgotten.base) == (forgot_us, (1, 0))
    (_, last) = counted.rings("default", lambda queue: queue in {"busy", "q199"})
    assert last.rows(DAY_US).table()[:, CAME].sum() == 1


def test_of_very_many_organizations_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "RINGS_MAX", 20)
    bench = Bench()
    began = bench.clock()
    counted = Series(bench.state, Figures.since(began))
    for number in range(200):
        bench.clock.advance(60)
        created(bench, counted, "mail", a_caller(f"o{number}"))
        created(bench, counted, "mail", a_caller("busy"))
        assert len(counted.figures.orgs.rings) <= 20
    assert counted.whole_since_us("busy", None) == began
    assert began < counted.whole_since_us("o0", None) <= bench.clock()
    assert counted.rings("o0", None) == []
    (busy,) = counted.rings("busy", None)
    assert busy.rows(DAY_US).table()[:, CAME].sum() == 200


def test_what_was_there_before_is_known() -> None:
    bench = Bench()
    for _ in range(3):
        bench.create()
    bench.claim()
    counted = Series(bench.state, Figures.since(bench.clock()))
    assert counted.ring("default", "mail").base == (2, 1)
    created(bench, counted, "mail")
    ring = counted.ring("default", "mail")
    assert (ring.base, ring.level) == ((2, 1), (3, 1))
    assert counted.ring("default", "none").base == (0, 0)


def test_what_is_not_about_a_job_is_not_counted() -> None:
    bench = Bench()
    counted = Series(bench.state, Figures.since(0))
    counted.count(Record(1, bench.clock(), "system", "", ()))
    assert counted.rings("default", None) == []
