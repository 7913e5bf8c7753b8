import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from eventlog.directory import Home, keeping
from eventlog.disk import OsDisk
from projections.moments import to_text
from tests.tools.workbench import documents, spoolog, write_story


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


def names(story: SimpleNamespace) -> list[str]:
    return sorted(path.name for path in (story.data_dir / "log").iterdir())


def compress(story: SimpleNamespace, *args: object) -> dict[str, object]:
    result = spoolog("log", "compress", "--json", "--data-dir", story.data_dir, *args)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_compress_says_what_it_did(story: SimpleNamespace) -> None:
    before = names(story)
    sizes = [(story.data_dir / "log" / name).stat().st_size for name in before]
    found = compress(story, "--keep", 2)
    assert names(story) == [f"{name}.zst" for name in before[:-2]] + before[-2:]
    assert found["files"] == names(story)[:-2]
    assert found["segments"] == len(before) - 2 > 0
    assert found["bytes_before"] == sum(sizes[:-2])
    assert compress(story, "--keep", 2)["segments"] == 0
    assert compress(story)["segments"] == 1
    assert "bytes_after" in spoolog("log", "compress", "--data-dir", story.data_dir).stdout


def test_every_verb_reads_a_compressed_log_as_before(story: SimpleNamespace) -> None:
    verbs = [
        ("log", "cat", "--json"),
        ("log", "cat", "--queue", "mail", "--from", 3),
        ("log", "tail", "-n", 4),
        ("log", "verify", "--json"),
        ("history", story.mail, "--json"),
    ]

    def told() -> list[str]:
        return [spoolog(*verb, "--data-dir", story.data_dir).stdout for verb in verbs]

    before = told()
    assert all(before)
    compress(story, "--keep", 0)
    assert told() == before
    folded = json.loads(spoolog("replay", "--check", "--json", "--data-dir", story.data_dir).stdout)
    assert (folded["position"], folded["different"]) == (story.last, [])


def test_stat_shows_what_is_compressed(story: SimpleNamespace) -> None:
    (story.data_dir / "quarantine").mkdir()
    (story.data_dir / "quarantine" / "a").write_bytes(b"123")

    def stat() -> dict[str, object]:
        found = json.loads(spoolog("log", "stat", "--json", "--data-dir", story.data_dir).stdout)
        assert isinstance(found, dict)
        return found

    before = stat()
    assert before["bytes"] == before["file_bytes"]
    compress(story, "--keep", 0)
    after = stat()
    assert after["bytes"] == before["bytes"]
    assert after["quarantine_bytes"] == 3
    assert isinstance(after["segments"], list)
    assert [one["compressed"] for one in after["segments"]][-2:] == [True, False]
    files = {path.name: path.stat().st_size for path in (story.data_dir / "log").iterdir()}
    assert {one["file"]: one["file_bytes"] for one in after["segments"]} == files
    assert after["file_bytes"] == sum(files.values())


def test_compress_gives_way_to_another(story: SimpleNamespace) -> None:
    before = names(story)
    with keeping(OsDisk(), Home(story.data_dir), "pid 4711 on host h"):
        result = spoolog("log", "compress", "--keep", 0, "--data-dir", story.data_dir)
    assert result.exit_code == 2
    assert "in use by another process (pid 4711 on host h)" in result.stderr
    assert names(story) == before


def test_damage_stops_compressing_and_is_told(story: SimpleNamespace) -> None:
    segment = min((story.data_dir / "log").iterdir())
    segment.chmod(0o600)
    segment.write_bytes(segment.read_bytes().replace(b"bob", b"bab"))
    result = spoolog("log", "compress", "--keep", 0, "--data-dir", story.data_dir)
    assert result.exit_code == 1
    assert f"{segment} byte 0" in result.stderr
    assert not [name for name in names(story) if "zst" in name]
    assert documents(spoolog("log", "cat", "--json", "--from", 8, "--data-dir", story.data_dir))


