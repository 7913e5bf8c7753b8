"""The state of any moment, from the nearest snapshot, by the search that the server uses."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eventlog import LogExpired, Reader, SnapshotStore
from projections.digest import digest
from projections.events import decode
from projections.fold import refold
from projections.moments import to_text
from projections.state import State
from server.http.views.jobs import JobDetail
from spoolog.folding import fold_at
from spoolog.point import Point
from tests.tools.workbench import ask, server, spoolog, write_story


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


def served(data_dir: Path, jobs: int = 3) -> None:
    with server(data_dir) as (_, url):
        for number in range(jobs):
            assert ask(url, "POST", "/jobs", {"queue_name": "q", "payload": number})[0] == 201


def snapshot(data_dir: Path, *args: object) -> int:
    result = spoolog("snapshot", "--json", "--data-dir", data_dir, "--keep", 9, *args)
    assert result.exit_code == 0, result.output
    return int(json.loads(result.stdout)["position"])


def state(data_dir: Path, *args: object) -> Any:
    result = spoolog("state", *args, "--json", "--data-dir", data_dir)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def records(data_dir: Path) -> list[tuple[int, int, str]]:
    """Give position, time and digest after each record."""
    folded, found = State(), []
    for batch in Reader(data_dir).entries():
        for position, body in batch:
            record = decode(position, body)
            refold(folded, record)
            found.append((position, record.at, digest(folded)))
    return found


async def test_every_point_is_folded_from_the_nearest_snapshot(story: SimpleNamespace) -> None:
    data_dir = story.data_dir
    made = [0, snapshot(data_dir)]
    served(data_dir)
    made.append(snapshot(data_dir))
    served(data_dir)
    every = records(data_dir)
    for position, at_us, expected in every:
        for point in (Point(position=position), Point(at_us=at_us)):
            folded = fold_at(Reader(data_dir), point)
            assert folded.state.position >= position
            if folded.state.position == position:
                assert digest(folded.state) == expected
            assert folded.began_at == max(one for one in made if one <= folded.state.position)
            assert folded.records == folded.state.position - folded.began_at
    whole = fold_at(Reader(data_dir))
    assert (whole.began_at, digest(whole.state)) == (made[-1], every[-1][2])
    assert fold_at(Reader(data_dir), Point(position=0)).state.position == 0


async def test_a_damaged_snapshot_is_passed_over_and_told(story: SimpleNamespace) -> None:
    data_dir = story.data_dir
    older = snapshot(data_dir)
    served(data_dir)
    newer = snapshot(data_dir)
    path = SnapshotStore(data_dir, "story").open(newer).path
    path.write_bytes(path.read_bytes()[:-1])
    folded = fold_at(Reader(data_dir))
    assert folded.began_at == older
    assert any(str(path) in text for text in folded.passed_over)
    assert str(path) in spoolog("state", "queues", "--data-dir", data_dir).stderr
    assert fold_at(Reader(data_dir), Point(position=older)).passed_over == ()


async def test_what_has_expired_cannot_be_told(story: SimpleNamespace) -> None:
    data_dir = story.data_dir
    older = snapshot(data_dir)
    served(data_dir)
    snapshot(data_dir)
    before = Point(at_us=story.start_us)
    assert spoolog("log", "expire", "--data-dir", data_dir, "--before", older + 1).exit_code == 0
    assert fold_at(Reader(data_dir), Point(position=older)).records == 0
    for point in (Point(position=older - 1), before):
        with pytest.raises(LogExpired):
            fold_at(Reader(data_dir), point)
    assert spoolog("state", "--at", 1, "queues", "--data-dir", data_dir).exit_code == 2


async def test_queues(story: SimpleNamespace) -> None:
    found = state(story.data_dir, "--at", "4", "queues")
    assert found["position"] == 4
    mail, sms = found["queues"]
    assert (mail["queue_name"], mail["jobs"]["processing"], mail["jobs"]["pending"]) == (
        "mail",
        1,
        0,
    )
    assert mail["oldest_waiting_job"] is None
    assert (sms["jobs"]["pending"], sms["oldest_waiting_job"]) == (1, story.sms)
    assert sms["oldest_waiting_at"] == to_text(story.start_us + 1_000_000)
    assert state(story.data_dir, "queues", "--at", "4") == found
    told = spoolog("state", "queues", "--data-dir", story.data_dir)
    assert told.exit_code == 0
    assert "sms" in told.stdout
    assert f"folded {story.last} records" in told.stderr
    assert "beginning" in told.stderr


async def test_a_job_is_shown_whole_as_it_was(story: SimpleNamespace) -> None:
    then = state(story.data_dir, "job", story.mail, "--at", "4")
    assert list(then) == list(JobDetail.__struct_fields__)
    assert (then["status"], then["assigned_worker_id"], then["result"]) == (
        "processing",
        "w1",
        None,
    )
    now = spoolog("state", "job", story.mail, "--json", "--data-dir", story.data_dir)
    assert '"payload":{"to":"bob"},"result":{"sent":2.50}' in now.stdout
    told = spoolog("state", "job", story.mail, "--data-dir", story.data_dir)
    assert '{"sent":2.50}' in told.stdout
    assert "\x1b" not in told.stdout


@pytest.mark.parametrize("verb", [("state", "job"), ("explain",)])
async def test_a_job_that_is_not_there_then(story: SimpleNamespace, verb: tuple[str, ...]) -> None:
    result = spoolog(*verb, story.sms, "--at", "1", "--data-dir", story.data_dir)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"no job '{story.sms}' at position 1" in result.stderr


def test_lists_are_those_of_the_server_and_nothing_changes(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        for number in range(7):
            body = {
                "queue_name": f"q{number % 2}",
                "payload": {"job_type": f"kind{number % 3}", "n": number},
                "priority": number,
                "tags": [f"t{number % 2}"],
            }
            assert ask(url, "POST", "/jobs", body)[0] == 201
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        for query, args in (
            ("", []),
            ("status=pending,failed", ["--status", "pending,failed"]),
            ("status=failed", ["--status", "failed"]),
            ("queue_name=q1", ["--queue", "q1"]),
            ("tag=t0", ["--tag", "t0"]),
            ("job_type=kind1", ["--job-type", "kind1"]),
            ("contains=%22n%22:3", ["--contains", '"n":3']),
            ("q=kind2", ["--q", "kind2"]),
            ("error=x", ["--error", "x"]),
            ("error_signature=x", ["--error-signature", "x"]),
            ("order_by=priority&order_dir=asc", ["--order-by", "priority", "--order-dir", "asc"]),
            ("limit=2&offset=3", ["--limit", 2, "--offset", 3]),
        ):
            _, listed = ask(url, "GET", f"/jobs?{query}")
            found = state(tmp_path, "jobs", *args)
            assert found["jobs"] == listed, query
            assert found["has_more"] == (query == "limit=2&offset=3"), query
        more = spoolog("state", "jobs", "--limit", 2, "--data-dir", tmp_path)
        assert "--offset 2" in more.stderr
        job_id = listed[0]["id"]
        assert state(tmp_path, "job", job_id) == ask(url, "GET", f"/jobs/{job_id}")[1]
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before


async def test_a_time_that_is_none_is_wrong_use(story: SimpleNamespace) -> None:
    result = spoolog("state", "jobs", "--created-after", "noon", "--data-dir", story.data_dir)
    assert result.exit_code == 2
    assert "created_after" in result.stderr
