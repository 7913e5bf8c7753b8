import json
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from projections.moments import to_text
from spoolog import open as spoolog_history
from tests.tools.workbench import Story, command, documents, spoolog, write_story


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


def positions(story: SimpleNamespace, *args: object) -> list[int]:
    found = documents(spoolog("log", "cat", "--json", "--data-dir", story.data_dir, *args))
    return [record["pos"] for record in found]


def test_stat_names_positions_and_segments(story: SimpleNamespace) -> None:
    found = json.loads(spoolog("log", "stat", "--data-dir", story.data_dir, "--json").stdout)
    assert (found["records"], found["known_synced"]) == (story.last, story.last)
    assert found["cluster"] == "story"
    assert found["chain"] == story.engine.log.stat().chain
    assert len(found["segments"]) > 1
    assert sum(segment["bytes"] for segment in found["segments"]) == found["bytes"]
    assert "Segments" in spoolog("log", "stat", "--data-dir", story.data_dir).stdout


def test_cat_gives_the_stored_json_with_its_position(story: SimpleNamespace) -> None:
    result = spoolog("log", "cat", "--json", "--data-dir", story.data_dir)
    found = documents(result)
    assert [record["pos"] for record in found] == list(range(1, story.last + 1))
    assert found[0]["events"][1]["payload"] == {"to": "bob"}
    assert '"result":{"sent":2.50}' in result.stdout


def test_no_secret_is_shown_to_people() -> None:
    data_dir = Path(__file__).parents[1] / "golden" / "events-v4"
    result = spoolog("log", "cat", "--data-dir", data_dir)
    assert "job.restored" in result.stdout
    assert "completion_webhook=" in result.stdout
    assert "hush" not in result.stdout
    (job_id,) = {
        fact.event.job
        for fact in spoolog_history(data_dir).events()
        if getattr(fact.event, "completion_webhook_secret", None)
    }
    for args in (("history", job_id), ("replay", "--step", "--job", job_id)):
        told = spoolog(*args, "--data-dir", data_dir)
        assert told.exit_code == 0
        assert "hush" not in told.stdout


@pytest.mark.parametrize("option", ["--type", "--queue", "--job", "--by", "--worker", "--request"])
def test_arguments_that_are_no_text_are_in_no_record(story: SimpleNamespace, option: str) -> None:
    assert positions(story, option, "w1\udcff") == []


def test_cat_is_readable_and_harmless_to_a_terminal(story: SimpleNamespace) -> None:
    result = spoolog("log", "cat", "--data-dir", story.data_dir)
    lines = result.stdout.splitlines()
    assert any("job.failed" in line and "by=key_ann" in line for line in lines)
    assert "req=req-2" in lines[-1]
    assert to_text(story.start_us) in lines[0]
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("args", "types"),
    [
        (["--type", "job.failed"], ["job.failed"]),
        (["--type", "job.failed", "--type", "job.completed"], ["job.failed", "job.completed"]),
        (["--queue", "sms"], ["queue.created", "job.created"]),
        (["--queue", "mail", "--type", "job.claimed"], ["job.claimed", "job.claimed"]),
        (["--queue", "mail", "--from", "8"], ["job.completed"]),
        (["--by", "system"], ["job.due"]),
        (["--job", "job-000002", "--limit", "2"], ["job.created", "job.claimed"]),
        (["--type", "job.unknown"], []),
    ],
)
def test_cat_filters(story: SimpleNamespace, args: list[str], types: list[str]) -> None:
    lines = spoolog("log", "cat", "--data-dir", story.data_dir, *args).stdout.splitlines()
    assert [line.split()[2] for line in lines] == types


def test_cat_takes_positions_and_times(story: SimpleNamespace) -> None:
    second = to_text(story.start_us + 1_000_000)
    assert positions(story, "--from", 3, "--to", 5) == [3, 4, 5]
    assert positions(story, "--from", second, "--to", second) == [2]
    assert positions(story, "--from", second, "--limit", 2) == [2, 3]
    assert positions(story, "--from", story.last + 1) == []


def test_tail_gives_the_last_ones(story: SimpleNamespace) -> None:
    tail = ("log", "tail", "--json", "--data-dir", story.data_dir)
    assert [record["pos"] for record in documents(spoolog(*tail, "-n", 2))] == [
        story.last - 1,
        story.last,
    ]
    assert [record["pos"] for record in documents(spoolog(*tail, "--queue", "sms"))] == [2]
    assert documents(spoolog(*tail, "-n", 0)) == []


async def test_tail_follows_across_rotation(tmp_path: Path) -> None:
    story = Story(tmp_path, segment_bytes_max=500)
    await story.log.begin()
    created = [story.create("mail") for _ in range(4)]
    await story.durable()
    with command("log", "tail", "-f", "-n", 2, "--json", "--data-dir", tmp_path) as process:
        assert process.stdout is not None
        lines = process.stdout

        async def following(count: int) -> list[str]:
            found: list[Any] = []
            reader = threading.Thread(
                target=lambda: found.extend(json.loads(lines.readline()) for _ in range(count))
            )
            reader.start()
            while reader.is_alive():
                await story.durable()
                reader.join(0.05)
            return [record["events"][-1]["job"] for record in found]

        assert await following(2) == created[2:]
        segments = story.log.stat().segments
        more = [story.create("mail") for _ in range(9)]
        assert await following(9) == more
        assert story.log.stat().segments > segments
    await story.log.close()


def test_verify_says_that_a_log_is_sound(story: SimpleNamespace) -> None:
    result = spoolog("log", "verify", "--json", "--data-dir", story.data_dir)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["records"] == story.last
    assert "Sound" in spoolog("log", "verify", "--data-dir", story.data_dir).stdout


def test_verify_names_the_place_of_damage(story: SimpleNamespace, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(story.data_dir / "log", copy / "log")
    shutil.copy(story.data_dir / "meta.json", copy)
    segment = min((copy / "log").iterdir())
    segment.chmod(0o600)
    content = bytearray(segment.read_bytes())
    line = content.index(b"\n", content.index(b"\n") + 1) + 1  # of the second record
    content[line + 90] ^= 1
    segment.write_bytes(content)
    result = spoolog("log", "verify", "--data-dir", copy)
    assert result.exit_code == 1
    assert f"{segment} byte {line} (line 3): record 2 is damaged" in result.stderr
    told = spoolog("log", "verify", "--json", "--data-dir", copy)
    assert told.exit_code == 1
    assert {"ok": False, "file": str(segment), "byte": line, "position": 2}.items() <= json.loads(
        told.stdout
    ).items()
    # Every other verb that reads so far refuses as well.
    assert spoolog("replay", "--data-dir", copy).exit_code == 1
