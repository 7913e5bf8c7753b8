"""``spoolog snapshot``, by hand and by a running server, and what expiry asks of snapshots."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import Reader, SnapshotStore, verify
from projections.moments import to_text
from tests.tools.workbench import KEY, ask, command, finished, listening, spoolog, write_story
from tools.children import running

FOR_A_WHILE_SECS = 60


def made(data_dir: Path, *args: object) -> dict[str, Any]:
    result = spoolog("snapshot", "--json", "--data-dir", data_dir, *args)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def served(data_dir: Path, jobs: int = 3) -> None:
    """Let a server live for a moment: that is a few more records, and another sealed segment."""
    with command(
        *("serve", "--port", 0, "--data-dir", data_dir), env={"SPOOLOG_API_KEY": KEY}
    ) as process:
        url = listening(process)
        for _ in range(jobs):
            assert ask(url, "POST", "/jobs", {"queue_name": "q", "payload": 1})[0] == 201
        finished(process, after=signal.SIGTERM)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + FOR_A_WHILE_SECS
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


async def test_it_says_what_it_made(tmp_path: Path) -> None:
    story = await write_story(tmp_path)
    found = made(tmp_path)
    assert found["position"] == found["folded"] == story.last
    assert found["compressed"] == found["expired"] == found["removed"] == []
    assert made(tmp_path)["folded"] == 0
    assert "digest" in spoolog("snapshot", "--data-dir", tmp_path).stdout


def test_there_must_be_something_sealed(tmp_path: Path) -> None:
    with command(
        *("serve", "--port", 0, "--data-dir", tmp_path), env={"SPOOLOG_API_KEY": KEY}
    ) as process:
        listening(process)
        result = spoolog("snapshot", "--data-dir", tmp_path)
        assert result.exit_code == 2
        assert "no segment" in result.stderr
        finished(process, after=signal.SIGTERM)


async def test_only_what_two_snapshots_cover_may_expire(tmp_path: Path) -> None:
    await write_story(tmp_path, segment_bytes_max=500)
    older = made(tmp_path)["position"]
    beyond = ("log", "expire", "--data-dir", tmp_path, "--before", older + 1)
    result = spoolog(*beyond)
    assert result.exit_code == 1
    assert "there are none" in result.stderr
    served(tmp_path)
    made(tmp_path)
    assert spoolog(*beyond).exit_code == 0
    assert Reader(tmp_path).first == older + 1
    assert verify(tmp_path).first == older + 1
    served(tmp_path)  # which starts from a snapshot, for the rest is gone
    result = spoolog("log", "expire", "--data-dir", tmp_path, "--before", 1_000_000)
    assert result.exit_code == 1
    assert "Nothing was removed" in result.stderr


async def test_without_its_beginning_and_its_snapshots_a_log_is_not_served(tmp_path: Path) -> None:
    await write_story(tmp_path, segment_bytes_max=500)
    older = made(tmp_path)["position"]
    served(tmp_path)
    made(tmp_path)
    assert spoolog("log", "expire", "--data-dir", tmp_path, "--before", older + 1).exit_code == 0
    store = SnapshotStore(tmp_path, Reader(tmp_path).identity.cluster)
    for position in store.positions():
        path = store.open(position).path
        path.write_bytes(path.read_bytes()[:-1])
    with command("serve", "--port", 0, "--data-dir", tmp_path) as process:
        errors = finished(process)
    assert process.returncode == 1
    assert "REFUSING TO START" in errors
    assert f"the log begins at {older + 1}" in errors or f"records before {older + 1}" in errors


async def test_tidying_goes_with_it(tmp_path: Path) -> None:
    story = await write_story(tmp_path, segment_bytes_max=500)
    first = made(tmp_path, "--compress-log")
    assert len(first["compressed"]) == len(Reader(tmp_path).segments()) - 1
    assert first["expired"] == []
    served(tmp_path)
    assert made(tmp_path, "--keep-log", "36500d")["expired"] == [], "nothing is that old"
    found = made(tmp_path, "--keep-log", "0s")
    assert len(found["expired"]) > 1
    assert Reader(tmp_path).first == story.last + 1
    assert verify(tmp_path).first == story.last + 1


def test_a_server_makes_them_by_itself_and_starts_from_the_newest(tmp_path: Path) -> None:
    options = ("--port", 0, "--data-dir", tmp_path, "--snapshot-records", 20)
    keeping = ("--compress-log", "--keep-log", "0s")
    store = None
    with command("serve", *options, *keeping, env={"SPOOLOG_API_KEY": KEY}) as process:
        url = listening(process)
        store = SnapshotStore(tmp_path, Reader(tmp_path).identity.cluster)
        for round_ in (1, 2, 3):
            before = store.positions()[:1]
            for _ in range(25):
                assert ask(url, "POST", "/jobs", {"queue_name": "q", "payload": round_})[0] == 201
            until(lambda before=before: store.positions()[:1] not in ([], before))  # type: ignore[misc]
        until(lambda: Reader(tmp_path).first > 1)
        until(lambda: len(store.positions()) <= 2)
        os.kill(process.pid, signal.SIGKILL)
        finished(process)
    newest = store.positions()[0]
    with command("serve", *options, env={"SPOOLOG_API_KEY": KEY}) as process:
        url = listening(process)
        status, counts = ask(url, "GET", "/jobs/stats")
        assert (status, counts["pending"]) == (200, 75)
        check = spoolog("replay", "--check", "--url", url, "--api-key", KEY, "--data-dir", tmp_path)
        assert check.exit_code == 0, check.output
        errors = finished(process, after=signal.SIGTERM)
    assert f"started from the snapshot at {newest}" in errors
    assert verify(tmp_path).last >= newest


@pytest.mark.parametrize("round_", range(5))
async def test_killed_at_any_moment_it_leaves_what_was_there(tmp_path: Path, round_: int) -> None:
    await write_story(tmp_path, segment_bytes_max=500)
    older = made(tmp_path)
    served(tmp_path, jobs=20)
    args = ("snapshot", "--data-dir", str(tmp_path), "--compress-log")
    with running("tools.cli", args) as child:
        await asyncio.sleep(0.15 + 0.06 * round_)
        child.kill()
    assert verify(tmp_path).torn is None
    store = SnapshotStore(tmp_path, Reader(tmp_path).identity.cluster)
    for position in store.positions():
        store.check(store.open(position))
    assert older["position"] in store.positions()
    assert made(tmp_path)["position"] > older["position"]
    assert not list(store.directory.glob("*.tmp"))


def test_times_are_told(tmp_path: Path) -> None:
    served(tmp_path)
    assert to_text(made(tmp_path)["created_at_us"]) > "2026"
