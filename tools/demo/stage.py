"""What both runs of the demo have in common: a server, its workers, and waiting for results.

Enqueues and reads over the official SDK only. What is right or wrong is judged in ``check``.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct, json

from server.clock import monotonic_us
from tools.children import Child, elapsed_secs, running
from tools.demo.worker import QUEUE, Assignment
from tools.output import Problem, progress

if TYPE_CHECKING:
    from spooled.client import SpooledClient

API_KEY: Final = "sp_live_a-key-for-this-demo-only"
SERVER_OPTIONS: Final = ("--retry-base-secs", "0.1", "--sync", "always")
_BULK: Final = 100
_RETRIES: Final = 20
_POLL_SECS: Final = 0.1
_STALL_SECS: Final = 90


class Enqueued(Struct, frozen=True):
    """The job of each path, how many of them were new, and how long it took."""

    ids: dict[str, str]
    created: int
    seconds: float


def enqueue(api: "SpooledClient", paths: Sequence[str]) -> Enqueued:
    """Enqueue one job for each file, a hundred at a time. Doing it again changes nothing.

    Raises:
        Problem: an item was refused.

    """
    began_us = monotonic_us()
    ids: dict[str, str] = {}
    created = 0
    for first in range(0, len(paths), _BULK):
        chunk = paths[first : first + _BULK]
        answer = api.jobs.bulk_enqueue(
            {
                "queue_name": QUEUE,
                "default_max_retries": _RETRIES,
                "jobs": [
                    {"payload": {"path": path, "index": first + offset}, "idempotency_key": path}
                    for offset, path in enumerate(chunk)
                ],
            }
        )
        if answer.failure_count:
            raise Problem(f"the server refused to enqueue: {answer.failed[0].error}")
        for item in answer.succeeded:
            assert item.job_id is not None
            ids[chunk[item.index]] = item.job_id
            created += bool(item.created)
    return Enqueued(ids, created, elapsed_secs(began_us))


@contextmanager
def workers(url: str, folder: Path, home: Path, count: int) -> Iterator[list[Child]]:
    """Run worker processes for as long as the block lasts."""
    with ExitStack() as stack:
        started = []
        for number in range(1, count + 1):
            child = stack.enter_context(running("tools.demo.worker", stdin=True))
            record = home / f"worker-{number}.acknowledged"
            assignment = Assignment(url, API_KEY, str(folder), f"demo-{number}", str(record))
            assert child.process.stdin is not None
            child.process.stdin.write(json.encode(assignment) + b"\n")
            child.process.stdin.flush()
            started.append(child)
        yield started


def finish(children: Sequence[Child]) -> None:
    """Let workers settle what they hold and say goodbye."""
    for child in children:
        assert child.process.stdin is not None
        child.process.stdin.close()
        child.process.stdin = None
    for child in children:
        child.output(b"", _STALL_SECS)


def wait_completed(
    completed: Callable[[], int], wanted: int, total: int, children: Sequence[Child]
) -> None:
    """Wait until so many jobs are completed.

    Raises:
        Problem: a process ended, or nothing moved for too long.

    """
    best, moved_us = -1, monotonic_us()
    with progress("processing", total) as advance:
        while (done := completed()) < wanted:
            if done > best:
                best, moved_us = done, monotonic_us()
            if elapsed_secs(moved_us) > _STALL_SECS:
                raise Problem(f"no job completed for {_STALL_SECS} s; {done} of {total} are")
            for child in children:
                child.check()
            advance(done, None)
            time.sleep(_POLL_SECS)


def acknowledged(home: Path) -> list[str]:
    """Give the jobs whose completion the workers saw acknowledged."""
    return [
        line
        for path in sorted(home.glob("*.acknowledged"))
        for line in path.read_text(encoding="ascii").splitlines()
    ]
