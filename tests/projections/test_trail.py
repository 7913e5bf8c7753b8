"""What a job's own events add up to must be what the whole state says of it, at every record."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from eventlog import MemoryLog, Reader
from projections.entities import Job
from projections.events import Record, decode
from projections.feed import Fact, event_type
from projections.fold import fold
from projections.state import State
from projections.trail import TOLD, Step, steps
from tests.projections.storm import Storm
from tools.bench.traffic import Traffic

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> list[Record]:
    return [
        decode(position, body)
        for batch in Reader(GOLDEN / name).entries()
        for position, body in batch
    ]


def busy() -> list[Record]:
    records: list[Record] = []

    async def live() -> None:
        log = MemoryLog()
        await log.begin()
        traffic = Traffic(log, 3)
        traffic.engine.listeners.append(records.append)
        traffic.begin()
        for _ in range(12_000):
            traffic.step()

    asyncio.run(live())
    return records


def told(job: Job | None) -> dict[str, Any]:
    if job is None:
        return dict.fromkeys(TOLD.values())
    values = {called: getattr(job, name) for name, called in TOLD.items()}
    return values | {"status": job.status.value, "blocked": job.blocked or None}


def trails(records: Iterable[Record]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for record in records:
        for index, event in enumerate(record.events):
            if event_type(event).startswith("job."):
                found[event.job].append(Fact(record, index, event))  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("source", ["events-v1", "events-v2", "events-v3", "events-v4", "busy"])
def test_each_difference_leads_to_what_the_state_says(source: str) -> None:
    kinds = check(busy() if source == "busy" else golden(source))
    assert source != "busy" or {"job.failed", "job.lease_expired", "job.due"} <= kinds
    assert source != "events-v4" or {"job.restored", "job.reverted"} <= kinds


class TrailStorm(Storm):
    def teardown(self) -> None:
        check(self.bench.records())


TestTrailStorm = TrailStorm.TestCase
TestTrailStorm.settings = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def check(records: list[Record]) -> set[str]:
    """Follow each job's differences through its life; give the types of events that were met."""
    ahead: dict[str, list[Step]] = {
        job_id: list(steps(facts)) for job_id, facts in trails(records).items()
    }
    kinds = {event_type(step.fact.event) for life in ahead.values() for step in life}
    state, known = State(), defaultdict[str, dict[str, Any]](lambda: told(None))
    for record in records:
        fold(state, record)
        for job_id in trails([record]):
            values = known[job_id]
            while ahead[job_id] and ahead[job_id][0].fact.record is record:
                step = ahead[job_id].pop(0)
                assert step.changes is not None
                for change in step.changes:
                    assert values[change.field] == change.before != change.after
                    values[change.field] = change.after
            job = state.tables.jobs.get(job_id)
            assert values["status"] == told(job)["status"]
            assert job is None or values == told(job)
            if job is None:  # what comes back begins with nothing
                values.update(told(None))
    assert not any(ahead.values())
    return kinds


def test_without_the_beginning_differences_are_not_known() -> None:
    facts = max(trails(golden("events-v3")).values(), key=len)
    assert all(step.changes is None for step in steps(facts[1:]))
    assert next(steps(facts[1:])).since_last_us is None


def test_attempts_are_claims_that_reached_a_worker() -> None:
    for facts in trails(busy()).values():
        attempt = 0
        for step in steps(facts):
            attempt += event_type(step.fact.event) == "job.claimed"
            assert step.attempt == attempt