@pytest.fixture
def covering(story: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let snapshots cover everything."""
    (story.data_dir / "snapshots").mkdir()
    monkeypatch.setattr("server.housekeeping.covered_position", lambda _: 1_000_000)


def expire(story: SimpleNamespace, *args: object) -> dict[str, object]:
    result = spoolog("log", "expire", "--json", "--data-dir", story.data_dir, *args)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_without_snapshots_nothing_expires(story: SimpleNamespace) -> None:
    before = names(story)
    result = spoolog("log", "expire", "--before", story.last, "--data-dir", story.data_dir)
    assert result.exit_code == 1
    assert "verified snapshots cover them: there are none. Nothing was removed" in result.stderr
    assert names(story) == before
    assert expire(story, "--before", 2)["segments"] == 0


@pytest.mark.usefixtures("covering")
def test_expire_by_position_says_what_it_removed(story: SimpleNamespace) -> None:
    before = names(story)
    planned = expire(story, "--before", 5, "--dry-run")
    assert names(story) == before
    done = expire(story, "--before", 5)
    assert done == planned | {"dry_run": False}
    first = done["first"]
    assert isinstance(first, int)
    assert 1 < first <= 5
    assert (done["records"], done["segments"]) == (first - 1, len(before) - len(names(story)) + 1)
    assert "START" in names(story)
    assert expire(story, "--before", 5)["segments"] == 0
    assert "Removed" in spoolog("log", "expire", "--before", 1, "--data-dir", story.data_dir).stdout


@pytest.mark.usefixtures("covering")
def test_expire_by_time_is_the_same_as_by_the_position_there(story: SimpleNamespace) -> None:
    records = documents(spoolog("log", "cat", "--json", "--data-dir", story.data_dir))
    for record in records:
        same = next(one["pos"] for one in records if one["at"] >= record["at"])
        moments = {to_text(record["at"]): same, to_text(record["at"] + 1): record["pos"] + 1}
        for moment, position in moments.items():
            by_time = expire(story, "--before", moment, "--dry-run")
            assert by_time == expire(story, "--before", position, "--dry-run")
    assert expire(story, "--before", "1999-01-01T00:00:00Z", "--dry-run")["segments"] == 0
    everything = expire(story, "--before", "2999-01-01T00:00:00Z", "--dry-run")
    assert everything == expire(story, "--before", 10_000, "--dry-run")


@pytest.mark.usefixtures("covering")
def test_verbs_on_a_log_whose_beginning_has_expired(story: SimpleNamespace) -> None:
    where = ("--data-dir", story.data_dir)
    whole = documents(spoolog("log", "cat", "--json", *where))
    first = expire(story, "--before", 5)["first"]
    assert isinstance(first, int)
    left = whole[first - 1 :]
    assert documents(spoolog("log", "cat", "--json", *where)) == left
    assert documents(spoolog("log", "cat", "--json", "--from", first, *where)) == left
    assert documents(spoolog("log", "tail", "--json", "-n", 99, *where)) == left
    for asked in (1, first - 1):
        refused = spoolog("log", "cat", "--from", asked, *where)
        assert refused.exit_code == 2
        assert f"records before {first} have expired" in refused.stderr
    told = json.loads(spoolog("log", "stat", "--json", *where).stdout)
    assert (told["first"], told["last"], told["records"]) == (first, story.last, len(left))
    told = json.loads(spoolog("log", "verify", "--json", *where).stdout)
    assert (told["ok"], told["first"], told["records"]) == (True, first, len(left))
    result = spoolog("history", story.mail, "--json", *where)
    assert f"Records before {first} have expired" in result.stderr
    steps = json.loads(result.stdout)["events"]
    assert 0 < len(steps) < 6
    assert all(step["position"] >= first for step in steps)
    replay = spoolog("replay", *where)
    assert replay.exit_code == 2
    assert f"records before {first} have expired" in replay.stderr
