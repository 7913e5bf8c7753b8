"""DuckDB as a workbench: tables in a temporary directory, with bounded memory, gone afterwards.

The extra ``analytics`` brings DuckDB; what stands in the tables is told by ``tools.tables``.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from msgspec import Struct
from msgspec.json import Encoder

from tools.output import Misuse, Problem
from tools.tables import TIME, Table

if TYPE_CHECKING:
    import duckdb

MEMORY_MIB: Final = 512
_STAGED_BYTES_MAX: Final = 64 * 1024 * 1024
_STAGED_ROWS_MAX: Final = 100_000
_FETCHED_ROWS: Final = 1_000
_ZONED: Final = "TIME ZONE"
_encode = Encoder().encode


class Warehouse:
    """Tables that can be filled and asked."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", directory: Path) -> None:
        self.connection = connection
        self._directory = directory

    def create(self, table: Table) -> None:
        """Make an empty table."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
        self.connection.execute(f"CREATE TABLE {table.name} ({columns})")

    def fill(self, table: Table, things: Iterable[Any]) -> None:
        """Add a row for each thing, many at a time by way of a file."""
        staged = self._directory / "staged.jsonl"
        remaining = iter(things)
        while True:
            with staged.open("wb") as file:
                if not _stage(file, table, remaining):
                    break
            self.connection.execute(_insertion(table), [str(staged)])
        staged.unlink()

    def load(self, table: Table, things: Iterable[Any]) -> None:
        """Make a table with a row for each thing."""
        self.create(table)
        self.fill(table, things)

    def write_parquet(self, table: Table, path: Path) -> None:
        """Write a table to a file."""
        # A time of the table is UTC by agreement only; in the file it says so itself.
        columns = ", ".join(
            f'timezone(\'UTC\', "{name}") AS "{name}"' if kind == TIME else f'"{name}"'
            for name, kind in table.columns.items()
        )
        target = str(path).replace("'", "''")
        self.connection.execute(
            f"COPY (SELECT {columns} FROM {table.name}) TO '{target}'"  # noqa: S608 - our own names
            " (FORMAT parquet, COMPRESSION zstd)"
        )

    def seal(self) -> None:
        """From now on nothing is read or written outside, and no setting can be changed."""
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def ask(self, query: str) -> "Answer":
        """Run a query."""
        found = self.connection.execute(query)
        columns = _columns(found)
        if any(_ZONED in kind for _, kind in columns):
            # Python's side of DuckDB cannot read these without another library; their text it can.
            chosen = ", ".join(
                f"#{number}::VARCHAR" if _ZONED in kind else f"#{number}"
                for number, (_, kind) in enumerate(columns, start=1)
            )
            found = self.connection.execute(f"SELECT {chosen} FROM ({query}\n)")  # noqa: S608
        return Answer([name for name, _ in columns], _rows(found))


class Answer(Struct, frozen=True):
    """What a query gave: the names of its columns, and its rows as they are fetched."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


def check(query: str, tables: Iterable[Table]) -> str:
    """Give a text back as one query that can be run on these tables.

    Raises:
        Misuse: it is none; the message is DuckDB's.

    """
    duckdb = _duckdb()
    kinds = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    try:
        # On empty tables of its own, so that a slip is told before anything was loaded.
        with duckdb.connect() as connection:
            empty = Warehouse(connection, Path())
            for table in tables:
                empty.create(table)
            empty.seal()
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type not in kinds:
                raise Misuse("one query is asked for, such as SELECT * FROM events LIMIT 10")
            text = str(statements[0].query).strip().rstrip(";")
            explained = statements[0].type == duckdb.StatementType.EXPLAIN
            connection.execute(text if explained else f"PREPARE asked AS\n{text}")
    except duckdb.Error as reason:
        raise Misuse(str(reason)) from reason
    return text


@contextmanager
def failures_of_a_query() -> Iterator[None]:
    """Tell what DuckDB objects to while it runs a query as the fault of the query.

    Raises:
        Misuse: the message is DuckDB's.

    """
    try:
        yield
    except _duckdb().Error as reason:
        raise Misuse(str(reason)) from reason


@contextmanager
def warehouse(beside: Path | None = None, memory_mib: int = MEMORY_MIB) -> Iterator[Warehouse]:
    """Open a warehouse in a temporary directory, `beside` something large where that is known.

    Raises:
        Misuse: DuckDB is not installed.
        Problem: it could not do its work, for want of disk or memory, say.

    """
    duckdb = _duckdb()
    with tempfile.TemporaryDirectory(prefix=".spoolog-", dir=beside) as name:
        directory = Path(name)
        config: dict[str, Any] = {
            "memory_limit": f"{memory_mib}MiB",
            "temp_directory": str(directory / "spilled"),
            # Nothing is fetched from anywhere.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            with duckdb.connect(str(directory / "tables.duckdb"), config=config) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield Warehouse(connection, directory)
        except duckdb.Error as reason:
            raise Problem(str(reason)) from reason


def _duckdb() -> ModuleType:
    try:
        import duckdb  # noqa: PLC0415 - an extra: everything else works without it
    except ImportError as missing:
        raise Misuse(
            "this needs DuckDB, the extra `analytics`: pip install 'spoolog[analytics]'"
        ) from missing
    return duckdb


def _columns(found: "duckdb.DuckDBPyConnection") -> list[tuple[str, str]]:
    return [(str(column[0]), str(column[1])) for column in found.description or ()]


def _rows(found: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while fetched := found.fetchmany(_FETCHED_ROWS):
        yield from fetched


def _stage(file: BinaryIO, table: Table, things: Iterator[Any]) -> bool:
    """Write the rows of the next things as lines of JSON; tell whether there were any."""
    names = tuple(table.columns)
    count = 0
    for thing in islice(things, _STAGED_ROWS_MAX):
        file.write(_encode(dict(zip(names, table.row(thing), strict=True))) + b"\n")
        count += 1
        if file.tell() >= _STAGED_BYTES_MAX:
            break
    return count > 0


def _insertion(table: Table) -> str:
    values = ", ".join(
        f'make_timestamp("{name}")' if kind == TIME else f'"{name}"'
        for name, kind in table.columns.items()
    )
    kinds = {name: "BIGINT" if kind == TIME else kind for name, kind in table.columns.items()}
    told = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
    lines = f"read_json(?, format = 'newline_delimited', columns = {{{told}}})"
    return f"INSERT INTO {table.name} SELECT {values} FROM {lines}"  # noqa: S608 - our own names
