import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from eventlog import LogDamaged, Reader, SnapshotStore, verify
from projections.digest import digest
from projections.events import decode
from projections.fold import refold
from spoolog import restore
from tests.tools.workbench import ROOT, server, spoolog, write_story


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    await write_story(tmp_path / "data", segment_bytes_max=500)
    return tmp_path / "data"


def repair(data_dir: Path, *args: object) -> Result:
    return spoolog("log", "repair", "--data-dir", data_dir, *args)


def segments(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "log").iterdir())


def harm(path: Path) -> None:
    """Change a byte of the first record of a segment."""
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 90] ^= 1
    path.write_bytes(data)


def content(data_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(data_dir)): path.read_bytes()
        for path in data_dir.rglob("*")
        if path.is_file() and path.name not in {"LOCK", "KEEPING"}
    }


def test_sound_log_needs_none(data_dir: Path) -> None:
    before = content(data_dir)
    found = repair(data_dir)
    assert (found.exit_code, "nothing to repair" in found.stdout) == (0, True)
    assert json.loads(repair(data_dir, "--json").stdout)["ok"] is True
    cut = repair(data_dir, "--cut-at", 3, "--accept-data-loss")
    assert (cut.exit_code, "sound" in cut.output) == (2, True)
    assert content(data_dir) == before


def test_diagnosis_names_the_place_and_what_helps(data_dir: Path) -> None:
    path = segments(data_dir)[1]
    position, last = int(path.stem), verify(data_dir).last
    whole = data_dir.parent / "BACKUP"
    shutil.copytree(data_dir, whole)
    harm(path)
    before = content(data_dir)
    found = repair(data_dir)
    assert found.exit_code == 1
    assert f"{path} byte " in found.output
    assert f"{position} to {last}" in found.stdout
    assert content(data_dir) == before
    told = json.loads(repair(data_dir, "--json").stdout)
    assert (told["ok"], told["file"], told["position"]) == (False, str(path), position)
    restore, cut = (one["command"] for one in told["helps"])
    assert cut in found.stdout
    subprocess.run(["sh", "-c", restore], cwd=data_dir.parent, check=True)
    assert repair(data_dir).exit_code == 0
    harm(path)
    assert spoolog(*shlex.split(cut)[1:]).exit_code == 0
    assert verify(data_dir).last == position - 1


def test_cut_is_told_and_stays_on_record(data_dir: Path) -> None:
    path = segments(data_dir)[1]
    position, last = int(path.stem), verify(data_dir).last
    harm(path)
    before = content(data_dir)
    unsaid = repair(data_dir, "--cut-at", position)
    assert (unsaid.exit_code, "--accept-data-loss" in unsaid.output) == (2, True)
    elsewhere = repair(data_dir, "--cut-at", position + 1, "--accept-data-loss")
    assert (elsewhere.exit_code, f"is {position}" in elsewhere.output) == (2, True)
    assert content(data_dir) == before
    made = json.loads(
        repair(
            data_dir, "--cut-at", position, "--accept-data-loss", "--reason", "bad disk", "--json"
        ).stdout
    )
    assert (made["last"], made["records_lost"]) == (position - 1, last - position + 1)
    kept = {Path(name).read_bytes() for name in made["quarantine"]}
    assert kept == {data for name, data in before.items() if name >= f"log/{path.name}"} - {
        before["meta.json"]
    }
    noted = json.loads((data_dir / "repairs.log").read_text())
    assert (noted["position"], noted["reason"]) == (position, "bad disk")
    assert noted["user"]
    for verb in ("stat", "verify"):
        shown = spoolog("log", verb, "--data-dir", data_dir)
        assert (shown.exit_code, "bad disk" in shown.stdout) == (0, True)
    backup = data_dir.parent / "backup"
    assert spoolog("log", "archive", "--data-dir", data_dir, "--to", backup).exit_code == 0
    assert (backup / "repairs.log").read_bytes() == (data_dir / "repairs.log").read_bytes()
    with server(data_dir):
        held = repair(data_dir)
        assert (held.exit_code, "in use" in held.output) == (2, True)
    assert verify(data_dir).last > position - 1


