"""What must be true after a run: every result right, nothing twice, nothing acknowledged lost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tools.demo.files import Measured
from tools.demo.worker import fails_first
from tools.output import progress

if TYPE_CHECKING:
    from spooled.client import SpooledClient


class Outcome(Struct):
    """What was read back. Each list names what is not as it must be."""

    retried: int = 0
    wrong_results: list[str] = msgspec.field(default_factory=list)
    not_completed: list[str] = msgspec.field(default_factory=list)
    not_failed_once: list[str] = msgspec.field(default_factory=list)
    lost: list[str] = msgspec.field(default_factory=list)

    @property
    def mismatches(self) -> int:
        """How many things are wrong."""
        wrong = (self.wrong_results, self.not_completed, self.not_failed_once, self.lost)
        return sum(map(len, wrong))


def read_back(
    api: "SpooledClient", ids: Mapping[str, str], expected: Mapping[str, Measured]
) -> Outcome:
    """Read every job over the API and compare it with the direct computation."""
    outcome = Outcome()
    with progress("comparing", len(ids)) as advance:
        for index, (path, job_id) in enumerate(ids.items()):
            job = api.jobs.get(job_id)
            _compare(outcome, index, path, job, expected[path])
            advance(index + 1, None)
    return outcome


def missing(acknowledged: Sequence[str], api: "SpooledClient") -> list[str]:
    """Give the jobs whose completion was acknowledged and does not stand."""
    return [job_id for job_id in acknowledged if api.jobs.get(job_id).status != "completed"]


def _compare(outcome: Outcome, index: int, path: str, job: Any, expected: Measured) -> None:
    outcome.retried += job.retry_count > 0
    if job.status != "completed" or job.payload != {"path": path, "index": index}:
        outcome.not_completed.append(path)
        return
    if job.result != msgspec.to_builtins(expected):
        outcome.wrong_results.append(path)
    # After a crash the retry may be that of an ended lease; then nothing was left to plant.
    if fails_first(index) and job.retry_count == 0:
        outcome.not_failed_once.append(path)
