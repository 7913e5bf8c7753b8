"""``spoolog replay --step``: one job or queue, record by record, with what each changed.

What a step is stands in ``spoolog.steps``; here steps are told, at a person's pace where there is one.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from msgspec import Raw, json

from eventlog import Reader
from projections.feed import told
from projections.moments import to_text
from spoolog.folding import fold_at, without_gc
from spoolog.onward import onward
from spoolog.point import Point
from spoolog.steps import OneJob, OneQueue, Step, steps
from tools import output
from tools.lines import event_lines, value_text

HINT: Final = "Enter: next; a number: that many; q: quit"


def tell(
    data_dir: Path,
    job: str | None,
    queue: str | None,
    start: Point | None,
    until: Point | None,
    *,
    as_json: bool,
) -> None:
    """Step through a job or a queue.

    Raises:
        Misuse, Problem: not one of the two was named; no record tells of it.

    """
    if (job is None) == (queue is None):
        raise output.Misuse("--step goes through one --job or one --queue")
    subject = OneQueue(queue) if job is None else OneJob(job)  # type: ignore[arg-type]
    shown = 0
    with output.to_a_reader(), without_gc():
        found = _steps(Reader(data_dir), subject, start, until)
        if sys.stdin.isatty() and not as_json:
            found = paced(found, _ask)
        for step in found:
            shown += 1
            if as_json:
                click.echo(json.encode(document(step)))
            else:
                for line in lines(step):
                    click.echo(line)
    if not shown:
        what = f"job {job!r}" if queue is None else f"queue {queue!r}"
        raise output.Problem(f"no record there tells of a {what}")


def _steps(
    reader: Reader, subject: OneJob | OneQueue, start: Point | None, until: Point | None
) -> Iterator[Step]:
    state = fold_at(
        reader, Point(position=reader.first - 1) if start is None else start.just_before()
    ).state
    return steps(state, onward(reader, state.position, until), subject)


def paced(found: Iterator[Step], ask: Callable[[], str]) -> Iterator[Step]:
    """Give steps as they are asked for: each answer is the number of the next ones, or q."""
    left = 1
    for step in found:
        if left == 0:
            answer = ask()
            if answer == "q":
                return
            left = int(answer) if answer.isdigit() and int(answer) > 0 else 1
        left -= 1
        yield step


def document(step: Step) -> dict[str, Any]:
    """Give a step as one object."""
    record = step.record
    return {
        "position": record.position,
        "at": to_text(record.at),
        "by": record.by,
        "req": record.req,
        "events": [Raw(told(event)) for event in step.events],
        "changed": step.changed,
    }


def lines(step: Step) -> Iterator[str]:
    """Give a step for people: its events, then what they changed, a line each."""
    yield from event_lines(step.record, step.events)
    for name, (was, now) in step.changed.items():
        yield f"{'':>9} {name}: {value_text(was)} → {value_text(now)}"


def _ask() -> str:
    """Wait for a person's word; the end of the input is a wish to stop."""
    click.echo(f"[{HINT}] ", nl=False, err=True)
    line = sys.stdin.readline()
    return line.strip() if line else "q"