@pytest.mark.parametrize("calls", [1, 4, 7, 10, 13, 16])
def test_sigkill_in_the_middle_and_again(calls: int, data_dir: Path) -> None:
    path = segments(data_dir)[1]
    harm(path)
    words = ["log", "repair", "--data-dir", str(data_dir), "--cut-at", str(int(path.stem))]
    script = KILLED_AFTER.format(calls=calls, words=[*words, "--accept-data-loss"])
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    if repair(data_dir).exit_code:
        assert spoolog(*words, "--accept-data-loss").exit_code == 0
    assert verify(data_dir).last == int(path.stem) - 1
    assert len((data_dir / "repairs.log").read_text().splitlines()) == 1


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
for name in ("create", "write", "sync_file", "rename", "sync_directory", "sync_path"):
    setattr(OsDisk, name, counted(getattr(OsDisk, name)))
from tools.cli import main
main({words})
"""


def state_of(data_dir: Path) -> str:
    """Give the digest of the state that a start comes to."""
    reader = Reader(data_dir)
    store = SnapshotStore(data_dir, reader.identity.cluster)
    restored = restore.newest(store, reader.state_after, last=verify(data_dir).last)
    for batch in reader.entries(restored.state.position):
        for position, body in batch:
            refold(restored.state, decode(position, body))
    return digest(restored.state)


def test_history_that_a_snapshot_covers_is_dropped_and_the_state_is_served(data_dir: Path) -> None:
    assert spoolog("snapshot", "--data-dir", data_dir).exit_code == 0
    before, last = state_of(data_dir), verify(data_dir).last
    path, behind = segments(data_dir)[0:2]
    harm(path)
    with pytest.raises(LogDamaged):
        verify(data_dir)
    shown = repair(data_dir)
    told = json.loads(repair(data_dir, "--json").stdout)
    _, drop, cut = told["helps"]
    first = int(behind.stem)
    assert f"--drop-before {first} " in drop["command"]
    assert f"records, 1 to {first - 1} " in drop["loses"]
    assert f"--cut-at {told['position']} " in cut["command"]
    assert shown.stdout.index("--drop-before") < shown.stdout.index("--cut-at")
    held = content(data_dir)
    for words in (["--drop-before", first], ["--drop-before", first, "--cut-at", 1]):
        assert repair(data_dir, *words).exit_code == 2
    other = repair(data_dir, "--drop-before", first + 1, "--accept-data-loss")
    assert (other.exit_code, f"ends before {first}" in other.output) == (2, True)
    assert content(data_dir) == held
    made = spoolog(*shlex.split(drop["command"])[1:], "--reason", "bad disk", "--json")
    found = json.loads(made.stdout)
    assert (found["first"], found["last"], found["records_lost"]) == (first, last, first - 1)
    assert held[f"log/{path.name}"] in {Path(name).read_bytes() for name in found["quarantine"]}
    assert "history only" in spoolog("log", "stat", "--data-dir", data_dir).stdout
    assert state_of(data_dir) == before
    with server(data_dir):
        pass
    assert verify(data_dir).last > last


@pytest.mark.parametrize("calls", [1, 4, 7, 8, 9, 10, 11, 12])
def test_sigkill_while_history_is_dropped_and_again(calls: int, data_dir: Path) -> None:
    assert spoolog("snapshot", "--data-dir", data_dir).exit_code == 0
    before, last = state_of(data_dir), verify(data_dir).last
    path, behind = segments(data_dir)[0:2]
    harm(path)
    damaged = path.read_bytes()
    words = ["log", "repair", "--data-dir", str(data_dir), "--drop-before", str(int(behind.stem))]
    words.append("--accept-data-loss")
    script = KILLED_AFTER.format(calls=calls, words=words)
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    state = repair(data_dir, "--json")
    if state.exit_code or json.loads(state.stdout)["unfinished_repair"]:
        assert spoolog(*words).exit_code == 0
    assert json.loads(repair(data_dir, "--json").stdout)["unfinished_repair"] is None
    assert (state_of(data_dir), verify(data_dir).last) == (before, last)
    assert [kept.read_bytes() for kept in (data_dir / "quarantine").iterdir()] == [damaged]
    assert len((data_dir / "repairs.log").read_text().splitlines()) == 1
