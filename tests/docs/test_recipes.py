"""The commands of docs/operating.md that handle data, run word for word beside a real server."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from eventlog import verify
from tests.tools.workbench import ROOT, ask, server

TEXT: Final = (ROOT / "docs" / "operating.md").read_text()
SERVE: Final = "spoolog serve --data-dir spoolog-data"


def blocks(section: str) -> list[str]:
    """Give the shell blocks of a section."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(script: str, directory: Path) -> str:
    """Run lines of shell that name the command by itself."""
    named = f'spoolog() {{ "{sys.executable}" -m tools.cli "$@"; }}\nset -e\n{script}'
    ended = subprocess.run(
        ["bash", "-c", named],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_reading_the_past(tmp_path: Path) -> None:
    look, fork = (
        block.replace("2026-06-01T12:00:00Z", "3") for block in blocks("Reading the past")
    )
    with server(tmp_path / "spoolog-data") as (_, url):
        made = ask(url, "POST", "/jobs", {"queue_name": "emails", "payload": 1})[1]
        told = run(look.replace("JOB_ID", made["id"]), tmp_path)
        assert told.count("position 3") == 4
        before, last_line = fork.rstrip().rsplit("\n", 1)
        assert last_line == "spoolog serve --data-dir then --port 8081"
        assert "Sound" in run(before, tmp_path)
    with server(tmp_path / "then") as (_, url):
        assert ask(url, "GET", f"/jobs/{made['id']}")[1]["status"] == "pending"


def test_backup_and_restore(tmp_path: Path) -> None:
    backup, restore = blocks("Backup and restore")
    with server(tmp_path / "spoolog-data"):
        assert run(backup, tmp_path).count("Backup made") == 3
    before, last_line = restore.rstrip().rsplit("\n", 1)
    assert last_line == SERVE
    assert "Sound" in run(before, tmp_path)
    held = verify(tmp_path / "backup").last
    assert held >= 2
    with server(tmp_path / "spoolog-data") as (child, _):
        child.check()
    assert verify(tmp_path / "spoolog-data").last > held


def test_repair(tmp_path: Path) -> None:
    look, _, cut = blocks("Repair")
    data_dir = tmp_path / "spoolog-data"
    with server(data_dir):
        pass
    (segment,) = (data_dir / "log").iterdir()
    segment.chmod(0o640)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:2], b"rotten\n", *lines[3:]]))
    with pytest.raises(AssertionError, match="record 2 is damaged"):
        run(look, tmp_path)
    before, last_line = cut.replace("POSITION", "2").rstrip().rsplit("\n", 1)
    assert last_line == SERVE
    told = run(before, tmp_path)
    assert "Repaired" in told
    assert "bad disk" in told
    with server(data_dir) as (child, _):
        child.check()
    assert verify(data_dir).last > 1


def test_history_is_dropped(tmp_path: Path) -> None:
    _, drop, _ = blocks("Repair")
    data_dir = tmp_path / "spoolog-data"
    for _ in range(2):
        with server(data_dir):
            pass
    assert "position" in run("spoolog snapshot --data-dir spoolog-data", tmp_path).lower()
    first, second = sorted((data_dir / "log").iterdir())
    first.chmod(0o640)
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join([*lines[:2], b"rotten\n", *lines[3:]]))
    before, last_line = drop.replace("POSITION", str(int(second.stem))).rstrip().rsplit("\n", 1)
    assert last_line == SERVE
    told = run(before, tmp_path)
    assert "Repaired" in told
    assert "bad disk" in told
    with server(data_dir) as (child, _):
        child.check()
    assert verify(data_dir).first == int(second.stem)
