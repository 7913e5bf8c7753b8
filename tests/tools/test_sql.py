"""Questions in SQL: the same facts as everywhere, as of one moment, and no way out of the tables."""

import csv
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.workbench import documents, spoolog, write_story
from tools.tables import EVENTS, JOBS, QUEUES, Table


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


def ask(story: SimpleNamespace, query: str, *args: object) -> list[dict[str, Any]]:
    return documents(spoolog("sql", query, "--json", "--data-dir", story.data_dir, *args))


def refused(story: SimpleNamespace, query: str, *args: object) -> str:
    result = spoolog("sql", query, "--data-dir", story.data_dir, *args)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return str(result.stderr)


def test_events_are_those_of_the_log(story: SimpleNamespace) -> None:
    found = ask(story, "SELECT * FROM events ORDER BY position, index")
    exported = spoolog("export", "--format", "csv", "--data-dir", story.data_dir).stdout
    rows = list(csv.DictReader(io.StringIO(exported, newline="")))
    as_text = [
        {name: "" if value is None else str(value) for name, value in one.items()} for one in found
    ]
    assert as_text == rows


def test_jobs_and_queues_are_the_state(story: SimpleNamespace) -> None:
    found = {one["id"]: one for one in ask(story, "SELECT * FROM jobs")}
    jobs = story.engine.state.tables.jobs
    assert set(found) == set(jobs)
    for job_id, job in jobs.items():
        one = found[job_id]
        assert one["status"] == job.status.value
        assert (one["queue"], one["retry_count"]) == (job.queue, job.retry_count)
        assert one["payload"] == bytes(job.payload).decode()
    assert found[story.mail]["created_at"] == "2026-11-23T19:14:16.000000Z"
    assert found[story.mail]["result"] == '{"sent":2.50}'
    assert [one["queue"] for one in ask(story, "SELECT queue FROM queues ORDER BY ALL")] == [
        "mail",
        "sms",
    ]


@pytest.mark.parametrize("table", [EVENTS, JOBS, QUEUES], ids=lambda table: table.name)
def test_tables_are_as_described(story: SimpleNamespace, table: Table) -> None:
    found = ask(story, f"DESCRIBE {table.name}")
    assert {one["column_name"]: one["column_type"] for one in found} == dict(table.columns)


@pytest.mark.parametrize(
    ("at", "events", "statuses"),
    [
        ("1", 2, ["pending"]),
        ("4", 6, ["processing", "pending"]),
        ("2026-11-23T19:15:00Z", 7, ["pending", "pending"]),
        ("99", 10, ["completed", "pending"]),
    ],
)
def test_the_past(story: SimpleNamespace, at: str, events: int, statuses: list[str]) -> None:
    query = (
        "SELECT (SELECT count(*) FROM events) AS events,"
        " (SELECT list(status ORDER BY id) FROM jobs) AS statuses"
    )
    assert ask(story, query, "--at", at) == [{"events": events, "statuses": statuses}]
    assert ask(story, "SELECT count(*) AS n FROM events", "--at", at) == [{"n": events}]


def test_a_question_over_several_tables(story: SimpleNamespace) -> None:
    query = """
        SELECT queue, payload->>'to' AS receiver, count(*) AS failures, min(events.time) AS first
        FROM events JOIN jobs ON events.job = jobs.id
        WHERE type = 'job.failed' GROUP BY ALL -- by queue
        ;"""
    query = query.replace("queue,", "jobs.queue,").replace("payload", "jobs.payload")
    assert ask(story, query) == [
        {
            "queue": "mail",
            "receiver": "bob",
            "failures": 1,
            "first": "2026-11-23T19:14:20.000000Z",
        }
    ]


