"""The other side of the server: who creates jobs, and the worker that claims and settles them."""

from typing import Any

from tests.tools.workbench import ask


class Hands:
    """Asks a server over HTTP, with its key; every step must succeed."""

    def __init__(self, url: str, key: str, worker: str = "worker-1") -> None:
        self.url = url
        self.key = key
        self.worker = worker

    def ask(self, method: str, path: str, body: object = None) -> Any:
        status, answer = ask(self.url, method, path, body, self.key)
        assert status < 300, (method, path, status, answer)
        return answer

    def create(self, queue: str = "mail", payload: Any = None, **fields: Any) -> str:
        body = {"queue_name": queue, "payload": payload or {"to": "a@example.com"}, **fields}
        return str(self.ask("POST", "/jobs", body)["id"])

    def create_many(self, queue: str, count: int, **payload: Any) -> list[str]:
        """Create up to 100 jobs."""
        jobs = [{"payload": {"number": number, **payload}} for number in range(count)]
        made = self.ask("POST", "/jobs/bulk", {"queue_name": queue, "jobs": jobs})
        return [one["job_id"] for one in made["succeeded"]]

    def claim(self, queue: str = "mail", **fields: Any) -> list[dict[str, Any]]:
        body = {"queue_name": queue, "worker_id": self.worker, **fields}
        jobs: list[dict[str, Any]] = self.ask("POST", "/jobs/claim", body)["jobs"]
        return jobs

    def complete(self, job: dict[str, Any], **fields: Any) -> None:
        body = {"worker_id": self.worker, "lease_id": job["lease_id"], **fields}
        self.ask("POST", f"/jobs/{job['id']}/complete", body)

    def fail(self, job: dict[str, Any], error: str = "boom") -> None:
        body = {"worker_id": self.worker, "lease_id": job["lease_id"], "error": error}
        self.ask("POST", f"/jobs/{job['id']}/fail", body)

    def done(self, queue: str = "mail", **fields: Any) -> str:
        """Create a job, claim it and complete it."""
        job_id = self.create(queue, **fields)
        (job,) = self.claim(queue)
        assert job["id"] == job_id, "the queue was not empty"
        self.complete(job)
        return job_id

    def dead(self, queue: str = "mail", error: str = "boom", **fields: Any) -> str:
        """Create a job that fails for good."""
        job_id = self.create(queue, max_retries=0, **fields)
        (job,) = self.claim(queue)
        assert job["id"] == job_id, "the queue was not empty"
        self.fail(job, error)
        return job_id

    def pause(self, queue: str, reason: str | None = None) -> None:
        self.ask("POST", f"/queues/{queue}/pause", {"reason": reason})

    def register(self, queue: str = "mail", hostname: str = "host-1") -> str:
        body = {"queue_name": queue, "hostname": hostname}
        return str(self.ask("POST", "/workers/register", body)["id"])
