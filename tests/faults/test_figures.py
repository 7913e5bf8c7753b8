"""Reports of several suites come together in one file, the newest of each."""

from pathlib import Path

import msgspec
import pytest

from tests.faults.figures import report


def test_reports_are_printed_and_come_together_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    monkeypatch.setenv("SPOOLOG_FIGURES", str(path))
    report("power loss", states=1, seconds=0.5)
    report("simulation", seeds=3, first="a")
    report("power loss", states=2)
    assert msgspec.json.decode(path.read_bytes()) == {
        "power loss": {"states": 2},
        "simulation": {"seeds": 3, "first": "a"},
    }
    assert "[power loss] states=1, seconds=0.5" in capsys.readouterr().out


def test_without_the_variable_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPOOLOG_FIGURES", raising=False)
    monkeypatch.chdir(tmp_path)
    report("power loss", states=1)
    assert list(tmp_path.iterdir()) == []
