import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog import Reader, verify
from projections.digest import digest
from spoolog.folding import fold_log
from tests.eventlog.test_kill import APPENDER
from tests.tools.workbench import ROOT, command, finished, server, spoolog, write_story


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    await write_story(tmp_path / "data", segment_bytes_max=500)
    (tmp_path / "data" / "api-key").write_text("sp_live_x\n")
    return tmp_path / "data"


def archive(data_dir: Path, target: Path, *args: str) -> dict[str, object]:
    result = spoolog("log", "archive", "--data-dir", data_dir, "--to", target, "--json", *args)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_backup_tells_what_it_did_and_folds_to_the_same_state(data_dir: Path) -> None:
    target = data_dir.parent / "backup"
    first = archive(data_dir, target)
    assert first["position"] == verify(data_dir).last
    assert first["chain"] == verify(target).chain_hex
    assert first["bytes_copied"] == verify(target).bytes
    assert (target / "api-key").stat().st_mode & 0o777 == 0o600
    again = archive(data_dir, target, "--check")
    assert (again["segments_copied"], again["bytes_copied"]) == (0, 0)
    assert again["segments_kept"] == first["segments_copied"]
    states = [fold_log(Reader(directory)).state for directory in (data_dir, target)]
    assert digest(states[0]) == digest(states[1])
    told = spoolog("log", "archive", "--data-dir", data_dir, "--to", target)
    assert "Backup made" in told.stdout


def test_refusals_have_exit_codes(data_dir: Path) -> None:
    inside = spoolog("log", "archive", "--data-dir", data_dir, "--to", data_dir / "backup")
    assert (inside.exit_code, "data directory itself" in inside.output) == (2, True)
    target = data_dir.parent / "backup"
    archive(data_dir, target)
    with server(target) as (child, _):
        held = spoolog("log", "archive", "--data-dir", data_dir, "--to", target)
        assert (held.exit_code, f"pid {child.process.pid}" in held.output) == (2, True)
    served = spoolog("log", "archive", "--data-dir", data_dir, "--to", target)
    assert (served.exit_code, "another directory" in served.output) == (2, True)
    segment = max((data_dir / "log").iterdir())
    segment.chmod(0o640)
    segment.write_bytes(segment.read_bytes().replace(b"job", b"jab", 1))
    damaged = spoolog("log", "archive", "--data-dir", data_dir, "--to", data_dir.parent / "new")
    assert (damaged.exit_code, str(segment) in damaged.output) == (1, True)
    shutil.rmtree(data_dir.parent / "new")
    (data_dir.parent / "new").write_bytes(b"a file")
    assert spoolog("log", "archive", "--data-dir", data_dir, "--to", "/dev/null/x").exit_code == 1


@pytest.mark.parametrize("seed", range(4))
def test_killed_in_the_middle_it_is_sound_and_goes_on(seed: int, tmp_path: Path) -> None:
    """SIGKILL after a random number of file calls: the copy is a log of an earlier position."""
    source, target = tmp_path / "data", tmp_path / "backup"
    with subprocess.Popen(
        [sys.executable, str(APPENDER), str(source)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    ) as writer:
        assert writer.stdout is not None
        for _ in range(500):
            writer.stdout.readline()
        writer.kill()
        writer.stdout.read()
    last = verify(source).last
    dice = random.Random(seed)
    held = 0
    for _ in range(3):
        script = KILLED_AFTER.format(calls=dice.randrange(1, 60), source=source, target=target)
        ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
        assert ended.returncode in (-signal.SIGKILL, 0)
        if (target / "meta.json").exists():
            assert held <= verify(target).last <= last
            held = verify(target).last
    assert archive(source, target)["position"] == verify(target).last == last
    assert not list((target / "log").glob("*.tmp"))


KILLED_AFTER = """
import os, signal
from eventlog.disk import OsDisk
left = {calls}
def counted(call):
    def count(self, *args):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(self, *args)
    return count
for name in ("create", "write", "sync_file", "rename", "sync_directory", "unlink", "protect"):
    setattr(OsDisk, name, counted(getattr(OsDisk, name)))
from tools.cli import main
main(["log", "archive", "--data-dir", "{source}", "--to", "{target}"])
"""


def test_sigkill_at_any_time(tmp_path: Path, data_dir: Path) -> None:
    target = tmp_path / "backup"
    for _ in range(3):
        with command("log", "archive", "--data-dir", data_dir, "--to", target) as process:
            while process.poll() is None and not (target / "LOCK").exists():
                pass
            finished(process, after=signal.SIGKILL)
        (target / "LOCK").unlink(missing_ok=True)
        if (target / "meta.json").exists():
            verify(target)
    assert archive(data_dir, target)["position"] == verify(target).last == verify(data_dir).last
