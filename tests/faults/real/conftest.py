"""The ledger of a test, closed whatever comes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.real.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.jsonl")
    yield made
    made.close()
