"""Exports: every event once, in its own spelling, whole or resumable, whatever cuts them off."""

import csv
import io
import json
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from msgspec import Raw

from projections.decide import settlements
from projections.specs import Completion, Failure
from tests.tools.workbench import Story, command, documents, finished, spoolog
from tools.formats import FORMATS
from tools.part import part_of
from tools.tables import EVENTS

NASTY = 'line one\r\n"two", =cmd()\x00'
SECRET = "of-the-webhook"
LINES = sorted(FORMATS)


async def written(data_dir: Path, jobs: int = 3) -> SimpleNamespace:
    """Write a log with everything in it that a format could stumble over."""
    story = Story(data_dir, segment_bytes_max=4_096)
    await story.log.begin()
    ids = [
        story.create(
            "mail",
            b'{"n":2.50,"n":12345678901234567890123,"s":"\\ud83d\\ude00,\\n"}',
            completion_webhook="https://example.com/",
            completion_webhook_secret=SECRET,
            priority=number % 3,
        )
        for number in range(jobs)
    ]
    await story.durable()
    other = story.create("sms")
    failed, done = story.claim("mail"), story.claim("mail")
    await story.durable()
    story.do(settlements.fail, failed, Failure(worker_id="w1", error=NASTY))
    story.do(settlements.complete, done, Completion(worker_id="w1", result=Raw(b'{"a":1e400}')))
    await story.log.close()
    position = story.engine.state.position
    return SimpleNamespace(
        data_dir=data_dir, ids=ids, other=other, failed=failed, done=done, last=position
    )


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    return await written(tmp_path / "data")


def exported(story: SimpleNamespace, kind: str, *args: object) -> bytes:
    result = spoolog("export", "--format", kind, "--data-dir", story.data_dir, *args)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def lines(story: SimpleNamespace, *args: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(story, "jsonl", *args).splitlines()]


