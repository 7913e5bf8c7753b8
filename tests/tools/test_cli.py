import subprocess
import sys
from pathlib import Path

import pytest

from server.settings import VERSION
from tests.tools.workbench import ROOT, leaves, spoolog
from tools.cli import VERBS, main


def test_help_names_every_verb() -> None:
    result = spoolog("--help")
    assert result.exit_code == 0
    assert all(f"  {verb} " in result.output for verb in VERBS)


@pytest.mark.parametrize("path", list(leaves(main)), ids=" ".join)
def test_every_verb_has_help(path: tuple[str, ...]) -> None:
    result = spoolog(*path, "--help")
    assert result.exit_code == 0, result.output
    assert "--json" in result.output or path == ("serve",)


def test_help_loads_no_verb_and_no_http_library() -> None:
    script = (
        "import sys\nfrom tools.cli import main\nmain(['--help'], standalone_mode=False)\n"
        "print([name for name in ('aiohttp', 'tools.serve', 'spooled') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert told.stdout.decode().splitlines()[-1] == "[]"


def test_version() -> None:
    assert VERSION in spoolog("--version").output


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["log", "cat", "--from", "yesterday"],
        ["log", "tail", "--lines", "-1"],
        ["replay", "--url", "http://127.0.0.1:1"],
        ["bench", "create", "--connections", "0"],
    ],
)
def test_wrong_use_exits_2(args: list[str]) -> None:
    assert spoolog(*args).exit_code == 2


@pytest.mark.parametrize(
    "verb",
    [
        ["log", "stat"],
        ["log", "verify"],
        ["log", "tail"],
        ["history", "x"],
        ["replay"],
        ["export", "--format", "jsonl"],
        ["sql", "SELECT 1"],
        ["state", "queues"],
        ["explain", "x"],
    ],
)
def test_directory_without_a_log_exits_2_and_stays_untouched(
    verb: list[str], tmp_path: Path
) -> None:
    result = spoolog(*verb, "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path} holds no log" in result.output
    assert list(tmp_path.iterdir()) == []
