"""The judges of a killed server see what is wrong: hand-made logs and answers with a fault in each."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.real import independent
from tests.faults.real.hand import claimed, created, settled
from tests.faults.real.judge import Judge
from tests.faults.real.ledger import NEVER, Op
from tests.faults.real.lives import Lives

GOLDEN = Path(__file__).parents[2] / "golden" / "events-v2"


SECOND_US = 1_000_000


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Give an event of the job `j`; moments are in seconds."""
    for moment in {"lease_until", "retry_at"} & fields.keys():
        fields[moment] *= SECOND_US
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
        body = {"at": at * SECOND_US, "req": request, "events": [told]}
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


def test_lease_that_ends_before_its_client_was_told_is_seen() -> None:
    lives, ops = told()
    ops[1].answer = claimed(2, 3, "a", 8).answer
    assert verdict(lives, ops) == ["lease"]


def test_lease_that_is_shorter_than_asked_is_seen() -> None:
    lives, ops = told()
    ops[1].asked["lease_duration_secs"] = 6
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
