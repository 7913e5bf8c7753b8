"""Checkpoints and proofs as verbs: what they write, what they refuse, and how they end."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eventlog.checkpoint import parse_note, parse_verifier, verify_note
from eventlog.directory import Home, keeping
from eventlog.disk import OsDisk
from projections.moments import to_text
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME
from tests.eventlog.rewriting import rewritten
from tests.tools.workbench import ROOT, ask, server, spoolog, write_story
from tools import checkpoint as verb

OFFLINE = ROOT / "tools" / "offline.py"


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path / "data", segment_bytes_max=500)
    told.data_dir = tmp_path / "data"
    told.beside = tmp_path
    return told


def signed(story: SimpleNamespace, *args: object, name: str | None = None) -> dict[str, Any]:
    out = ["--out", story.beside / name] if name else []
    result = spoolog("log", "checkpoint", "--json", "--data-dir", story.data_dir, *out, *args)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def compared(story: SimpleNamespace, name: str, *args: object) -> Any:
    path = story.beside / name
    return spoolog("log", "verify", "--data-dir", story.data_dir, "--checkpoint", path, *args)


def offline(vkey: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Check without a line of the product, from a directory that has none of it."""
    return subprocess.run(
        [sys.executable, "-I", OFFLINE, vkey, *paths],
        cwd=paths[0].parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_checkpoint_says_what_the_log_holds(story: SimpleNamespace) -> None:
    found = signed(story)
    note = parse_note(found["checkpoint"])
    assert (found["records"], note.checkpoint.size) == (story.last, story.last)
    assert found["origin"] == note.checkpoint.origin == "spoolog/story"
    assert verify_note(note, [parse_verifier(found["verifier_key"])])
    plain = spoolog("log", "checkpoint", "--data-dir", story.data_dir)
    assert plain.stdout == found["checkpoint"]
    assert f"verifier key: {found['verifier_key']}" in plain.stderr


def test_key_is_made_once_for_its_owner_only(story: SimpleNamespace) -> None:
    first, second = signed(story), signed(story)
    assert [first["key_is_new"], second["key_is_new"]] == [True, False]
    assert first["verifier_key"] == second["verifier_key"]
    path = story.data_dir / "checkpoint-key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert first["key_file"] == str(path)
    elsewhere = story.beside / "key"
    third = signed(story, "--key", elsewhere)
    assert third["verifier_key"] != first["verifier_key"]
    assert elsewhere.stat().st_mode & 0o777 == 0o600


def test_keys_of_others_are_refused(story: SimpleNamespace) -> None:
    key = story.beside / "key"
    for text in ("", "no key\n", signed(story)["verifier_key"]):
        key.write_text(text)
        result = spoolog("log", "checkpoint", "--data-dir", story.data_dir, "--key", key)
        assert result.exit_code == 2
        assert key.read_text() == text
    other = (story.data_dir / "checkpoint-key").read_text()
    meta = story.data_dir / "meta.json"
    meta.write_text(meta.read_text().replace("story", "other"))
    key.write_text(other)
    assert spoolog("log", "checkpoint", "--data-dir", story.data_dir, "--key", key).exit_code


def test_at_a_position_or_a_time(story: SimpleNamespace) -> None:
    assert signed(story, "--at", 3)["records"] == 3
    assert signed(story, "--at", to_text(story.start_us + 3_500_000))["records"] == 4
    for at in (0, story.last + 1):
        result = spoolog("log", "checkpoint", "--data-dir", story.data_dir, "--at", at)
        assert result.exit_code == 2
        assert f"{story.last} are known to be synced" in result.stderr


def test_out_is_replaced_only_by_what_goes_on_from_it(story: SimpleNamespace) -> None:
    older = story.beside / "older"
    shutil.copytree(story.data_dir, older)
    assert signed(story, "--at", 3, name="c")["records"] == 3
    assert signed(story, name="c")["records"] == story.last
    kept = (story.beside / "c").read_text()
    result = spoolog(
        "log", "checkpoint", "--data-dir", story.data_dir, "--at", 3, "--out", story.beside / "c"
    )
    assert result.exit_code == 1
    assert "was left as it is" in result.stderr
    rewrite(story.data_dir, b"bob", b"bab")
    result = spoolog("log", "checkpoint", "--data-dir", story.data_dir, "--out", story.beside / "c")
    assert result.exit_code == 1
    assert "the log is not what the checkpoint there was made of" in result.stderr
    assert (story.beside / "c").read_text() == kept


def rewrite(data_dir: Path, old: bytes, new: bytes) -> None:
    """Write another past that verify alone finds sound."""
    disk = MemoryDisk()
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    for path in files:
        disk.put(HOME.directory / path.relative_to(data_dir), path.read_bytes())
    other = rewritten(
        disk, lambda told: [[body.replace(old, new) for body in one] for one in told], "story"
    )
    for path, data in other.content().items():
        target = data_dir / path.relative_to(HOME.directory)
        target.unlink(missing_ok=True)
        target.write_bytes(data)


def test_verify_with_a_checkpoint(story: SimpleNamespace) -> None:
    found = signed(story, "--at", 5, name="c")
    vkey = found["verifier_key"]
    told = json.loads(compared(story, "c", "--key", vkey, "--json").stdout)
    assert (told["extends_checkpoint"], told["signed_with"]) == (5, vkey)
    assert "not checked" in compared(story, "c").stdout
    stranger = signed(story, "--key", story.beside / "key")["verifier_key"]
    result = compared(story, "c", "--key", stranger)
    assert result.exit_code == 1
    assert "signed by none of the keys" in result.stderr
    assert compared(story, "missing").exit_code == 2
    assert spoolog("log", "verify", "--data-dir", story.data_dir, "--key", vkey).exit_code == 2


def test_verify_catches_a_log_that_was_rewritten(story: SimpleNamespace) -> None:
    signed(story, name="c")
    rewrite(story.data_dir, b"bob", b"bab")
    assert spoolog("log", "verify", "--data-dir", story.data_dir).exit_code == 0
    result = compared(story, "c", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False
    assert "the first that differs is one of 1 to 3" in result.stderr


def test_verify_catches_a_log_that_was_put_back(story: SimpleNamespace) -> None:
    older = story.beside / "older"
    result = spoolog("log", "fork", "--data-dir", story.data_dir, "--at", 4, "--to", older)
    assert result.exit_code == 0
    signed(story, name="c")
    shutil.rmtree(story.data_dir)
    older.rename(story.data_dir)
    result = compared(story, "c")
    assert result.exit_code == 1
    assert f"the log ends at record 4, the checkpoint was made of {story.last}" in result.stderr


def test_proofs_are_written_and_checked_twice(story: SimpleNamespace) -> None:
    signed(story, "--at", 5, name="old")
    vkey = signed(story, name="new")["verifier_key"]
    record, growth = story.beside / "record.tlog-proof", story.beside / "growth"
    data = ("--data-dir", story.data_dir)
    made = [
        spoolog(
            "prove", "inclusion", 2, *data, "--checkpoint", story.beside / "new", "--out", record
        ),
        spoolog(
            "prove",
            "consistency",
            story.beside / "old",
            story.beside / "new",
            *data,
            "--out",
            growth,
        ),
    ]
    assert [one.exit_code for one in made] == [0, 0]
    shutil.rmtree(story.data_dir)
    files = (record, growth, story.beside / "new")
    result = spoolog("prove", "check", *files, "--key", vkey, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [one["kind"] for one in told] == ["inclusion", "consistency", "checkpoint"]
    assert story.sms in told[0]["record"]
    assert (told[1]["old_records"], told[1]["records"]) == (5, story.last)
    ended = offline(vkey, *files)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"record 2 of {story.last} in spoolog/story" in ended.stdout
    text = record.read_text()
    record.write_text(text.replace("index 1", "index 0"))
    result = spoolog("prove", "check", *files, "--key", vkey)
    assert result.exit_code == 1
    assert "DOES NOT HOLD" in result.stdout
    assert f"not proven: {record}" in result.stderr
    assert offline(vkey, *files).returncode == 1


def test_proof_without_a_checkpoint_makes_one(story: SimpleNamespace) -> None:
    proof = spoolog("prove", "inclusion", story.last, "--data-dir", story.data_dir)
    assert proof.exit_code == 0
    path = story.beside / "proof"
    path.write_text(proof.stdout)
    again = spoolog("prove", "inclusion", story.last, "--data-dir", story.data_dir, "--json")
    assert json.loads(again.stdout) == {"proof": proof.stdout, "out": None}
    vkey = signed(story)["verifier_key"]
    assert spoolog("prove", "check", path, "--key", vkey).exit_code == 0


def test_what_cannot_be_proven_is_refused(story: SimpleNamespace) -> None:
    signed(story, "--at", 5, name="old")
    vkey = signed(story, name="new")["verifier_key"]
    old, new, data = story.beside / "old", story.beside / "new", ("--data-dir", story.data_dir)
    assert spoolog("prove", "inclusion", 6, *data, "--checkpoint", old).exit_code == 2
    assert spoolog("prove", "consistency", new, old, *data).exit_code == 2
    assert spoolog("prove", "check", old).exit_code == 2
    assert spoolog("prove", "check", story.beside / "gone", "--key", vkey).exit_code == 1
    rewrite(story.data_dir, b"bob", b"bab")
    for refused in (
        spoolog("prove", "inclusion", 2, *data, "--checkpoint", new),
        spoolog("prove", "consistency", old, new, *data),
    ):
        assert refused.exit_code == 1
        assert "log verify --checkpoint" in refused.stderr


def test_checkpoints_give_way_to_another_verb(
    story: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "WAIT_SECS", 0.0)
    with keeping(OsDisk(), Home(story.data_dir), "pid 4711 on host h"):
        result = spoolog("log", "checkpoint", "--data-dir", story.data_dir)
    assert result.exit_code == 2
    assert "in use by another process (pid 4711 on host h)" in result.stderr
    assert not (story.data_dir / "checkpoint-key").exists()


def test_no_proof_is_made_of_a_log_that_was_put_back(story: SimpleNamespace) -> None:
    signed(story, "--at", 3, name="old")
    signed(story, name="new")
    back = story.beside / "back"
    data = ("--data-dir", story.data_dir)
    assert spoolog("log", "fork", *data, "--at", 4, "--to", back).exit_code == 0
    old, new, data = story.beside / "old", story.beside / "new", ("--data-dir", back)
    for refused in (
        spoolog("prove", "inclusion", 2, *data, "--checkpoint", new),
        spoolog("prove", "inclusion", 6, *data, "--checkpoint", new),
        spoolog("prove", "consistency", old, new, *data),
    ):
        assert refused.exit_code == 1, refused.output
        assert "known to reach to record 4, the checkpoint was made of" in refused.stderr
    assert spoolog("prove", "inclusion", 2, *data, "--checkpoint", old).exit_code == 0


@pytest.mark.parametrize("content", [b"", b"\xff\0", "directory", "half", "nowhere"])
def test_a_key_that_is_none_is_told(story: SimpleNamespace, content: bytes | str) -> None:
    key = story.data_dir / "checkpoint-key"
    args: tuple[object, ...] = ("log", "checkpoint", "--data-dir", story.data_dir)
    if isinstance(content, bytes):
        key.write_bytes(content)
    elif content == "directory":
        key.mkdir()
    elif content == "half":
        assert spoolog(*args).exit_code == 0
        key.write_bytes(key.read_bytes()[:-9])
    else:
        key = story.beside / "nowhere" / "key"
        args = (*args, "--key", key)
    result = spoolog(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(key) in result.stderr


def test_nothing_is_signed_when_the_hashes_cannot_be_kept(story: SimpleNamespace) -> None:
    (story.data_dir / "TREE.tmp").mkdir()
    out = story.beside / "c"
    result = spoolog("log", "checkpoint", "--data-dir", story.data_dir, "--out", out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was signed" in result.stderr
    assert not out.exists()


def test_a_directory_without_a_log_stays_as_it_is(tmp_path: Path) -> None:
    assert spoolog("log", "checkpoint", "--data-dir", tmp_path).exit_code == 2
    assert [*tmp_path.iterdir()] == []


def test_key_goes_into_a_backup_and_not_into_a_fork(story: SimpleNamespace) -> None:
    found = signed(story, "--at", 5, name="c")
    backup, fork = story.beside / "backup", story.beside / "fork"
    data = ("--data-dir", story.data_dir)
    assert spoolog("log", "archive", *data, "--to", backup).exit_code == 0
    assert spoolog("log", "fork", *data, "--at", 6, "--to", fork).exit_code == 0
    assert (backup / "checkpoint-key").stat().st_mode & 0o777 == 0o600
    assert not (fork / "checkpoint-key").exists()
    for story.data_dir in (backup, fork):
        assert compared(story, "c", "--key", found["verifier_key"]).exit_code == 0


def test_snapshot_keeps_the_hashes(story: SimpleNamespace) -> None:
    result = spoolog("snapshot", "--json", "--data-dir", story.data_dir)
    assert json.loads(result.stdout)["hashed"] == story.last
    assert (story.data_dir / "TREE").exists()


def test_beside_a_server(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    story = SimpleNamespace(data_dir=data_dir, beside=tmp_path)
    with server(data_dir) as (_, url):
        sizes = []
        for _ in range(3):
            ask(url, "POST", "/jobs", {"queue_name": "emails", "payload": 1})
            sizes.append(signed(story, name="c")["records"])
            assert compared(story, "c").exit_code == 0
    assert sizes == sorted(set(sizes))
    assert compared(story, "c").exit_code == 0
    assert signed(story, name="c")["records"] >= sizes[-1]
