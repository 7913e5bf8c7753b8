"""Holds what clients were told against what the log says: every acknowledged operation, every answer.

An operation is found in the log by its request id. What was acknowledged must be there, once and
exactly so; what was refused must have changed nothing; what is unknown must be there or not, whole.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from tests.faults.real.ledger import Op, moment_us
from tests.faults.real.lives import Lives, Told, Violation

Change = tuple[str, str]
"""The name of an event and the job it is about."""

_NO_CHANGE: Final = frozenset({"settlement_refused"})
_EVENTS_OF: Final = {
    "create": {"created"},
    "create_bulk": {"created"},
    "claim": {"claimed", "released", "lease_expired", "cancelled"},
    "complete": {"completed"},
    "complete_bulk": {"completed"},
    "fail": {"failed"},
    "fail_bulk": {"failed"},
    "heartbeat": {"lease_extended"},
    "cancel": {"cancelled"},
    "stop": {"cancelled", "cancel_requested"},
    "priority": {"priority_changed"},
    "purge": {"deleted"},
    "act": {"deleted"},
    "revive": {"retried"},
}


class Tally(Struct):
    """What a judge has seen."""

    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    unknown_applied: int = 0


class Judge:
    """Judges operations against one log; each operation once."""

    def __init__(self, lives: Lives) -> None:
        self.tally = Tally()
        self.violations: list[Violation] = []
        self._lives = lives
        self._known: dict[str, Op] = {}

    def judge(self, ops: Iterable[Op]) -> None:
        """Take operations whose outcome can change no more: their server is gone, or they are over."""
        for op in ops:
            self._known[op.request] = op
            told = self._lives.by_request.get(op.request, [])
            changes = [one for one in told if one.type not in _NO_CHANGE]
            strange = [one.type for one in changes if one.type not in _EVENTS_OF[op.kind]]
            if strange:
                self._broken("nowhere", op, f"led to {strange}")
            match op.outcome:
                case "ok":
                    self.tally.acknowledged += 1
                    self._acknowledged(op, changes)
                case "fail":
                    self.tally.refused += 1
                    if changes:
                        self._broken("refused", op, f"was refused and led to {changes}")
                case _:
                    self.tally.unknown += 1
                    self.tally.unknown_applied += bool(changes)
                    self._unknown(op, changes)

    def finish(self) -> list[Violation]:
        """Judge what only the whole tells, and give all that was found."""
        for request in self._lives.by_request:
            if request and request not in self._known:
                told = self._lives.by_request[request]
                self._violate("nowhere", f"request {request} is nobody's: {told[0]}")
        self._in_order()
        return self._lives.violations + self.violations

    def _acknowledged(self, op: Op, changes: list[Told]) -> None:
        named = op.kind != "purge"
        found = sorted((one.type, one.fields["job"] if named else "") for one in changes)
        expected = sorted(_EXPECTED[op.kind](op))
        if found != expected:
            lost = [change for change in expected if change not in found]
            self._broken("lost" if lost else "twice", op, f"led to {found}, not {expected}")
        leases = _leases(op)
        for one in changes:
            lease = one.fields.get("lease") if one.type == "claimed" else one.lease
            if one.fields["job"] in leases and leases[one.fields["job"]] != lease:
                self._broken("lease", op, f"was accepted while the lease was {lease}")
        if op.kind in {"claim", "heartbeat"}:
            self._lease_as_told(op, changes)
        self._already_there(op)

    def _lease_as_told(self, op: Op, changes: list[Told]) -> None:
        """A lease runs as long as it was asked for, and ends when the client was told."""
        told = {one["id"]: one for one in op.answer.get("jobs", [])}
        for one in changes:
            until = one.fields["lease_until"]
            text = told.get(one.fields["job"], op.answer)["lease_expires_at"]
            asked_us = op.asked["lease_duration_secs"] * 1_000_000
            if until != one.at + asked_us or until != round(moment_us(text)):
                self._broken("lease", op, f"the lease ends at {until}, begun at {one.at}")

    def _already_there(self, op: Op) -> None:
        """An answer that names a job as made before names the job of that key."""
        if op.kind == "create" and not op.answer["created"]:
            life = self._lives.jobs.get(op.answer["id"])
            if life is None or life.key != op.asked["idempotency_key"]:
                self._broken("lost", op, f"names {op.answer['id']}, which has not that key")

    def _unknown(self, op: Op, changes: list[Told]) -> None:
        """All or nothing: an operation of one record is never half there."""
        size = len(op.asked["jobs"]) if op.kind == "create_bulk" else 1
        if op.kind in {"create", "create_bulk"} and changes and len(changes) != size:
            self._broken("half", op, f"led to {len(changes)} of {size} jobs")
        if len({one.position for one in changes if one.type != "released"}) > 1:
            self._broken("twice", op, "was carried out more than once")

    def _in_order(self) -> None:
        """What was told before another was asked for stands before it in the log."""
        placed = [
            (op, [one.position for one in self._lives.by_request[op.request]])
            for op in self._known.values()
            if op.ok and op.request in self._lives.by_request
        ]
        by_end = sorted(placed, key=lambda item: item[0].returned)
        done, furthest = 0, 0
        for op, positions in sorted(placed, key=lambda item: item[0].invoked):
            while by_end[done][0].returned < op.invoked:
                furthest = max(furthest, *by_end[done][1])
                done += 1
            if min(positions) < furthest:
                self._broken("order", op, f"stands at {positions}, behind {furthest}")

    def _broken(self, kind: str, op: Op, what: str) -> None:
        self._violate(kind, f"{op.kind} {op.request} {op.asked} {op.status} {op.answer}: {what}")

    def _violate(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, what))


def _settled(name: str) -> Callable[[Op], list[Change]]:
    return lambda op: [(name, one["job_id"]) for one in op.answer["succeeded"]]


def _about(name: str) -> Callable[[Op], list[Change]]:
    return lambda op: [(name, op.asked["job"])]


def _priority(op: Op) -> list[Change]:
    same = op.answer["old_priority"] == op.answer["new_priority"]
    return [] if same else [("priority_changed", op.asked["job"])]


# What an accepted operation must have led to, by its answer. A purge tells only how many.
_EXPECTED: Final[Mapping[str, Callable[[Op], list[Change]]]] = {
    "create": lambda op: [("created", op.answer["id"])] if op.answer["created"] else [],
    "create_bulk": lambda op: [
        ("created", one["job_id"]) for one in op.answer["succeeded"] if one["created"]
    ],
    "claim": lambda op: [("claimed", one["id"]) for one in op.answer["jobs"]],
    "complete": _about("completed"),
    "complete_bulk": _settled("completed"),
    "fail": _about("failed"),
    "fail_bulk": _settled("failed"),
    "heartbeat": _about("lease_extended"),
    "cancel": _about("cancelled"),
    "stop": lambda op: _about("cancelled" if op.status == 200 else "cancel_requested")(op),
    "priority": _priority,
    "purge": lambda op: [("deleted", "")] * op.answer["purged_count"],
    "act": lambda op: [("deleted", one) for one in op.answer["job_ids"]],
    "revive": lambda op: [("retried", one) for one in op.answer["retried_jobs"]],
}


def _leases(op: Op) -> dict[str, Any]:
    """Give the lease of each job that the operation spoke of, as its client knows it."""
    match op.kind:
        case "claim":
            return {one["id"]: one["lease_id"] for one in op.answer["jobs"]}
        case "complete_bulk" | "fail_bulk":
            return {one["job_id"]: one["lease_id"] for one in op.asked["jobs"]}
        case "complete" | "fail" | "heartbeat":
            return {op.asked["job"]: op.asked["lease_id"]}
        case _:
            return {}
