"""``spoolog replay --diff A B``: what is different at one point of the log, compared with another.

What is compared, and how, is ``spoolog.diff``; here it is told.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from eventlog import Reader
from projections.lifecycle import Status
from projections.moments import to_text
from spoolog.diff import Backwards, Changed, Difference, InQueue, Moment, difference
from spoolog.point import Point
from tools import output
from tools.lines import value_text

LISTED_DEFAULT: Final = 20


def tell(
    data_dir: Path, between: tuple[Point, Point], queue: str | None, limit: int, *, as_json: bool
) -> None:
    """Compare two points and tell what differs."""
    start, end = between
    reader = Reader(data_dir)
    total = end.position
    with output.progress("folding", total) as advance:
        try:
            found = difference(
                reader,
                start,
                end,
                queue=queue,
                limit=limit,
                progress=lambda position: advance(position, total),
            )
        except Backwards as refused:
            raise output.Misuse("--diff goes forward: B lies before A") from refused
    if as_json:
        output.say_json(document(found))
    else:
        _show(found)


def document(found: Difference) -> dict[str, Any]:
    """Give the whole as one document."""
    return {
        "from": _moment(found.before),
        "to": _moment(found.after),
        "records": found.after.position - found.before.position,
        "events": found.events,
        "jobs": found.counts | {"came_and_went": found.passing},
        "moves": [
            {"from": was, "to": now, "jobs": count}
            for (was, now), count in found.moves.most_common()
        ],
        "queues": [
            {
                "queue_name": one.name,
                "before": one.before,
                "after": one.after,
                "delta": _delta(one),
            }
            for one in found.queues
        ],
        "changed": {
            kind: [{"name": one.name, "what": one.what, "fields": one.fields} for one in things]
            for kind, things in found.things.items()
        },
        "listed": [
            {"job": one.name, "queue_name": one.queue, "what": one.what, "fields": one.fields}
            for one in found.jobs
        ],
    }


def _delta(one: InQueue) -> dict[str, int]:
    return {status: one.after[status] - one.before[status] for status in one.after}


def _moment(moment: Moment) -> dict[str, object]:
    at = to_text(moment.at_us) if moment.position else None
    return {"position": moment.position, "at": at}


def _show(found: Difference) -> None:
    ends = [_moment(found.before), _moment(found.after)]
    output.facts(
        "Compared",
        [
            *((name, f"position {end['position']}, {end['at'] or 'before the first record'}")
              for name, end in zip(("from", "to"), ends, strict=True)),
            ("records", found.after.position - found.before.position),
            ("events", found.events),
            *((f"jobs: {what}", count) for what, count in found.counts.items()),
            ("jobs: came and went", found.passing),
        ],
    )  # fmt: skip
    if found.moves:
        moves = [(was, now, count) for (was, now), count in found.moves.most_common()]
        output.rows("Changes of status", ["from", "to", "jobs"], moves)
    statuses = [status.value for status in Status]
    output.rows("Queues", ["queue", *statuses], [_of_queue(one) for one in found.queues])
    things = [one for kind in found.things.values() for one in kind]
    if things:
        lines = [
            (kind, *line)
            for kind, changed in found.things.items()
            for one in changed
            for line in _lines(one)
        ]
        output.rows("Also changed", ["", "name", "what", "field", "before", "after"], lines)
    if found.jobs:
        lines = [(one.queue, *line) for one in found.jobs for line in _lines(one)]
        output.rows("Jobs", ["queue", "job", "what", "field", "before", "after"], lines)
    hidden = sum(found.counts.values()) - len(found.jobs)
    if hidden:
        output.note(f"{hidden:,} more jobs are counted and not listed: --limit")


def _of_queue(one: InQueue) -> list[str]:
    counts = (output.change(one.before[status], after) for status, after in one.after.items())
    return [one.name, *counts]


def _lines(one: Changed) -> Iterator[tuple[object, ...]]:
    """Give a line for each field that differs; the name stands on the first."""
    name: str | None = one.name
    what: str | None = one.what
    for field, (before, after) in one.fields.items() or [("", (None, None))]:
        yield (name or "", what or "", field, value_text(before), value_text(after))
        name = what = None
