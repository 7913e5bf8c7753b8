"""What a log says, judged by rules written down here once more: the life of each job, lease by lease.

Every broken rule becomes a `Violation`; nothing is raised, so that one run tells all of them.
"""

import json
from collections import Counter
from typing import Any, Final

from msgspec import Struct, field

ENDED: Final = frozenset({"completed", "deadletter", "cancelled", "deleted"})
WAITING: Final = frozenset({"pending", "scheduled"})
_MAY: Final = {
    "claimed": {"pending"},
    "completed": {"processing"},
    "failed": {"processing"},
    "lease_extended": {"processing"},
    "lease_expired": {"processing"},
    "released": {"processing"},
    "cancel_requested": {"processing"},
    "due": WAITING,
    "cancelled": WAITING,
    "priority_changed": WAITING,
    "retried": {"deadletter"},
    "deleted": ENDED - {"deleted"},
    "retired": {"completed", "cancelled"},
}


class Violation(Struct, frozen=True):
    """A broken promise: which kind, and what was seen."""

    kind: str
    what: str


class Told(Struct, frozen=True):
    """An event of a job as it stands in the log, and the lease the job was under before it."""

    position: int
    at: int
    type: str
    fields: dict[str, Any]
    lease: str | None


class Life(Struct):
    """One job, event by event. `statuses` are those that held from each event on."""

    id: str
    queue: str
    key: str | None
    max_retries: int
    status: str
    lease: str | None = None
    lease_until: int = 0
    not_before: int = 0
    retries: int = 0
    attempts: int = 0
    completions: int = 0
    stopping: bool = False
    told: list[Told] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)


class Lives:
    """All jobs of a log, as far as it was fed."""

    def __init__(self) -> None:
        self.jobs: dict[str, Life] = {}
        self.position = 0
        self.chains: dict[int, str] = {}
        self.by_request: dict[str, list[Told]] = {}
        self.violations: list[Violation] = []
        self.events: Counter[str] = Counter()
        self.touched: set[str] = set()
        self._at = 0
        self._keys: dict[str, str] = {}
        self._leases: set[str] = set()

    def feed(self, position: int, body: bytes) -> None:
        """Take one record."""
        record = json.loads(body)
        self._expect(position == self.position + 1, "log", f"{position} after {self.position}")
        self._expect(record["at"] >= self._at, "time", f"time runs back at {position}")
        self.position, self._at = position, record["at"]
        for event in record["events"]:
            kind, _, name = event["type"].partition(".")
            if kind == "job":
                self._take(record["req"], name, event)

    def _take(self, request: str, name: str, event: dict[str, Any]) -> None:
        self.events[name] += 1
        if name == "created":
            self._create(event)
        life = self.jobs.get(event["job"])
        if life is None:
            self._broken("nowhere", f"{event} tells of a job that was never created")
            return
        told = Told(self.position, self._at, name, event, life.lease)
        self.by_request.setdefault(request, []).append(told)
        life.told.append(told)
        self.touched.add(life.id)
        may = _MAY.get(name)
        if may is not None and life.status not in may:
            self._broken(
                "lifecycle", f"{name} of {life.id} while {life.status}, at {self.position}"
            )
        move = getattr(self, f"_{name}", None)
        if move is not None:
            move(life, event)
        life.statuses.append(life.status)

    def _create(self, event: dict[str, Any]) -> None:
        job, key = event["job"], event.get("idempotency_key")
        self._expect(job not in self.jobs, "twice", f"{job} created twice")
        if key is not None:
            earlier = self.jobs.get(self._keys.get(key, ""))
            free = earlier is None or earlier.status == "deleted"
            self._expect(free, "twice", f"two jobs with the key {key}")
            self._keys[key] = job
        status = "scheduled" if event.get("due_at") else "pending"
        life = Life(job, event["queue"], key, event["max_retries"], status)
        life.not_before = event.get("due_at") or 0
        self.jobs[job] = life

    def _claimed(self, life: Life, event: dict[str, Any]) -> None:
        self._expect(life.lease is None, "lease", f"{life.id} claimed under a lease that runs")
        self._expect(event["lease"] not in self._leases, "lease", f"{event['lease']} used twice")
        self._expect(self._at >= life.not_before, "lease", f"{life.id} claimed before its time")
        self._leases.add(event["lease"])
        life.status, life.lease, life.lease_until = (
            "processing",
            event["lease"],
            event["lease_until"],
        )
        life.attempts += 1
        few = life.attempts <= life.max_retries + 1
        self._expect(few, "attempts", f"{life.id} has {life.attempts} attempts")

    def _completed(self, life: Life, event: dict[str, Any]) -> None:
        self._in_lease(life, "completed")
        life.completions += 1
        self._expect(life.completions == 1, "twice", f"{life.id} completed twice")
        self._end(life, "completed")

    def _failed(self, life: Life, event: dict[str, Any]) -> None:
        self._in_lease(life, "failed")
        life.not_before = event.get("retry_at") or 0
        self._attempt_over(life, dead=not life.not_before)

    def _lease_extended(self, life: Life, event: dict[str, Any]) -> None:
        self._in_lease(life, "extended")
        life.lease_until = event["lease_until"]

    def _lease_expired(self, life: Life, event: dict[str, Any]) -> None:
        over = self._at >= life.lease_until
        self._expect(over, "lease", f"the lease of {life.id} expired too early")
        life.not_before = 0
        self._attempt_over(life, dead=event.get("deadletter", False))

    def _released(self, life: Life, event: dict[str, Any]) -> None:
        life.attempts -= 1
        self._end(life, "pending")

    def _cancel_requested(self, life: Life, event: dict[str, Any]) -> None:
        life.stopping = True

    def _due(self, life: Life, event: dict[str, Any]) -> None:
        self._expect(self._at >= life.not_before, "time", f"{life.id} due too early")
        life.status = "pending"

    def _cancelled(self, life: Life, event: dict[str, Any]) -> None:
        self._end(life, "cancelled")

    def _retried(self, life: Life, event: dict[str, Any]) -> None:
        life.status, life.retries, life.attempts, life.not_before = "pending", 0, 0, 0

    def _deleted(self, life: Life, event: dict[str, Any]) -> None:
        life.status = "deleted"

    _retired = _deleted

    def _attempt_over(self, life: Life, *, dead: bool) -> None:
        if life.stopping:
            self._end(life, "cancelled")
            return
        right = dead == (life.retries >= life.max_retries)
        self._expect(right, "attempts", f"{life.id} is dead={dead} after {life.retries} retries")
        life.retries += not dead
        self._end(life, "deadletter" if dead else "pending")

    def _end(self, life: Life, status: str) -> None:
        life.status, life.lease, life.stopping = status, None, False

    def _in_lease(self, life: Life, what: str) -> None:
        held = life.lease is not None and self._at < life.lease_until
        self._expect(held, "lease", f"{life.id} {what} without a lease that runs, at {self._at}")

    def _expect(self, condition: bool, kind: str, what: str) -> None:
        if not condition:
            self._broken(kind, what)

    def _broken(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, what))
