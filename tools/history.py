"""``spoolog history JOB_ID``: the life of one job, read from the log.

What each event changed is found by ``projections.trail``; which events are the job's, by
``spoolog``.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

import spoolog
from projections.bounds import SECOND_US
from projections.moments import to_text
from projections.trail import Change, Value, steps
from spoolog import Fact, event_type
from tools.lines import coloured, fields
from tools.options import data_dir_option, json_option
from tools.output import Problem, note, printable, say_json, shown

_INDENT: Final = " " * 12
_TOLD_ELSEWHERE: Final = frozenset({"job", "prev", "worker"})


class Step(Struct, frozen=True):
    """One event of a job's life; `changes` is null where its beginning has expired."""

    position: int
    at: str
    event: str
    by: str
    request_id: str
    worker: str | None
    attempt: int
    since_last_us: int
    fields: dict[str, str]
    changes: list[Change] | None


@click.command()
@click.argument("job_id")
@data_dir_option
@json_option
def history(job_id: str, data_dir: Path, as_json: bool) -> None:
    """Tell what happened to a job: when, by whom, on which request, how long it took, what changed."""
    past = spoolog.open(data_dir)
    found = list(steps_of(past.events(job=job_id)))
    if past.first > 1:
        note(f"Records before {past.first} have expired; what they told is not shown.")
    if not found:
        raise Problem(f"no event of a job {job_id!r} is in the log in {data_dir}")
    if as_json:
        say_json({"job": job_id, "events": found})
        return
    click.echo(click.style(f"Job {printable(job_id)}", bold=True))
    for step in found:
        for line in timeline(step):
            click.echo(line)


def steps_of(facts: Iterable[Fact]) -> Iterator[Step]:
    """Give a job's events as steps, oldest first."""
    for step in steps(facts):
        record, event = step.fact.record, step.fact.event
        told = dict(fields(event))
        yield Step(
            position=record.position,
            at=to_text(record.at),
            event=event_type(event),
            by=record.by,
            request_id=record.req,
            worker=told.get("worker"),
            attempt=step.attempt,
            since_last_us=step.since_last_us or 0,
            fields={name: text for name, text in told.items() if name not in _TOLD_ELSEWHERE},
            changes=None if step.changes is None else list(step.changes),
        )


def timeline(step: Step) -> Iterator[str]:
    """Give an event as lines for people: the event, what it changed, what else it says."""
    words = [
        click.style(f"{step.position:>9}", dim=True),
        step.at,
        f"{_duration(step.since_last_us):>12}",
        coloured(step.event),
        f"attempt={step.attempt}",
        click.style(f"by={printable(step.by)}", dim=True),
    ]
    if step.worker is not None:
        words.insert(-1, f"worker={step.worker}")
    if step.request_id:
        words.append(click.style(f"req={printable(step.request_id)}", dim=True))
    yield " ".join(words)
    for change in step.changes or ():
        before, after = (_value(change.field, value) for value in (change.before, change.after))
        yield f"{_INDENT}{change.field}: {before} → {click.style(after, bold=True)}"
    if step.fields:
        told = " ".join(f"{name}={text}" for name, text in step.fields.items())
        yield _INDENT + click.style(told, dim=True)


def _value(field: str, value: Value) -> str:
    if field.endswith("_at") and isinstance(value, int):
        return to_text(value)
    return shown(value)


def _duration(us: int) -> str:
    if us < SECOND_US:
        return f"+{us / 1_000:.1f} ms"
    return f"+{us / SECOND_US:,.2f} s"
