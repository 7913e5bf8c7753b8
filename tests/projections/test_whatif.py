"""What-if: with the rules as they were it is the record; with others, outcomes worked out by hand."""

from typing import Any

from hypothesis import HealthCheck, settings

from projections.events import JobCreated
from projections.lifecycle import TERMINAL
from projections.whatif import Change, Outcome
from projections.whatif.comparison import Comparison, Judged
from projections.whatif.lives import Life
from tests.projections.storm import Storm

UNTOUCHED = [Change(), Change(retry_base_secs=10, retry_cap_secs=40)]
OTHERS = [
    Change(max_retries=0),
    Change(max_retries=5),
    Change(retry_base_secs=0),
    Change(retry_base_secs=3600, retry_cap_secs=36000, max_retries=1),
    Change(retry_jitter=1),
]


class Thorough(Comparison):
    """Lives every job again, those too in which no rule had a say."""

    def worth(self, lives: dict[str, Life]) -> bool:
        return True


def compared(
    records: list[Any],
    change: Change,
    queue: str | None = None,
    kind: type[Comparison] = Comparison,
) -> dict[str, Judged]:
    comparison = kind(change, queue)
    judged = [one for record in records for one in comparison.take(record)]
    judged += comparison.rest()
    by_job = {one.job: one for one in judged}
    assert len(by_job) == len(judged), "each job is judged once"
    return by_job


class WhatIfStorm(Storm):
    def teardown(self) -> None:
        records = self.bench.records()
        created = {
            event.job
            for record in records
            for event in record.events
            if isinstance(event, JobCreated)
        }
        for change in UNTOUCHED:
            found = compared(records, change, kind=Thorough)
            assert set(found) == created
            for one in found.values():
                assert one.what_if == one.recorded, change
                assert (one.refused, one.odd) == (0, False)
        for job in self.bench.state.tables.jobs.values():
            fate = compared(records, Change())[job.id].recorded
            if job.status in TERMINAL:
                assert (fate.outcome.value, fate.ended_at) == (job.status.value, job.updated_at)
            else:
                assert (fate.outcome, fate.ended_at) == (Outcome.OPEN, None)
        for change in OTHERS:
            found = compared(records, change)
            assert found == compared(records, change, kind=Thorough)
            assert set(found) == created
            in_queue = compared(records, change, "mail")
            assert all(
                one.queue == "mail" or one.recorded != one.what_if for one in in_queue.values()
            )


TestWhatIfStorm = WhatIfStorm.TestCase
TestWhatIfStorm.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
