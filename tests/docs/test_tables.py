"""The columns of exports and queries, as docs/export.md tells them."""

from pathlib import Path

import pytest

from tools.tables import EVENTS, Table

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()


@pytest.mark.parametrize("table", [EVENTS], ids=lambda table: table.name)
def test_every_column_with_its_type(table: Table) -> None:
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| `")]
    told = [(name.strip().strip("`"), kind.strip()) for name, kind in rows]
    start = told.index(next(iter(table.columns.items())))
    assert told[start : start + len(table.columns)] == list(table.columns.items())
