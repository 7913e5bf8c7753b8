"""``spoolog replay --what-if``: the recorded work under other retry rules.

The model stands in ``projections.whatif``; here the log is read, and what came out is told.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, ValidationError, convert, structs

from eventlog import Reader
from projections.bounds import SECOND_US
from projections.moments import to_text, to_text_or_none
from projections.whatif import Change, Fate, Outcome
from projections.whatif.comparison import Comparison, Judged
from projections.whatif.report import PERCENTILES, Report, Side, Sum
from spoolog.folding import fold_at, last_known, without_gc
from spoolog.onward import onward
from spoolog.point import Point
from tools import output

ASKABLE: Final = tuple(field.name for field in structs.fields(Change))
MODEL: Final = (
    "A model, not a measurement: the n-th attempt of a job ends as its n-th recorded one did and is"
    " picked up after the same delay; attempts beyond the recorded ones are unknown; jobs do not"
    " compete for workers. See docs/replay.md."
)
_RECORDS_PER_PROGRESS: Final = 1_000


class Read(Struct, frozen=True):
    """What was read: from the first position to the last, so many events.

    `came_back` jobs were brought back by an undo after they had been judged.
    """

    first: int
    last: int
    events: int
    came_back: int


def tell(
    data_dir: Path,
    asked: str,
    queue: str | None,
    *,
    start: Point | None,
    until: Point | None,
    limit: int,
    as_json: bool,
) -> None:
    """Decide the recorded work anew and tell what would differ.

    Raises:
        Misuse: a rule that cannot be asked about, or a value that it cannot have.

    """
    change = change_of(asked)
    report = Report(limit)
    read = _compare(Reader(data_dir), report, start, until, change=change, queue=queue)
    if as_json:
        output.say_json(document(change, queue, report, read))
    else:
        _show(change, queue, report, read)
    output.note(MODEL)


def change_of(text: str) -> Change:
    """Read name=value pairs with commas between.

    Raises:
        Misuse: not such pairs; an unknown name; a value that the rule cannot have.

    """
    pairs = [pair.partition("=") for pair in text.split(",")]
    given = {name.strip(): value.strip() for name, _, value in pairs}
    unknown = [name for name in given if name not in ASKABLE]
    if unknown or len(given) < len(pairs):
        what = f"{unknown[0]!r} cannot be asked about" if unknown else "each can be named once"
        raise output.Misuse(f"--what-if: {what}; NAME=VALUE[,…] with {', '.join(ASKABLE)}")
    try:
        return convert(given, Change, strict=False)
    except ValidationError as reason:
        raise output.Misuse(f"--what-if: {reason}; with {', '.join(ASKABLE)}") from reason


def _compare(
    reader: Reader,
    report: Report,
    start: Point | None,
    until: Point | None,
    *,
    change: Change,
    queue: str | None,
) -> Read:
    """Fill in the report; give what was read for it."""
    begin = Point(position=reader.first - 1) if start is None else start.just_before()
    state = fold_at(reader, begin).state
    comparison = Comparison(change, queue, state)
    first = last = state.position
    total = last_known(reader) if until is None else until.position
    events = 0
    with output.progress("deciding anew", total) as advance, without_gc():
        for record in onward(reader, first, until):
            events += len(record.events)
            last = record.position
            for one in comparison.take(record):
                report.add(one)
            if last % _RECORDS_PER_PROGRESS == 0:
                advance(last, total)
        for one in comparison.rest():
            report.add(one)
    return Read(first + 1, last, events, len(comparison.came_back))


def document(change: Change, queue: str | None, report: Report, read: Read) -> dict[str, Any]:
    """Give the whole as one document."""
    return {
        "what_if": _asked(change),
        "queue": queue,
        "from": read.first,
        "to": read.last,
        "events": read.events,
        "came_back": read.came_back,
        "model": MODEL,
        "total": _sum(report.total),
        "queues": [{"queue_name": name} | _sum(one) for name, one in sorted(report.queues.items())],
        "listed": [
            {
                "job": one.job,
                "queue_name": one.queue,
                "created_at": to_text(one.created_at),
                "recorded": _fate(one.recorded),
                "what_if": _fate(one.what_if),
            }
            for one in report.listed
        ],
    }


def _sum(one: Sum) -> dict[str, Any]:
    return {
        "jobs": one.jobs,
        "outcome_differs": sum(one.moves.values()),
        "anything_differs": one.differing,
        "moves": [
            {"recorded": was, "what_if": now, "jobs": count}
            for (was, now), count in one.moves.most_common()
        ],
        "recorded": _side(one.recorded),
        "what_if": _side(one.what_if),
        "actions_without_effect": one.refused,
        "left_as_recorded": one.left_out,
    }


def _side(side: Side) -> dict[str, Any]:
    found = side.percentiles()
    return {
        "outcomes": {outcome.value: side.outcomes[outcome] for outcome in Outcome},
        "attempts": side.attempts,
        "backoff_secs": side.backoff_us / SECOND_US,
        "secs_to_end": None
        if found is None
        else {f"p{share}": us / SECOND_US for share, us in found.items()},
    }


def _fate(fate: Fate) -> dict[str, Any]:
    return {
        "outcome": fate.outcome,
        "attempts": fate.attempts,
        "ended_at": to_text_or_none(fate.ended_at),
        "backoff_secs": fate.backoff_us / SECOND_US,
    }


def _show(change: Change, queue: str | None, report: Report, read: Read) -> None:
    total = report.total
    rules = ", ".join(f"{name}={value}" for name, value in _asked(change).items())
    output.facts(
        f"What if {rules}" + (f" in {output.printable(queue)}" if queue is not None else ""),
        [
            ("records", f"{read.first:,} to {read.last:,}"),
            ("events", read.events),
            ("jobs created there", total.jobs),
            ("with another outcome", sum(total.moves.values())),
            ("with another outcome, time or number of attempts", total.differing),
            ("actions that would have found nothing to do", total.refused),
            ("jobs left as recorded, since an undo changed them", total.left_out),
            ("jobs that an undo brought back, told as they had ended", read.came_back),
        ],
    )
    names = [outcome.value for outcome in Outcome]
    output.rows("Outcomes", ["queue", "jobs", *names], map(_outcomes, *_named(report)))
    columns = ["queue", "", "attempts", "in backoff", "p50", "p90", "p99"]
    lines = chain.from_iterable(map(_times, *_named(report)))
    output.rows("Attempts, waits, and seconds from creation to end", columns, lines)
    if total.moves:
        moves = [(was.value, now.value, count) for (was, now), count in total.moves.most_common()]
        output.rows("Outcomes that differ", ["recorded", "what if", "jobs"], moves)
    if report.listed:
        output.rows(
            "Jobs",
            ["queue", "job", "recorded", "attempts", "ended", "what if", "attempts", "ended"],
            [_job(one) for one in report.listed],
        )
    hidden = sum(total.moves.values()) - len(report.listed)
    if hidden:
        output.note(f"{hidden:,} more jobs are counted and not listed: --limit")


def _asked(change: Change) -> dict[str, float]:
    return {name: value for name, value in structs.asdict(change).items() if value is not None}


def _named(report: Report) -> tuple[list[str], list[Sum]]:
    """Give the queues by name, then all of them together where there are several."""
    queues = sorted(report.queues.items())
    if len(queues) != 1:
        queues.append(("all", report.total))
    return [name for name, _ in queues], [one for _, one in queues]


def _outcomes(name: str, one: Sum) -> list[object]:
    was, now = one.recorded.outcomes, one.what_if.outcomes
    return [name, one.jobs, *(output.change(was[each], now[each]) for each in Outcome)]


def _times(name: str, one: Sum) -> Iterator[list[object]]:
    """Give two lines: as recorded, and what if."""
    for label, side in (("recorded", one.recorded), ("what if", one.what_if)):
        found = side.percentiles() or dict.fromkeys(PERCENTILES)
        yield [
            name,
            label,
            side.attempts,
            _secs(side.backoff_us),
            *(_secs(us) for us in found.values()),
        ]
        name = ""


def _secs(us: int | None) -> str | None:
    return None if us is None else f"{us / SECOND_US:,.1f} s"


def _job(one: Judged) -> list[object]:
    sides = (one.recorded, one.what_if)
    told = ([side.outcome.value, side.attempts, to_text_or_none(side.ended_at)] for side in sides)
    return [one.queue, one.job, *chain.from_iterable(told)]
