"""The columns of exports and queries, as docs/export.md tells them."""

from pathlib import Path

import pytest

from tools.tables import EVENTS, JOBS, QUEUES, Table

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()


@pytest.mark.parametrize("table", [EVENTS, JOBS, QUEUES], ids=lambda table: table.name)
def test_every_column_with_its_type(table: Table) -> None:
    page = PAGE if table is EVENTS else PAGE.partition(f"\n`{table.name}`:\n")[2]
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    told = [(name.strip().strip("`"), kind.strip()) for name, kind in rows]
    assert told[: len(table.columns)] == list(table.columns.items())
