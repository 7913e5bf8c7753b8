"""A queue written the naive way: a list of dicts, scanned. It is what the real core must agree with.

It shares no code with the projections beyond the words of the statuses.
"""

from typing import Any

SECOND = 1_000_000


class Model:
    """Jobs as plain dicts in order of creation; every rule is spelled out on its own."""

    def __init__(self, base_secs: int, cap_secs: int) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.paused: set[str] = set()
        self.base_secs = base_secs
        self.cap_secs = cap_secs

    def create(self, job_id: str, queue: str, now: int, **fields: Any) -> None:
        starts = fields.get("starts")
        waits = starts is not None and starts > now
        self.jobs.append(
            {
                "id": job_id,
                "queue": queue,
                "status": "scheduled" if waits else "pending",
                "wakes": starts if waits else None,
                "expires": fields.get("expires"),
                "priority": fields["priority"],
                "retries": 0,
                "max_retries": fields["max_retries"],
                "key": fields.get("key"),
                "worker": None,
                "lease_ends": None,
                "attempts": 0,
                "ended": None,
            }
        )

    def pass_time(self, now: int) -> None:
        """Everything whose time has come, repeated until nothing more happens."""
        while any(self._step(job, now) for job in self.jobs):
            pass

    def _step(self, job: dict[str, Any], now: int) -> bool:
        if job["status"] == "processing" and job["lease_ends"] <= now:
            self._attempt_over(job, wakes=None)
            return True
        if job["status"] not in {"pending", "scheduled"}:
            return False
        wakes, expires = job["wakes"], job["expires"]
        # What comes first in time happens first.
        if wakes is not None and wakes <= now and (expires is None or wakes < expires):
            job["status"], job["wakes"] = "pending", None
            return True
        if expires is not None and expires <= now:
            self.cancel(job, now)
            return True
        return False

    def claim(self, queue: str, worker: str, limit: int, now: int, lease_secs: int) -> list[str]:
        if queue in self.paused:
            return []
        ready = [
            job
            for job in self.jobs
            if job["queue"] == queue and job["status"] == "pending" and job["wakes"] is None
        ]
        ready.sort(key=lambda job: -job["priority"])  # stable: age decides among equals
        for job in ready[:limit]:
            job["status"], job["worker"] = "processing", worker
            job["lease_ends"] = now + lease_secs * SECOND
            job["attempts"] += 1
        return [job["id"] for job in ready[:limit]]

    def holds(self, job: dict[str, Any], worker: str) -> str:
        if job["status"] in {"completed", "deadletter", "cancelled"}:
            return "conflict"
        held = job["status"] == "processing" and job["worker"] == worker
        return "ok" if held else "lease"

    def complete(self, job: dict[str, Any], now: int) -> None:
        job["status"], job["lease_ends"], job["ended"] = "completed", None, now

    def cancel(self, job: dict[str, Any], now: int) -> None:
        job["status"], job["wakes"], job["ended"] = "cancelled", None, now

    def retire(self, now: int, keep_secs: int, keep_jobs: int, limit: int) -> set[str]:
        """Drop what is over age or over the count, oldest first; give their ids."""
        finished = [job for job in self.jobs if job["ended"] is not None]
        finished.sort(key=lambda job: (job["ended"], job["id"]))
        gone: set[str] = set()
        for job in finished:
            many = len(finished) - len(gone) > keep_jobs
            if len(gone) < limit and (many or job["ended"] + keep_secs * SECOND <= now):
                gone.add(job["id"])
                self.jobs.remove(job)
        return gone

    def fail(self, job: dict[str, Any], now: int) -> None:
        wait_secs = min(self.base_secs * 2 ** job["retries"], self.cap_secs)
        self._attempt_over(job, wakes=now + wait_secs * SECOND)

    def _attempt_over(self, job: dict[str, Any], wakes: int | None) -> None:
        job["worker"] = job["lease_ends"] = None
        if job["retries"] >= job["max_retries"]:
            job["status"] = "deadletter"
        else:
            job["retries"] += 1
            job["status"], job["wakes"] = "pending", wakes
