"""The checkers of histories reject what is wrong, and accept what is not: one bug in each history."""

import pytest

from tests.faults.real.hand import claimed, created, extended, got, moment, op, settled
from tests.faults.real.ledger import NEVER, Op
from tests.faults.real.linear import linearizable
from tests.faults.real.order import overtakings

A_TO_B = [created(0, 1), claimed(1, 2, "a", 6), claimed(6, 7, "b", 12)]
RIGHT = {
    "claimed and completed": [created(0, 1), claimed(2, 3, "a", 8), settled("complete", 4, 5, "a")],
    "two creations at once": [created(0, 2, new=False), created(1, 3)],
    "at the same time": [created(0, 9), claimed(1, 8, "a", 13), settled("complete", 2, 7, "a")],
    "claimed again after the lease": [*A_TO_B, settled("complete", 8, 9, "a", "LEASE_EXPIRED")],
    "unknown claim blocks": [created(0, 1), op("claim", 2, NEVER), got(3, 4, "processing", "x")],
    "unknown claim never was": [created(0, 1), op("claim", 2, NEVER), got(3, 4, "pending")],
    "unknown claim taken back": [
        *(created(0, 1), op("claim", 2, NEVER), got(3, 4, "processing", "x")),
        claimed(4, 5, "b", 10),
    ],
    "unknown completion was": [
        *(created(0, 1), claimed(1, 2, "a", 7), settled("complete", 2, NEVER, "a")),
        settled("complete", 3, 4, "a", "CONFLICT"),
    ],
    "unknown heartbeat saved it": [
        *(created(0, 1), claimed(1, 2, "a", 7), settled("heartbeat", 3, NEVER, "a")),
        settled("complete", 7.5, 8, "a"),
    ],
    "dead after its retries": [
        *(created(0, 1, retries=0), claimed(1, 2, "a", 7)),
        settled("fail", 3, 4, "a", {"status": "deadletter", "next_retry_at": None}),
        got(5, 6, "deadletter"),
    ],
}
WRONG = {
    "completed twice": [
        *(created(0, 1), claimed(1, 2, "a", 7)),
        *(settled("complete", 3, 4, "a"), settled("complete", 4, 5, "a")),
    ],
    "claimed after completion": [
        *(created(0, 1), claimed(1, 2, "a", 7), settled("complete", 3, 4, "a")),
        claimed(5, 6, "b", 11),
    ],
    "claimed twice within a lease": [created(0, 1), claimed(1, 2, "a", 7), claimed(2, 3, "b", 8)],
    "stale heartbeat accepted": [*A_TO_B, settled("heartbeat", 8, 9, "a", extended(14))],
    "stale completion accepted": [*A_TO_B, settled("complete", 8, 9, "a")],
    "heartbeat after the lease": [
        *(created(0, 1), claimed(1, 2, "a", 6)),
        settled("heartbeat", 7, 8, "a", extended(13)),
    ],
    "heartbeat forgotten": [
        *(created(0, 1), claimed(1, 2, "a", 7), settled("heartbeat", 4, 5, "a", extended(10))),
        claimed(7.5, 8, "b", 13),
    ],
    "creation forgotten": [created(0, 1), created(2, 3)],
    "completion forgotten": [
        *(created(0, 1), claimed(1, 2, "a", 7), settled("complete", 3, 4, "a")),
        got(5, 6, "processing", "a"),
    ],
    "refused without a reason": [
        *(created(0, 1), claimed(1, 2, "a", 7)),
        settled("complete", 3, 4, "a", "LEASE_EXPIRED"),
    ],
    "seen before it happened": [created(0, 1), got(1, 2, "processing", "a"), claimed(3, 4, "a", 9)],
    "lease from a known claim vanished": [
        *(created(0, 1), claimed(1, 2, "a", 7), got(3, 4, "pending")),
    ],
    "retries beyond the allowed": [
        *(created(0, 1, retries=0), claimed(1, 2, "a", 7)),
        settled("fail", 3, 4, "a", {"status": "pending", "next_retry_at": moment(4)}),
    ],
    "retried before its time": [
        *(created(0, 1), claimed(1, 2, "a", 7)),
        settled("fail", 2, 3, "a", {"status": "pending", "next_retry_at": moment(60)}),
        claimed(4, 5, "b", 10),
    ],
    "cancelled and claimed": [created(0, 1), op("cancel", 1, 2), claimed(3, 4, "a", 9)],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_history_is_accepted(name: str) -> None:
    assert linearizable(RIGHT[name]) is True


@pytest.mark.parametrize("name", WRONG)
def test_wrong_history_is_rejected(name: str) -> None:
    assert linearizable(WRONG[name]) is False


def test_search_that_takes_too_long_is_undecided() -> None:
    assert linearizable(WRONG["completed twice"], steps_max=2) is None


def job(name: str, start: float, end: float, priority: int = 0) -> Op:
    return op("create", start, end, {"id": name, "created": True}, priority=priority)


def hands_out(start: float, end: float, *jobs: str) -> Op:
    return op("claim", start, end, {"jobs": [{"id": name} for name in jobs]})


@pytest.mark.parametrize(
    ("ops", "wrong"),
    [
        ([job("a", 0, 1), job("b", 2, 3), hands_out(4, 5, "a"), hands_out(5, 6, "b")], 0),
        ([job("a", 0, 1), job("b", 2, 3), hands_out(4, 5, "b"), hands_out(6, 7, "a")], 1),
        ([job("a", 0, 1), job("b", 2, 3), hands_out(4, 6, "b"), hands_out(5, 7, "a")], 0),
        ([job("a", 0, 2), job("b", 1, 3), hands_out(4, 5, "b"), hands_out(6, 7, "a")], 0),
        ([job("a", 0, 1), job("b", 2, 3, 9), hands_out(4, 5, "b"), hands_out(6, 7, "a")], 0),
        ([job("a", 0, 1), job("b", 2, 3, 9), hands_out(4, 5, "a"), hands_out(6, 7, "b")], 1),
        ([job("a", 0, 1), hands_out(2, 3), hands_out(4, 5, "a")], 1),
        ([job("a", 0, 3), hands_out(2, 4), hands_out(4, 5, "a")], 0),
        ([job("a", 0, 1), op("claim", 1, NEVER), hands_out(2, 3)], 0),
        ([job("a", 0, 1), op("cancel", 1, NEVER, job="a"), hands_out(2, 3)], 0),
    ],
)
def test_overtaking_is_seen_where_it_is_sure(ops: list[Op], wrong: int) -> None:
    assert len(overtakings(ops)) == wrong