def stored(story: SimpleNamespace) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Give every event as the log has it."""
    for record in documents(spoolog("log", "cat", "--json", "--data-dir", story.data_dir)):
        for index, event in enumerate(record["events"]):
            event.pop("completion_webhook_secret", None)
            yield record["pos"], index, event


def test_json_lines_hold_every_event_as_it_is_stored(story: SimpleNamespace) -> None:
    found = lines(story)
    around = ("position", "index", "at", "by", "req")
    events = [{name: one[name] for name in one if name not in around} for one in found]
    places = [(one["position"], one["index"]) for one in found]
    assert [(*place, event) for place, event in zip(places, events, strict=True)] == list(
        stored(story)
    )
    assert list(found[0])[:6] == [*around, "type"]
    assert found[0]["at"] == "2026-11-23T19:14:16.000000Z"
    assert found[0]["by"] == "key_ann"


def test_documents_keep_their_spelling(story: SimpleNamespace) -> None:
    payload = b'{"n":2.50,"n":12345678901234567890123,"s":"\\ud83d\\ude00,\\n"}'
    assert b'"payload":' + payload in exported(story, "jsonl")
    assert b'"payload":' + payload in exported(story, "cloudevents")
    rows = csv.DictReader(io.StringIO(exported(story, "csv").decode(), newline=""))
    assert payload.decode() in {row["payload"] for row in rows}


@pytest.mark.parametrize("kind", LINES)
def test_secrets_stay(story: SimpleNamespace, kind: str) -> None:
    found = exported(story, kind)
    assert b"https://example.com/" in found
    assert SECRET.encode() not in found


def test_csv_has_its_columns_and_quotes_what_needs_it(story: SimpleNamespace) -> None:
    text = exported(story, "csv").decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == list(EVENTS.columns)
    assert {len(row) for row in rows} == {len(EVENTS.columns)}
    (failure,) = [row for row in rows if row[5] == "job.failed"]
    named = dict(zip(rows[0], failure, strict=True))
    assert (named["error"], named["job"], named["worker"]) == (NASTY, story.failed, "w1")
    assert "retry_at" in json.loads(named["details"])
    assert len(rows) == 1 + len(list(stored(story)))
    assert text.endswith("\r\n")


def test_cloud_events_are_as_the_specification_wants_them(story: SimpleNamespace) -> None:
    found = [json.loads(line) for line in exported(story, "cloudevents").splitlines()]
    for (position, index, event), one in zip(stored(story), found, strict=True):
        assert one["specversion"] == "1.0"
        assert one["id"] == f"story/{position}/{index}"
        assert one["source"] == "/spoolog/story"
        assert one["type"] == f"io.spoolog.{event['type']}"
        assert one["subject"] == event.get("job", event.get("queue"))
        assert one["data"] == event
        assert one["datacontenttype"] == "application/json"
        assert one["actor"] == "key_ann"
        assert all(name.isalnum() and name.islower() for name in one)
    assert len({one["id"] for one in found}) == len(found)


def test_parquet_is_typed_and_says_the_same(story: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "it's.parquet"
    result = spoolog(
        *("export", "--format", "parquet", "--data-dir", story.data_dir, "--out", out, "--json")
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == {
        "file": str(out),
        "events": len(list(stored(story))),
        "last_position": story.last,
    }
    assert {path.name for path in tmp_path.iterdir()} == {"data", out.name}
    with duckdb.connect() as connection:
        described = connection.execute("describe select * from read_parquet(?)", [str(out)])
        kinds = {row[0]: row[1] for row in described.fetchall()}
        assert list(kinds) == list(EVENTS.columns)
        assert (kinds["position"], kinds["time"]) == ("BIGINT", "TIMESTAMP WITH TIME ZONE")
        rows = connection.execute(
            "select position, index, epoch_us(time), type, error, payload, details"
            " from read_parquet(?) order by position, index",
            [str(out)],
        ).fetchall()
    assert [row[:2] for row in rows] == [place[:2] for place in stored(story)]
    assert rows[0][2] == 1_795_461_256_000_000
    assert NASTY in {row[4] for row in rows}
    assert '{"n":2.50,"n":12345678901234567890123,"s":"\\ud83d\\ude00,\\n"}' in {
        row[5] for row in rows
    }


@pytest.mark.parametrize(
    ("args", "types"),
    [
        (["--type", "job.failed"], ["job.failed"]),
        (["--queue", "sms"], ["queue.created", "job.created"]),
        (["--queue", "mail", "--from", "7"], ["job.failed", "job.completed"]),
        (["--to", "1"], ["queue.created", "job.created"]),
        (["--from", "2026-11-23T19:14:19Z", "--to", "4"], ["queue.created", "job.created"]),
        (["--type", "job.unknown"], []),
    ],
)
def test_filters(story: SimpleNamespace, args: list[str], types: list[str]) -> None:
    assert [one["type"] for one in lines(story, *args)] == types


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("args", [(), ("--queue", "mail"), ("--type", "job.created")])
def test_a_cut_anywhere_is_gone_on_from(
    story: SimpleNamespace, tmp_path: Path, kind: str, args: tuple[str, ...]
) -> None:
    whole = exported(story, kind, *args)
    out = tmp_path / "out"
    for cut in [*range(0, len(whole), 41), len(whole) - 1, len(whole)]:
        part_of(out).write_bytes(whole[:cut])
        exported(story, kind, *args, "--out", out, "--resume")
        assert out.read_bytes() == whole, cut
        assert not part_of(out).exists()
        out.unlink()


def test_resume_without_a_part_begins_anew(story: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported(story, "jsonl", "--out", out, "--resume")
    assert out.read_bytes() == exported(story, "jsonl")


def test_a_resumed_export_takes_in_what_was_written_since(
    story: SimpleNamespace, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    part_of(out).write_bytes(exported(story, "jsonl", "--to", "4"))
    exported(story, "jsonl", "--out", out, "--resume")
    assert out.read_bytes() == exported(story, "jsonl")


@pytest.mark.parametrize("kind", [*LINES, "parquet"])
def test_a_leftover_part_is_not_written_over(
    story: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    part_of(out).write_bytes(b"precious")
    result = spoolog("export", "--format", kind, "--data-dir", story.data_dir, "--out", out)
    assert result.exit_code == 2
    assert "delete it" in result.output
    assert ("--resume" in result.output) == (kind != "parquet")
    assert part_of(out).read_bytes() == b"precious"
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "args", "found"),
    [
        ("jsonl", (), b'{"position":1,"index":0,"other":"log"}\n'),
        ("jsonl", (), b'{"position":999,"index":0}\n'),
        ("jsonl", (), b"no json\n"),
        ("cloudevents", (), b'{"id":"x"}\n'),
        ("csv", (), b"one,two\r\n"),
        ("jsonl", ("--type", "job.failed"), None),
    ],
)
def test_a_part_of_something_else_is_refused(
    story: SimpleNamespace,
    tmp_path: Path,
    kind: str,
    args: tuple[str, ...],
    found: bytes | None,
) -> None:
    out = tmp_path / "out"
    part = exported(story, kind, "--to", "3") if found is None else found
    part_of(out).write_bytes(part)
    result = spoolog(
        *("export", "--format", kind, "--data-dir", story.data_dir, "--out", out, "--resume", *args)
    )
    assert result.exit_code == 2
    assert "does not end as an export of this log" in result.output
    assert part_of(out).read_bytes() == part
    assert not out.exists()


@pytest.mark.parametrize(
    "args",
    [
        ["--format", "parquet"],
        ["--format", "parquet", "--out", "x", "--resume"],
        ["--format", "jsonl", "--resume"],
        ["--format", "jsonl", "--json"],
        ["--format", "jsonl", "--out", "/no/such/directory/file"],
        ["--format", "xml"],
        [],
    ],
)
def test_wrong_use(story: SimpleNamespace, args: list[str]) -> None:
    assert spoolog("export", "--data-dir", story.data_dir, *args).exit_code == 2


def test_parquet_without_duckdb_names_the_extra(
    story: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    out = tmp_path / "out"
    result = spoolog("export", "--format", "parquet", "--data-dir", story.data_dir, "--out", out)
    assert result.exit_code == 2
    assert "pip install 'spoolog[analytics]'" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    exported(story, "jsonl")


async def test_killed_and_resumed(tmp_path: Path) -> None:
    story = await written(tmp_path / "data", jobs=4_000)
    out = tmp_path / "out"
    args = ("export", "--format", "jsonl", "--data-dir", story.data_dir, "--out", out)
    for _ in range(20):  # now and then it is done before it is killed
        with command(*args) as process:
            while process.poll() is None and not _size(part_of(out)):
                pass
            finished(process, after=signal.SIGKILL)
        if not out.exists():
            break
        out.unlink()
    assert process.returncode == -signal.SIGKILL
    assert _size(part_of(out)) > 0
    assert spoolog(*args).exit_code == 2
    assert spoolog(*args, "--resume").exit_code == 0
    assert out.read_bytes() == exported(story, "jsonl")


def test_a_disk_that_takes_no_more(story: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = ("export", "--format", "csv", "--data-dir", story.data_dir, "--out", out)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        result = spoolog(*args)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 1
    assert "File too large" in result.output
    assert "--resume goes on" in result.output
    assert not out.exists()
    assert spoolog(*args, "--resume").exit_code == 0
    assert out.read_bytes() == exported(story, "csv")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    story = await written(tmp_path / "data", jobs=4_000)
    with command("export", "--format", "jsonl", "--data-dir", story.data_dir) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"position":1,')
        process.stdout.close()
        process.stdout = None
        assert finished(process) == ""
        assert process.returncode == 128 + signal.SIGPIPE


async def test_damage_ends_it_with_the_place(story: SimpleNamespace, tmp_path: Path) -> None:
    segment = min((story.data_dir / "log").iterdir())
    segment.chmod(0o600)
    content = bytearray(segment.read_bytes())
    content[content.index(b"job.created")] ^= 1
    segment.write_bytes(content)
    out = tmp_path / "out"
    for kind in (*LINES, "parquet"):
        result = spoolog("export", "--format", kind, "--data-dir", story.data_dir, "--out", out)
        assert result.exit_code == 1
        assert "record 1 is damaged" in result.output
        assert not out.exists()
        part_of(out).unlink(missing_ok=True)
