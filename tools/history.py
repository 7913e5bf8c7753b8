"""``spoolog history JOB_ID``: the life of one job, read from the log.

Which events concern a job and how they read; the log itself is ``tools.lines`` and ``eventlog``.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

from eventlog import Reader
from projections.bounds import SECOND_US
from projections.events import JobClaimed
from projections.feed import event_type
from projections.moments import to_text
from spoolog.folding import beginning
from spoolog.select import Shown, Wanted, select
from tools.lines import fields
from tools.options import data_dir_option, json_option
from tools.output import Problem, note, rows, say_json

_TOLD_ELSEWHERE: Final = frozenset({"job", "prev", "worker"})


class Step(Struct, frozen=True):
    """One event of a job's life. `attempt` counts its claims so far."""

    position: int
    at: str
    event: str
    by: str
    request_id: str
    worker: str | None
    attempt: int
    since_last_us: int
    fields: dict[str, str]


@click.command()
@click.argument("job_id")
@data_dir_option
@json_option
def history(job_id: str, data_dir: Path, as_json: bool) -> None:
    """Tell what happened to a job: when, by whom, on which request, and how long it took."""
    reader, wanted = Reader(data_dir), Wanted(job=job_id)
    after = beginning(reader, wanted)
    steps = list(steps_of(select(reader.lines(after), wanted)))
    if after:
        note(f"Records before {after + 1} have expired; what they told is not shown.")
    if not steps:
        raise Problem(f"no event of a job {job_id!r} is in the log in {data_dir}")
    if as_json:
        say_json({"job": job_id, "events": steps})
        return
    rows(
        f"Job {job_id}",
        ["position", "time", "since last", "event", "attempt", "worker", "by", "request", "told"],
        [
            (
                step.position,
                step.at,
                _duration(step.since_last_us),
                step.event,
                step.attempt,
                step.worker,
                step.by,
                step.request_id or None,
                " ".join(f"{name}={value}" for name, value in step.fields.items()),
            )
            for step in steps
        ],
    )


def steps_of(found: Iterable[Shown]) -> Iterator[Step]:
    """Give a job's events as steps, oldest first."""
    attempt = 0
    last_us: int | None = None
    for shown in found:
        record = shown.record
        for event in shown.events:
            attempt += isinstance(event, JobClaimed)
            told = dict(fields(event))
            yield Step(
                position=record.position,
                at=to_text(record.at),
                event=event_type(event),
                by=record.by,
                request_id=record.req,
                worker=told.get("worker"),
                attempt=attempt,
                since_last_us=0 if last_us is None else record.at - last_us,
                fields={name: text for name, text in told.items() if name not in _TOLD_ELSEWHERE},
            )
            last_us = record.at


def _duration(us: int) -> str:
    if us < SECOND_US:
        return f"{us / 1_000:.1f} ms"
    return f"{us / SECOND_US:,.2f} s"
