"""``spoolog sql``: a question in SQL about the log's events and what they add up to.

The tables are told by ``tools.tables`` and kept by ``tools.analytics``; here they are filled as far
as the question names them, and the answer is printed.
"""

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
from msgspec.json import Encoder

import spoolog
from projections.moments import to_text, to_us
from spoolog import History, Point
from tools import output
from tools.analytics import MEMORY_MIB, Answer, Warehouse, check, failures_of_a_query, warehouse
from tools.facts import facts
from tools.options import PointType, data_dir_option, json_option
from tools.tables import EVENTS, JOBS, QUEUES, Table, jobs_in, queues_in

TABLES: Final = (EVENTS, JOBS, QUEUES)
_ROWS_SHOWN: Final = 1_000
_INT_MAX: Final = 1 << 63
_encode = Encoder(decimal_format="number", enc_hook=str).encode


@click.command()
@click.argument("query")
@data_dir_option
@click.option("--at", type=PointType(), help="Events and state up to this position or time.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--memory-mib",
    type=click.IntRange(min=64),
    default=MEMORY_MIB,
    show_default=True,
    help="Memory that DuckDB may use; the rest goes to the directory for temporary files.",
)
@json_option
def sql(
    *,
    query: str,
    data_dir: Path,
    at: Point | None,
    as_csv: bool,
    memory_mib: int,
    as_json: bool,
) -> None:
    """Ask about the log in SQL (DuckDB's): the tables are events, jobs and queues.

    Works beside a running server, reads only, and needs the extra `analytics`. With --json, prints
    a JSON object for each row.
    """
    if as_csv and as_json:
        raise output.Misuse("--csv and --json are two answers")
    history = spoolog.open(data_dir)
    query = check(query, TABLES)
    with warehouse(memory_mib=memory_mib) as store:
        _fill(store, history, at, {table.name for table in TABLES if _names(query, table)})
        store.seal()
        with failures_of_a_query():
            _tell(store.ask(query), as_csv=as_csv, as_json=as_json)


def _names(query: str, table: Table) -> bool:
    return re.search(rf"\b{table.name}\b", query, re.IGNORECASE) is not None


def _fill(store: Warehouse, history: History, at: Point | None, named: set[str]) -> None:
    """Make all tables, and load those that are named, as of one moment."""
    for table in TABLES:
        store.create(table)
    end = at
    if named & {JOBS.name, QUEUES.name}:
        end = Point(position=_fill_state(store, history, at, with_jobs=JOBS.name in named))
    if EVENTS.name in named:
        store.fill(EVENTS, facts(history, "loading", end=end))


def _fill_state(store: Warehouse, history: History, at: Point | None, *, with_jobs: bool) -> int:
    """Load what the log adds up to; give the position it holds for."""
    total = history.last_known
    with output.progress("folding", total) as advance:
        state = history.state(at, lambda position: advance(position, total))
    store.fill(JOBS, jobs_in(state) if with_jobs else ())
    store.fill(QUEUES, queues_in(state))
    return state.position


def _tell(answer: Answer, *, as_csv: bool, as_json: bool) -> None:
    if as_json:
        names = list(_unique(answer.columns))
        with output.to_a_reader():
            for row in answer.rows:
                click.echo(_encode(dict(zip(names, map(_plain, row), strict=True))))
    elif as_csv:
        with output.to_a_reader():
            writer = csv.writer(sys.stdout)
            writer.writerow(answer.columns)
            writer.writerows(map(_cell, row) for row in answer.rows)
    else:
        shown = list(islice(answer.rows, _ROWS_SHOWN))
        more = next(answer.rows, None) is not None
        output.rows("Answer", answer.columns, [[*map(_for_people, row)] for row in shown])
        if more:
            output.note(f"Only the first {_ROWS_SHOWN:,} rows; --csv and --json give all.")


def _unique(names: Iterable[str]) -> Iterator[str]:
    """Give names that differ: a second `id` is `id_2`."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}_{seen[name]}"


def _plain(value: Any) -> Any:
    """Give a value that JSON can hold: times as the API tells them, integers of any size."""
    if isinstance(value, datetime):
        return to_text(to_us(value))
    if isinstance(value, int) and not -_INT_MAX <= value < _INT_MAX:
        return Decimal(value)
    return value


def _cell(value: Any) -> Any:
    """Give a value as text or number; what is neither, as JSON."""
    value = _plain(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    return _encode(value).decode().strip('"')


def _for_people(value: Any) -> Any:
    return value if isinstance(value, bool) else _cell(value)
