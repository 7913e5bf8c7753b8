"""One worker process of the demo: the SDK's worker, and a file of what the server acknowledged.

``python -m tools.demo.worker`` reads an `Assignment` as JSON from its first line of standard input
and works until its standard input is closed. Without the SDK it cannot run; nothing else imports it.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, json
from spooled.client import SpooledClient
from spooled.config import CircuitBreakerConfig, RetryConfig, SpooledClientConfig
from spooled.worker.worker import SpooledWorker

from tools.demo.files import measure

QUEUE: Final = "demo"
PLANTED_ERROR: Final = "planted failure of the first attempt"
_FAIL_EVERY: Final = 50
_FAIL_AT: Final = 7
_LEASE_SECS: Final = 5
_POLL_SECS: Final = 0.02
_CONCURRENCY: Final = 4


class Assignment(Struct, frozen=True):
    """Whom to work for, on which folder, and where to note acknowledged completions."""

    url: str
    api_key: str
    folder: str
    worker_id: str
    record: str


def fails_first(index: int) -> bool:
    """Whether the job of this number fails its first attempt."""
    return index % _FAIL_EVERY == _FAIL_AT


def client(url: str, api_key: str) -> SpooledClient:
    """Make a client that bridges a restart of the server: it tries again soon and does not sulk."""
    retry = RetryConfig(max_retries=10, base_delay=0.1, max_delay=1.0)
    breaker = CircuitBreakerConfig(enabled=False)
    return SpooledClient(
        config=SpooledClientConfig(
            api_key=api_key, base_url=url, retry=retry, circuit_breaker=breaker
        )
    )


def work(assignment: Assignment) -> None:
    """Process jobs until standard input is closed."""
    record = os.open(assignment.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    folder = Path(assignment.folder)
    with client(assignment.url, assignment.api_key) as api:
        worker = SpooledWorker(
            api,
            QUEUE,
            concurrency=_CONCURRENCY,
            poll_interval=_POLL_SECS,
            lease_duration=_LEASE_SECS,
            worker_id=assignment.worker_id,
            shutdown_timeout=_LEASE_SECS,
        )

        @worker.process
        def handle(job: Any) -> dict[str, Any]:
            if fails_first(job.payload["index"]) and job.retry_count == 0:
                raise RuntimeError(PLANTED_ERROR)
            measured = measure(folder / job.payload["path"])
            found: dict[str, Any] = msgspec.to_builtins(measured)
            return found

        @worker.on("job:completed")
        def completed(event: Any) -> None:
            # Only now: the server has answered that the completion stands.
            os.write(record, f"{event.job_id}\n".encode())

        threading.Thread(target=_stop_at_end_of_input, args=(worker,), daemon=True).start()
        worker.start()
    os.close(record)


def _stop_at_end_of_input(worker: SpooledWorker) -> None:
    # The parent holds the other end, so a worker never outlives it.
    sys.stdin.buffer.read()
    worker.stop()


if __name__ == "__main__":
    work(json.decode(sys.stdin.buffer.readline(), type=Assignment))
