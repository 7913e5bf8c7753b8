"""Were claims handed out in order? Rules on intervals, so that operations at the same time prove nothing.

A job *surely waits* from the moment its creation was told until someone asks for what may take it.
A claim that falls into that time must not come back with a job that stands behind, or with nothing.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from tests.faults.real.ledger import NEVER, Op

_TAKES = frozenset({"claim", "cancel"})


class Waiting(Struct, frozen=True):
    """A job and the time in which it surely waits for its first claim."""

    id: str
    priority: int
    created: Op
    since: float
    until: float


def overtakings(ops: Sequence[Op]) -> list[str]:
    """Give every claim of one queue that overtook a job; `ops` are all operations on the queue."""
    waiting = {one.id: one for one in _waiting(ops)}
    found = []
    for claim in ops:
        if claim.kind != "claim" or not claim.ok:
            continue
        got = [waiting[job["id"]] for job in claim.answer["jobs"] if job["id"] in waiting]
        if len(got) < len(claim.answer["jobs"]):
            continue  # a job whose creation was never told: where it stands is not known
        for one in waiting.values():
            passed = one.since <= claim.invoked and claim.returned <= one.until
            if passed and (not got or any(_stands_before(one, other) for other in got)):
                found.append(f"{claim.request} got {[o.id for o in got]} while {one.id} waited")
    return found


def _waiting(ops: Sequence[Op]) -> Iterable[Waiting]:
    lost = [op.invoked for op in ops if op.kind == "claim" and op.outcome == "unknown"]
    for op in ops:
        if op.kind == "create" and op.ok and op.answer["created"]:
            taken = [other.invoked for other in ops if _may_take(other, op.answer["id"])]
            until = min([*taken, *(at for at in lost if at >= op.invoked)], default=NEVER)
            yield Waiting(op.answer["id"], op.asked["priority"], op, op.returned, until)


def _may_take(op: Op, job: str) -> bool:
    if op.kind not in _TAKES or op.outcome == "fail":
        return False
    if op.kind == "cancel":
        return bool(op.asked["job"] == job)
    return op.ok and any(one["id"] == job for one in op.answer["jobs"])


def _stands_before(one: Waiting, other: Waiting) -> bool:
    if one.priority != other.priority:
        return one.priority > other.priority
    return one.created.returned < other.created.invoked
