"""Compares what the API says of jobs with what the independent reader found in the log.

Time goes on between the two (a lease may end), so an answer must be right for some moment between
the log before it was asked for and the log after.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.faults.real import independent
from tests.faults.real.client import Client
from tests.faults.real.lives import Life, Lives, Violation

_IDS_MAX = 100


def catch_up(lives: Lives, data_dir: Path) -> None:
    """Feed what the log holds beyond what was read before."""
    for found in independent.records(data_dir, lives.position):
        lives.feed(found.position, found.body)
        lives.chains[found.position] = found.chain


async def statuses(
    client: Client, lives: Lives, data_dir: Path, jobs: Iterable[str]
) -> list[Violation]:
    """Hold the status of some jobs against the log."""
    catch_up(lives, data_dir)
    before = {job: len(lives.jobs[job].told) for job in jobs}
    said: dict[str, str] = {}
    ids = list(before)
    for start in range(0, len(ids), _IDS_MAX):
        part = ",".join(ids[start : start + _IDS_MAX])
        _, answer = await client.ask(f"/jobs/status?ids={part}")
        said.update((one["id"], one["status"]) for one in answer)
    catch_up(lives, data_dir)
    return [
        Violation("api", f"{job} is {said.get(job)}, by the log {lives.jobs[job].status}")
        for job, events in before.items()
        if said.get(job, "deleted") not in lives.jobs[job].statuses[events - 1 :]
    ]


async def histories(
    client: Client, lives: Lives, data_dir: Path, jobs: Sequence[str]
) -> list[Violation]:
    """Hold the history of some jobs against the log, event by event."""
    catch_up(lives, data_dir)
    before = {job: len(lives.jobs[job].told) for job in jobs}
    answers = {job: await client.ask(f"/jobs/{job}/history?limit=500") for job in jobs}
    catch_up(lives, data_dir)
    return [
        Violation("api", f"the history of {job} is {answer}, by the log {lives.jobs[job].told}")
        for job, answer in answers.items()
        if not _fits(lives.jobs[job], before[job], *answer)
    ]


def _fits(life: Life, known: int, status: int, said: object) -> bool:
    if status == 404:
        return "deleted" in life.statuses
    if status != 200 or not isinstance(said, list):
        return False
    shown = [(one["position"], one["event_type"]) for one in said]
    logged = [(one.position, one.type) for one in life.told]
    return known <= len(shown) and shown == logged[: len(shown)]
