"""A fork is a data directory that ends in the past, sound, and served from there."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eventlog import Reader, verify
from projections.digest import digest
from spoolog.folding import fold_at, fold_log
from spoolog.point import Point
from tests.tools.workbench import ask, server, spoolog, write_story


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path / "data", segment_bytes_max=500)
    told.data_dir = tmp_path / "data"
    told.to = tmp_path / "fork"
    for name in ("api-key", "secret"):
        (told.data_dir / name).write_text("5e" * 32 + "\n")
        (told.data_dir / name).chmod(0o600)
    return told


def fork(story: SimpleNamespace, at: object) -> Any:
    args = ("log", "fork", "--data-dir", story.data_dir, "--at", at, "--to", story.to, "--json")
    result = spoolog(*args)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def content(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("compressed", [False, True])
async def test_it_ends_at_any_record(story: SimpleNamespace, *, compressed: bool) -> None:
    if compressed:
        done = spoolog("log", "compress", "--keep", 0, "--data-dir", story.data_dir)
        assert done.exit_code == 0
    before = content(story.data_dir)
    for position in range(1, story.last + 1):
        made = fork(story, position)
        sound = verify(story.to)
        assert made["position"] == sound.last == sound.mark == position
        assert made["chain"] == sound.chain_hex
        expected = fold_at(Reader(story.data_dir), Point(position=position)).state
        assert digest(fold_log(Reader(story.to)).state) == digest(expected)
        for name in ("api-key", "secret"):
            assert (story.to / name).read_bytes() == (story.data_dir / name).read_bytes()
            assert (story.to / name).stat().st_mode & 0o777 == 0o600
        shutil.rmtree(story.to)
    assert content(story.data_dir) == before
    assert fork(story, 1_000)["position"] == story.last


async def test_a_time_is_the_last_record_by_then(story: SimpleNamespace) -> None:
    assert fork(story, "2026-11-23T19:15:00Z")["position"] == 5
    shutil.rmtree(story.to)
    assert fork(story, "2026-11-23T19:14:20Z")["position"] == 5


def test_a_server_goes_on_from_there(tmp_path: Path) -> None:
    data_dir, to = tmp_path / "data", tmp_path / "fork"
    with server(data_dir) as (_, url):
        job_id = ask(url, "POST", "/jobs", {"queue_name": "q", "payload": 1})[1]["id"]
        position = ask(url, "GET", f"/jobs/{job_id}")[1]["position"]
        assert ask(url, "POST", f"/jobs/{job_id}/cancel", {})[0] == 200
        later = ask(url, "POST", "/jobs", {"queue_name": "q", "payload": 2})[1]["id"]
        args = ("log", "fork", "--data-dir", data_dir, "--at", position, "--to", to)
        assert "Fork made" in spoolog(*args).stdout
    assert spoolog("log", "verify", "--data-dir", to).exit_code == 0
    with server(to) as (_, url):
        assert ask(url, "GET", f"/jobs/{job_id}")[1]["status"] == "pending"
        assert ask(url, "GET", f"/jobs/{later}")[0] == 404
        claimed = ask(url, "POST", "/jobs/claim", {"queue_name": "q", "worker_id": "w"})[1]
        assert [one["id"] for one in claimed["jobs"]] == [job_id]
    assert verify(to).last > position
    assert spoolog("log", "archive", "--data-dir", to, "--to", data_dir).exit_code == 2


async def test_it_comes_with_the_newest_snapshot_not_behind_it(story: SimpleNamespace) -> None:
    data_dir = story.data_dir
    assert spoolog("snapshot", "--data-dir", data_dir).exit_code == 0
    with server(data_dir):
        pass
    assert spoolog("snapshot", "--data-dir", data_dir).exit_code == 0
    expire = ("log", "expire", "--data-dir", data_dir, "--before", story.last + 1)
    assert fork(story, story.last - 1)["snapshot"] is None
    shutil.rmtree(story.to)
    assert spoolog(*expire).exit_code == 0
    at = story.last + 1
    assert fork(story, at)["snapshot"] == story.last
    assert (verify(story.to).first, verify(story.to).last) == (at, at)
    with server(story.to) as (_, url):
        assert ask(url, "GET", f"/jobs/{story.mail}")[1]["status"] == "completed"
    shutil.rmtree(story.to)
    gone = spoolog("log", "fork", "--data-dir", data_dir, "--at", 3, "--to", story.to)
    assert (gone.exit_code, story.to.exists()) == (2, False)
    assert "expired" in gone.stderr


async def test_what_is_refused_leaves_everything_as_it_was(story: SimpleNamespace) -> None:
    story.to.mkdir()
    (story.to / "mine").write_text("x")
    for to, at, why in (
        (story.to, 3, "not empty"),
        (story.data_dir, 3, "data directory itself"),
        (story.data_dir / "fork", 3, "data directory itself"),
        (story.to.parent / "new", 0, "nothing had been recorded"),
        (story.to.parent / "new", "2020-01-01", "nothing had been recorded"),
    ):
        before = content(story.to.parent)
        args = ("log", "fork", "--data-dir", story.data_dir, "--at", at, "--to", to)
        result = spoolog(*args)
        assert (result.exit_code, why in result.stderr) == (2, True), result.output
        assert content(story.to.parent) == before
    assert not (story.to.parent / "new").exists()


async def test_a_part_of_it_cannot_be_served(story: SimpleNamespace) -> None:
    segment = sorted((story.data_dir / "log").iterdir())[1]
    segment.chmod(0o640)
    segment.write_bytes(segment.read_bytes().replace(b"job", b"jab", 1))
    args = ("log", "fork", "--data-dir", story.data_dir, "--at", story.last, "--to", story.to)
    result = spoolog(*args)
    assert (result.exit_code, str(segment) in result.stderr) == (1, True)
    assert not (story.to / "meta.json").exists()
    assert spoolog("log", "verify", "--data-dir", story.to).exit_code == 1
    assert "not empty" in spoolog(*args).stderr
