"""What a type checker knows of the reading API: checked by mypy in `make lint`, never run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import assert_type

import spoolog
from projections.events import JobFailed
from projections.lifecycle import Status

history = spoolog.open("./spoolog-data")
assert_type(history, spoolog.History)
assert_type(history.last, int)
assert_type(history.position(datetime(2026, 1, 1, tzinfo=UTC)), int)

assert_type(history.events(types=["job.failed"], start=1, end="2"), Iterator[spoolog.Fact])
assert_type(history.records(worker="w1", chained=True), Iterator[spoolog.Shown])
assert_type(history.follow(queue="mail", wait=lambda: False), Iterator[spoolog.Shown])

for fact in history.events(job="1"):
    assert_type(fact.record, spoolog.Record)
    assert_type(fact.record.at, int)
    if isinstance(fact.event, JobFailed):
        assert_type(fact.event.retry_at, int | None)

assert_type(history.state(at=4), spoolog.State)
job = history.job("1")
assert_type(job, spoolog.Job | None)
if job is not None:
    assert_type(job.status, Status)
assert_type(history.verify().chain_hex, str)

history.events(worker=1)  # type: ignore[arg-type]
history.events(no_such_filter="")  # type: ignore[call-arg]
history.state(at=1.5)  # type: ignore[arg-type]
spoolog.open(3)  # type: ignore[arg-type]
