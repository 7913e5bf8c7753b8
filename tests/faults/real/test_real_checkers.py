"""The checkers reject what is wrong: hand-made histories and logs with a bug in each."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.real import independent
from tests.faults.real.judge import Judge
from tests.faults.real.ledger import NEVER, Op
from tests.faults.real.linear import linearizable
from tests.faults.real.lives import Lives
from tests.faults.real.order import overtakings

GOLDEN = Path(__file__).parents[2] / "golden" / "events-v2"


def moment(secs: float) -> str:
    return datetime.fromtimestamp(secs, UTC).isoformat()


def op(kind: str, start: float, end: float, answer: Any = None, **asked: Any) -> Op:
    """Give an operation; without an end its outcome is unknown, with a code it was refused."""
    code = answer if isinstance(answer, str) else None
    outcome = "fail" if code else "ok"
    made = Op(f"{kind}-{start}", kind, {"job": "j", **asked}, start, end, start * 1e6, end * 1e6)
    made.outcome = "unknown" if end == NEVER else outcome
    made.answer = {"code": code} if code else answer
    return made


def created(start: float, end: float, *, new: bool = True, retries: int = 1, **asked: Any) -> Op:
    answer = {"id": "j", "created": new}
    return op("create", start, end, answer, max_retries=retries, priority=0, **asked)


def claimed(start: float, end: float, lease: str, until: float) -> Op:
    job = {"id": "j", "lease_id": lease, "lease_expires_at": moment(until)}
    return op("claim", start, end, {"jobs": [job]})


def settled(kind: str, start: float, end: float, lease: str, answer: Any = None) -> Op:
    return op(kind, start, end, answer or {}, lease_id=lease)


def got(start: float, end: float, status: str, lease: str | None = None, retries: int = 0) -> Op:
    return op("get", start, end, {"status": status, "lease_id": lease, "retry_count": retries})


def extended(until: float) -> dict[str, str]:
    return {"lease_expires_at": moment(until)}


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


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"job.{name}", "job": "j", **fields}


NEW = ("r1", 1, event("created", queue="q", max_retries=1, idempotency_key="k"))
CLAIM = ("r2", 2, event("claimed", worker="w", lease="a", lease_until=7))
CLAIM_B = ("r4", 8, event("claimed", worker="w", lease="b", lease_until=20))
DONE = ("r3", 3, event("completed", worker="w"))
OVER = ("", 7, event("lease_expired", worker="w"))
LOGS = {
    "": [NEW, CLAIM, OVER, CLAIM_B, ("r5", 9, DONE[2])],
    "twice": [NEW, CLAIM, DONE, ("r4", 4, DONE[2])],
    "lease": [NEW, CLAIM, ("r4", 3, CLAIM_B[2])],
    "lifecycle": [NEW, CLAIM, DONE, CLAIM_B],
    "nowhere": [CLAIM],
    "attempts": [NEW, CLAIM, OVER, CLAIM_B, ("", 20, OVER[2])],
    "time": [NEW, CLAIM, ("r3", 1, DONE[2])],
}
EARLY = {
    "expired too early": [NEW, CLAIM, ("", 6, OVER[2])],
    "completed too late": [NEW, CLAIM, ("r3", 7, DONE[2])],
    "retried too early": [
        *(NEW, CLAIM, ("r3", 3, event("failed", retry_at=10))),
        ("r4", 9, CLAIM_B[2]),
    ],
    "lease used again": [NEW, CLAIM, OVER, ("r4", 9, CLAIM[2])],
}


def fed(log: list[tuple[str, int, dict[str, Any]]]) -> Lives:
    lives = Lives()
    for position, (request, at, told) in enumerate(log, start=1):
        body = {"at": at, "req": request, "events": [told]}
        lives.feed(position, json.dumps(body).encode())
    return lives


@pytest.mark.parametrize("kind", LOGS)
def test_broken_rule_in_the_log_is_seen(kind: str) -> None:
    kinds = {violation.kind for violation in fed(LOGS[kind]).violations}
    assert kind in kinds if kind else not kinds


@pytest.mark.parametrize("name", EARLY)
def test_lease_that_was_not_kept_is_seen(name: str) -> None:
    assert {violation.kind for violation in fed(EARLY[name]).violations} == {"lease"}


def asked(request: str, made: Op) -> Op:
    made.request = request
    return made


def told(*, keep: int = 3) -> tuple[Lives, list[Op]]:
    """Give a log of three requests, cut after `keep`, and what their clients were told."""
    return fed([NEW, CLAIM, DONE][:keep]), [
        asked("r1", created(1, 2, idempotency_key="k")),
        asked("r2", claimed(2, 3, "a", 7)),
        asked("r3", settled("complete", 4, 5, "a")),
    ]


def verdict(lives: Lives, ops: list[Op]) -> list[str]:
    judge = Judge(lives)
    judge.judge(ops)
    return [violation.kind for violation in judge.finish()]


def test_clients_that_were_told_the_truth() -> None:
    assert verdict(*told()) == []


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_acknowledged_and_not_in_the_log_is_lost(keep: int) -> None:
    assert verdict(*told(keep=keep)) == ["lost"] * (3 - keep)


def test_unknown_may_have_happened_or_not() -> None:
    for keep in (2, 3):
        lives, ops = told(keep=keep)
        ops[2].outcome, ops[2].returned = "unknown", NEVER
        assert verdict(lives, ops) == []


def test_refused_and_in_the_log_is_seen() -> None:
    lives, ops = told()
    ops[2].outcome = "fail"
    assert verdict(lives, ops) == ["refused"]


def test_accepted_under_another_lease_is_seen() -> None:
    lives, ops = told()
    ops[2].asked["lease_id"] = "b"
    assert verdict(lives, ops) == ["lease"]


def test_record_that_nobody_asked_for_is_seen() -> None:
    lives, ops = told()
    assert verdict(lives, ops[:2]) == ["nowhere"]


def test_record_before_one_that_was_told_earlier_is_seen() -> None:
    lives, ops = told()
    ops[0].invoked, ops[0].returned = 10, 11
    assert verdict(lives, ops) == ["order"]


def damaged(directory: Path, offset: int) -> Path:
    """Copy the golden log with one bit of it turned."""
    (directory / "log").mkdir(parents=True)
    for path in sorted((GOLDEN / "log").iterdir()):
        content = bytearray(path.read_bytes())
        if 0 <= offset < len(content):
            content[offset] ^= 1
        offset -= len(content)
        (directory / "log" / path.name).write_bytes(content)
    return directory


def test_independent_verifier_reads_the_golden_log() -> None:
    found = list(independent.records(GOLDEN))
    assert [one.position for one in found] == list(range(1, 36))
    assert list(independent.records(GOLDEN, after=20)) == found[20:]
    assert independent.mark(GOLDEN) == found[-1][:2]


def test_independent_verifier_sees_every_turned_bit(tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in (GOLDEN / "log").iterdir())
    for offset in range(0, size, 97):
        copy = damaged(tmp_path / str(offset), offset)
        with pytest.raises(independent.Wrong):
            list(independent.records(copy))