def test_every_kind_of_value_can_be_told(story: SimpleNamespace) -> None:
    query = """
        SELECT 1::HUGEINT << 100 AS huge, 1.50::DECIMAL(5, 2) AS exact, 'nan'::DOUBLE AS none,
        DATE '2026-01-02' AS day, [1, NULL] AS list, {'a': true} AS struct, NULL AS nothing, true AS yes,
        TIMESTAMPTZ '2026-01-02 03:04:05+02' AS zoned, 'x' AS twice, 'y' AS twice"""
    (found,) = ask(story, query)
    assert found == {
        "huge": 1 << 100,
        "exact": 1.50,
        "none": None,
        "day": "2026-01-02",
        "list": [1, None],
        "struct": {"a": True},
        "nothing": None,
        "yes": True,
        "zoned": "2026-01-02 01:04:05+00",
        "twice": "x",
        "twice_2": "y",
    }
    told = spoolog("sql", query, "--csv", "--data-dir", story.data_dir).stdout
    names, row = csv.reader(io.StringIO(told, newline=""))
    assert len(names) == len(row) == 11
    assert row[:9] == [
        *(str(1 << 100), "1.50", "nan", "2026-01-02", "[1,null]", '{"a":true}', "", "true"),
        "2026-01-02 01:04:05+00",
    ]
    assert spoolog("sql", query, "--data-dir", story.data_dir).exit_code == 0


def test_the_table_for_people_is_bounded_and_harmless(story: SimpleNamespace) -> None:
    shown = spoolog("sql", "SELECT error FROM events", "--data-dir", story.data_dir).stdout
    assert "\\x1b[31mluck" in shown
    assert "\x1b" not in shown
    long = spoolog("sql", "SELECT * FROM range(1001)", "--data-dir", story.data_dir)
    assert "Only the first 1,000 rows" in long.stderr
    exact = spoolog("sql", "SELECT * FROM range(1000)", "--data-dir", story.data_dir)
    assert exact.stderr == ""


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM jobs", "nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT status::INTEGER FROM jobs", "completed"),
        ("SELECT ?", "parameters"),
        ("", "one query"),
        ("SELECT 1; SELECT 2", "one query"),
        ("DROP TABLE jobs", "one query"),
        ("INSERT INTO jobs (id) VALUES ('x')", "one query"),
        ("SET memory_limit = '100GB'", "one query"),
        ("COPY jobs TO 'stolen.csv'", "one query"),
        ("ATTACH 'other.duckdb'", "one query"),
        ("INSTALL httpfs", "one query"),
        ("SELECT * FROM read_text('{data}/meta.json')", "disabled"),
        ("SELECT * FROM '{data}/meta.json'", "disabled"),
        ("SELECT * FROM glob('{data}/*')", "disabled"),
        ("EXPLAIN ANALYZE SELECT * FROM read_text('{data}/meta.json')", "disabled"),
    ],
)
def test_a_bad_query_is_told_in_duckdbs_words(
    story: SimpleNamespace, query: str, message: str
) -> None:
    before = sorted(story.data_dir.rglob("*"))
    assert message in refused(story, query.replace("{data}", str(story.data_dir)))
    assert sorted(story.data_dir.rglob("*")) == before


def test_memory_is_bounded(story: SimpleNamespace) -> None:
    query = "SELECT list(i) FROM range(100_000_000) AS numbers(i)"
    assert "Out of Memory" in refused(story, query, "--memory-mib", 64)


def test_nothing_is_left_behind(
    story: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    ask(story, "SELECT count(*) FROM events, jobs")
    refused(story, "SELECT status::INTEGER FROM jobs")
    assert list(place.iterdir()) == []


def test_two_answers_are_one_too_many(story: SimpleNamespace) -> None:
    assert "two answers" in refused(story, "SELECT 1", "--json", "--csv")


def test_without_duckdb_the_extra_is_named(
    story: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "pip install 'spoolog[analytics]'" in refused(story, "SELECT 1")


def test_a_damaged_log_is_named(story: SimpleNamespace) -> None:
    segment = min((story.data_dir / "log").iterdir())
    segment.chmod(0o600)
    content = bytearray(segment.read_bytes())
    content[content.index(b"job.created")] ^= 1
    segment.write_bytes(content)
    for table in ("events", "jobs"):
        result = spoolog("sql", f"FROM {table}", "--data-dir", story.data_dir)
        assert result.exit_code == 1
        assert "record 1 is damaged" in result.stderr
    assert json.loads(
        spoolog("sql", "SELECT 1 AS x", "--json", "--data-dir", story.data_dir).stdout
    )
