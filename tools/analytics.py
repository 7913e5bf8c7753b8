"""DuckDB as a workbench: tables in a temporary directory, with bounded memory, gone afterwards.

The extra ``analytics`` brings DuckDB; what stands in the tables is told by ``tools.tables``.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from msgspec.json import Encoder

from tools.output import Misuse, Problem
from tools.tables import TIME, Table

if TYPE_CHECKING:
    import duckdb

MEMORY_MIB: Final = 512
_STAGED_BYTES_MAX: Final = 64 * 1024 * 1024
_STAGED_ROWS_MAX: Final = 100_000
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


@contextmanager
def warehouse(beside: Path | None = None, memory_mib: int = MEMORY_MIB) -> Iterator[Warehouse]:
    """Open a warehouse in a temporary directory, `beside` something large where that is known.

    Raises:
        Misuse: DuckDB is not installed.
        Problem: it could not do its work, for want of disk or memory, say.

    """
    try:
        import duckdb  # noqa: PLC0415 - an extra: everything else works without it
    except ImportError as missing:
        raise Misuse(
            "this needs DuckDB, the extra `analytics`: pip install 'spoolog[analytics]'"
        ) from missing
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
