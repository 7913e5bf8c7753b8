"""The examples of docs/reading.md, run one after the other on a small log."""

import re
from pathlib import Path
from typing import Final

import pytest

import spoolog
from tests.tools.workbench import write_story

TEXT: Final = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


async def test_every_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    story = await write_story(tmp_path / "spoolog-data")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/reading.md", "exec"), names)
    told = capsys.readouterr().out
    assert f"story 1 {story.last}" in told
    assert "key_ann req-1 job-000002" in told
    assert "{'w1'}" in told
    assert TEXT.count("```") == 2 * len(BLOCKS)


def test_every_filter_and_error_is_told() -> None:
    for name in spoolog.Filters.__annotations__:
        assert f"`{name}`" in TEXT
    for name in spoolog.__all__:
        if isinstance(kind := getattr(spoolog, name), type) and issubclass(kind, Exception):
            assert f"| `spoolog.{name}` |" in TEXT
