"""The story at the top of docs/audit.md, run word for word on a log that real workers made.

A comment `<!-- … -->` between the blocks says what others do meanwhile; only those of `SCENES` exist.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs import payments
from tests.docs.payments import Payments
from tests.docs.session import Shell, blocks, filled, values
from tests.docs.test_examples import assert_like
from tests.faults.real.stage import KEY
from tests.tools.workbench import ROOT

TEXT: Final = (ROOT / "docs" / "audit.md").read_text()
TITLE: Final = "## The night of invoice 4711\n"
STORY: Final = TEXT.partition(TITLE)[2].partition("\n## ")[0]
ADDRESS: Final = "http://127.0.0.1:8080"
SCENES: Final = {
    "worker-1 takes the job": payments.worker_1_pays,
    "the server is stopped": Payments.stop,
}


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Payments]:
    """Give the Monday after, with what the auditor has: the directory, a checkpoint, one file."""
    made = Payments(tmp_path)
    try:
        payments.friday(made)
        payments.monday(made)
        shutil.copy(ROOT / "tools" / "offline.py", tmp_path)
        (tmp_path / "spoolog-data" / "api-key").write_text(KEY)
        yield made
    finally:
        made.close()


def test_the_story_is_true(on: Payments) -> None:
    names: dict[str, str] = {}
    printed, ran = "", 0
    shell = Shell(on.directory)
    try:
        for block in blocks(STORY):
            text = block.text.replace(ADDRESS, on.server.url)
            match block.kind:
                case "stage":
                    SCENES[text](on)
                case "sh":
                    printed, ran = shell.run(filled(text, names)), ran + 1
                case "json":
                    assert_like(json.loads(printed), json.loads(text))
                case _:
                    names = values(text, printed, names)
    finally:
        shell.close()
    assert ran >= 15


def test_no_other_command_hides_in_the_page() -> None:
    assert TEXT.count("```sh") == STORY.count("```sh") > 0
