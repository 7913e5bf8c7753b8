import hashlib
import importlib.util
import json
import signal
import time
from pathlib import Path

import pytest

from tests.tools.workbench import command, finished, spoolog
from tools.demo.files import Measured, list_files, measure


def test_measure_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\ny = 2\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert measure(path) == Measured(digest, 12, 2, 10)


@pytest.mark.parametrize("content", [b"x = (", b"  x\n y\n", b"# coding: nonsense\n", b"\xff\n"])
def test_what_is_no_python_has_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(content)
    measured = measure(path)
    assert measured.tokens is None
    assert measured.reason
    assert measured.bytes == len(content)


def test_list_files_skips_what_is_installed(tmp_path: Path) -> None:
    for name in ("b.py", "a/c.py", "site-packages/d.py", "a/__pycache__/e.py", "f.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list_files(tmp_path, None) == ["a/c.py", "b.py"]
    assert list_files(tmp_path, 1) == ["a/c.py"]


def a_folder(path: Path, files: int) -> Path:
    path.mkdir()
    for number in range(files):
        text = f"value_{number} = {list(range(number))}\n" * (number + 1)
        (path / f"file_{number:02d}.py").write_text(text if number != 3 else "x = (")
    return path


def test_demo_agrees_with_itself_and_survives_its_crash(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "files", 40)
    keep = tmp_path / "kept"
    args = ("--path", folder, "--workers", 2, "--keep", keep)
    result = spoolog("demo", *args, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    first, second = found["first"], found["second"]
    assert (first["files"], first["files that are no Python"]) == (40, 1)
    assert first["failed and retried"] == 1
    assert (second["jobs in all"], second["jobs completed"]) == (40, 40)
    assert second["jobs created by enqueueing all again"] == 0
    assert second["acknowledged completions missing"] == 0
    assert second["spoolog replay --check --url"] == "the same digest"
    assert first["mismatches"] == second["mismatches"] == 0
    assert spoolog("log", "verify", "--data-dir", keep / "second" / "data").exit_code == 0
    assert spoolog("demo", *args).exit_code == 2  # kept data is not overwritten


def read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended meanwhile
        return ""


def test_demo_ends_its_processes_when_it_is_ended(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "files", 40)
    keep = tmp_path / "kept"
    with command("demo", "--path", folder, "--keep", keep) as process:
        deadline = time.monotonic() + 30
        while not list(keep.glob("first/*.acknowledged")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        finished(process, after=signal.SIGTERM)
        assert process.returncode == 128 + signal.SIGTERM
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(keep) in read_text(path)]
    assert left == []
    start = ("serve", "--port", 0, "--data-dir", keep / "first" / "data")
    with command(*start) as again:  # the server is gone as well where there is no /proc
        assert again.stdout is not None
        assert again.stdout.readline().startswith("listening on ")
        finished(again, after=signal.SIGTERM)


def test_demo_without_files_or_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = spoolog("demo", "--path", tmp_path)
    assert result.exit_code == 2
    assert "no Python file" in result.stderr
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = spoolog("demo")
    assert result.exit_code == 2
    assert "spoolog[demo]" in result.stderr
