"""Operations made by hand, for histories that no server would leave behind."""

from datetime import UTC, datetime
from typing import Any

from tests.faults.real.ledger import NEVER, Op


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
    return op("claim", start, end, {"jobs": [job]}, lease_duration_secs=5)


def settled(kind: str, start: float, end: float, lease: str, answer: Any = None) -> Op:
    return op(kind, start, end, answer or {}, lease_id=lease)


def got(start: float, end: float, status: str, lease: str | None = None, retries: int = 0) -> Op:
    return op("get", start, end, {"status": status, "lease_id": lease, "retry_count": retries})


def extended(until: float) -> dict[str, str]:
    return {"lease_expires_at": moment(until)}
