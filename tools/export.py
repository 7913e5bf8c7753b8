"""``spoolog export``: the events of the log as JSON lines, CSV, CloudEvents or Parquet.

Reads the log beside a running server and changes nothing of it. What an event looks like stands in
``projections.feed`` and ``tools.formats``, how a file stays whole in ``tools.part``, Parquet in
``tools.analytics``.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import click
from msgspec import Struct

import spoolog
from spoolog import Fact
from tools import output, part
from tools.analytics import warehouse
from tools.facts import facts
from tools.formats import FORMATS, Format, NotARow, Place
from tools.options import PointType, data_dir_option, filter_options, json_option
from tools.tables import EVENTS

PARQUET: Final = "parquet"
_STANDARD_OUTPUT: Final = "-"


class Export(Struct, frozen=True):
    """What to export: which events of which log."""

    history: spoolog.History
    filters: spoolog.Filters

    @property
    def cluster(self) -> str:
        """The cluster whose log it is."""
        return self.history.cluster

    def facts(self, after: Place | None = None) -> Iterator[Fact]:
        """Give the events, from `after` on where that is known."""
        filters = self.filters.copy()
        if after is not None:
            filters["start"] = after[0]
        return facts(self.history, "exporting", **filters)


class Done(Struct):
    """How much was written."""

    events: int = 0
    last: int | None = None

    def counted(self, given: Iterable[Fact]) -> Iterator[Fact]:
        """Give the events on, and count them."""
        for fact in given:
            yield fact
            self.events += 1
            self.last = fact.record.position


@click.command()
@data_dir_option
@click.option("--format", "kind", type=click.Choice([*FORMATS, PARQUET]), required=True)
@click.option("--from", "start", type=PointType(), help="First position or time.")
@click.option("--to", "end", type=PointType(), help="Last position or time.")
@filter_options
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_STANDARD_OUTPUT,
    help="File to write; without it, standard output.",
)
@click.option(
    "--resume",
    "resumed",
    is_flag=True,
    help="Go on where an earlier run with the same options was cut off; not with parquet.",
)
@json_option
def export(
    *,
    data_dir: Path,
    kind: str,
    out: Path,
    resumed: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Write the events of the log to a file or to standard output.

    A file grows as FILE.part and gets its name when it is complete; --resume goes on with one that
    was cut off. Parquet needs --out and the extra `analytics`. With --json, a file's summary is
    printed as JSON.
    """
    to_file = str(out) != _STANDARD_OUTPUT
    _check(kind, to_file=to_file, resumed=resumed, as_json=as_json)
    task = Export(spoolog.open(data_dir), cast("spoolog.Filters", filters))
    if not to_file:
        _to_standard_output(task, FORMATS[kind])
        return
    done = (
        _to_parquet(task, out) if kind == PARQUET else _to_file(task, FORMATS[kind], out, resumed)
    )
    found = {"file": str(out), "events": done.events, "last_position": done.last}
    if as_json:
        output.say_json(found)
    else:
        output.facts("Exported", found.items())


def _check(kind: str, *, to_file: bool, resumed: bool, as_json: bool) -> None:
    if kind == PARQUET and not to_file:
        raise output.Misuse("--format parquet needs --out: a Parquet file is written out of order")
    if kind == PARQUET and resumed:
        raise output.Misuse("--resume does not go with --format parquet")
    if not to_file and (resumed or as_json):
        raise output.Misuse("--resume and --json need --out")


def _to_standard_output(task: Export, shape: Format) -> None:
    with output.to_a_reader():
        _write(sys.stdout.buffer, shape, task.cluster, task.facts(), header=True)


def _to_file(task: Export, shape: Format, out: Path, resumed: bool) -> Done:
    tail: part.Tail | None = None
    if resumed and part.part_of(out).exists():
        file, tail = part.resume(out, quoted=shape.quoted)
    else:
        part.refuse_leftover(out, resumable=True)
        file = part.begin(out)
    done = Done()
    try:
        with file:
            rest = _rest(task, shape, out, tail)
            _write(file, shape, task.cluster, done.counted(rest), header=tail is None)
        part.finish(out)
    except OSError as reason:
        raise output.Problem(f"{out}: {reason}; --resume goes on from here") from reason
    return done


def _rest(task: Export, shape: Format, out: Path, tail: part.Tail | None) -> Iterator[Fact]:
    """Give the events behind the last whole row of a part.

    Raises:
        Misuse: that row is none of this log with these options.

    """
    if tail is None or tail.row == shape.header:
        yield from task.facts()
        return
    try:
        place = shape.place(tail.row)
    except NotARow:
        raise _foreign(out) from None
    rest = (one for one in task.facts(place) if (one.record.position, one.index) >= place)
    last = next(rest, None)
    if last is None or shape.row(task.cluster, last) != tail.row:
        raise _foreign(out)
    yield from rest


def _foreign(out: Path) -> output.Misuse:
    return output.Misuse(
        f"{part.part_of(out)} does not end as an export of this log with these options would"
    )


def _write(
    file: BinaryIO, shape: Format, cluster: str, given: Iterable[Fact], *, header: bool
) -> None:
    if header:
        file.write(shape.header)
    file.writelines(shape.row(cluster, fact) for fact in given)


def _to_parquet(task: Export, out: Path) -> Done:
    part.refuse_leftover(out, resumable=False)
    done = Done()
    with warehouse(out.absolute().parent) as store:
        store.load(EVENTS, done.counted(task.facts()))
        store.write_parquet(EVENTS, part.part_of(out))
    part.finish(out)
    return done
