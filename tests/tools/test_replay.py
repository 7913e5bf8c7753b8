import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from eventlog import FileLog, Reader, SnapshotStore
from projections.digest import digest
from projections.lifecycle import Status
from projections.moments import to_text
from tests.tools.workbench import KEY, command, finished, server, spoolog, write_story
from tools.indexes import differences


def replayed(data_dir: Path, *args: object) -> dict[str, Any]:
    result = spoolog("replay", "--json", "--data-dir", data_dir, *args)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


async def test_replay_gives_the_writers_digest(tmp_path: Path) -> None:
    story = await write_story(tmp_path)
    found = replayed(tmp_path, "--check")
    assert found["position"] == story.last
    assert found["digest"] == digest(story.engine.state)
    assert found["jobs"] == {str(status): 0 for status in Status} | {"pending": 1, "completed": 1}
    assert found["different"] == []
    assert "Folded" in spoolog("replay", "--check", "--data-dir", tmp_path).stdout


async def test_replay_stops_at_a_position_or_a_time(tmp_path: Path) -> None:
    story = await write_story(tmp_path)
    by_position = replayed(tmp_path, "--until", 4)
    assert by_position["position"] == 4
    assert by_position["jobs"]["processing"] == 1
    moment = to_text(story.start_us + 3_500_000)
    by_time = replayed(tmp_path, "--until", moment)
    assert by_time["digest"] == by_position["digest"]


async def test_check_names_an_index_that_is_wrong(tmp_path: Path) -> None:
    state = (await write_story(tmp_path)).engine.state
    assert differences(state) == []
    job = next(iter(state.tables.jobs.values()))
    state.idempotency.clear()
    state.shelf("default", "mail").ready.add(1, job.id)
    assert differences(state) == ["idempotency keys", "ready order of queue mail"]


async def test_check_agrees_with_a_running_server(tmp_path: Path) -> None:
    await write_story(tmp_path)
    with server(tmp_path) as (_, url):
        found = replayed(tmp_path, "--check", "--url", url, "--api-key", KEY)
        assert found["digest"] == found["server_digest"]
        assert found["position"] == found["server_position"]


async def test_check_finds_another_servers_state_different(tmp_path: Path) -> None:
    await write_story(tmp_path / "mine")
    with server(tmp_path / "mine"):
        pass  # its start is in the log
    with server(tmp_path / "other") as (_, url):
        args = ("--data-dir", tmp_path / "mine", "--check", "--url", url, "--api-key", KEY)
        result = spoolog("replay", *args)
    assert result.exit_code == 1
    assert "the server's digest" in result.stderr


@pytest.mark.parametrize(("key", "code"), [(None, 2), ("sp_live_wrong-wrong", 1)])
def test_check_needs_the_servers_key(tmp_path: Path, key: str | None, code: int) -> None:
    with server(tmp_path) as (_, url):
        args = ("replay", "--check", "--url", url, "--data-dir", tmp_path)
        assert spoolog(*args, *(("--api-key", key) if key else ())).exit_code == code


async def test_check_without_a_server_there(tmp_path: Path) -> None:
    await write_story(tmp_path)
    args = ("--data-dir", tmp_path, "--check", "--url", "http://127.0.0.1:1", "--api-key", KEY)
    result = spoolog("replay", *args)
    assert result.exit_code == 2
    assert "no answer" in result.stderr


async def test_intact_log_that_cannot_be_folded_is_told_by_position(tmp_path: Path) -> None:
    log = FileLog.open(tmp_path, clock=lambda: 1, new_cluster_id=lambda: "c")
    await log.begin()
    log.append(1, b'{"v":1,"at":1,"by":"x","req":"","events":[{"type":"job.due","job":"no"}]}')
    await log.close()
    result = spoolog("replay", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "record 1 does not follow" in result.output
    with command("serve", "--port", 0, "--data-dir", tmp_path) as process:
        errors = finished(process)
    assert process.returncode == 1
    assert "REFUSING TO START\nrecord 1 does not follow" in errors


async def test_check_compares_every_snapshot(tmp_path: Path) -> None:
    await write_story(tmp_path)
    assert spoolog("snapshot", "--data-dir", tmp_path).exit_code == 0
    found = replayed(tmp_path, "--check")
    assert found["snapshots_compared"] == [found["position"]]
    reader = Reader(tmp_path)
    store = SnapshotStore(tmp_path, reader.identity.cluster)
    snapshot = store.open(found["position"])
    lines = list(store.lines(snapshot))
    store.write(structs.replace(snapshot.head, digest="ab" * 32), lines, lambda _: None)
    result = spoolog("replay", "--check", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert f"the snapshot at {found['position']}" in result.stderr
    snapshot.path.write_bytes(snapshot.path.read_bytes()[:-5])
    result = spoolog("replay", "--check", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "its last line cannot be read" in result.stderr
