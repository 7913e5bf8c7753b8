"""What is different between two points, against both states held whole."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from msgspec import structs

from eventlog import SnapshotStore
from projections.entities import Job
from projections.moments import to_text
from projections.state import State
from spoolog.changes import JOB
from spoolog.diff import CHANGED, CREATED, REMOVED, STATUS, Difference, compare
from tests.projections.storm import Storm
from tests.tools.workbench import spoolog, write_story


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


def diff(data_dir: Path, *args: object) -> dict[str, Any]:
    result = spoolog("replay", "--json", "--data-dir", data_dir, "--diff", *args)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def expected(before: dict[str, Job], after: dict[str, Job]) -> dict[str, str]:
    """Say what became of each job, from both states."""
    found = {job_id: CREATED for job_id in after if job_id not in before}
    found |= {job_id: REMOVED for job_id in before if job_id not in after}
    for job_id, was in before.items():
        job = after.get(job_id)
        if job is not None and job.status is not was.status:
            found[job_id] = STATUS
        elif job is not None and JOB.row(job) != JOB.row(was):
            found[job_id] = CHANGED
    return found


def check(found: Difference, start: State, end: State, queue: str | None) -> None:
    def jobs(state: State) -> dict[str, Job]:
        every = state.tables.jobs
        return {name: job for name, job in every.items() if queue in {None, job.queue}}

    before, after = jobs(start), jobs(end)
    truth = expected(before, after)
    assert {one.name: one.what for one in found.jobs} == truth
    assert found.counts == {
        what: Counter(truth.values())[what] for what in (CREATED, STATUS, CHANGED, REMOVED)
    }
    for state, counts in ((before, "before"), (after, "after")):
        told = {
            (one.name, status): count
            for one in found.queues
            for status, count in getattr(one, counts).items()
            if count
        }
        assert told == Counter((job.queue, job.status.value) for job in state.values())
    for one in found.jobs:
        if one.what in {STATUS, CHANGED}:
            names = JOB.names
            was, now = JOB.row(before[one.name]), JOB.row(after[one.name])
            assert set(one.fields) == {
                name for name, a, b in zip(names, was, now, strict=True) if a != b
            }


class DiffStorm(Storm):
    def teardown(self) -> None:
        """Cut the history in three and compare the ends of the middle."""
        bench = self.bench
        last = bench.state.position
        start, end = last // 3, last * 2 // 3
        records = bench.records()
        for queue in (None, "mail"):
            found = compare(bench.replayed(start), records[start:end], queue=queue)
            check(found, bench.replayed(start), bench.replayed(end), queue)
            assert (found.before.position, found.after.position) == (start, end)


TestDiffStorm = DiffStorm.TestCase
TestDiffStorm.settings = settings(
    max_examples=40,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


async def test_two_points_are_told_by_position_or_time(story: SimpleNamespace) -> None:
    found = diff(story.data_dir, 2, 8)
    assert found["from"] == {"position": 2, "at": to_text(story.start_us + 1_000_000)}
    assert found["jobs"] == {
        "created": 0,
        "status": 1,
        "changed": 0,
        "removed": 0,
        "came_and_went": 0,
    }
    assert found["moves"] == [{"from": "pending", "to": "completed", "jobs": 1}]
    mail, sms = found["queues"]
    assert mail["queue_name"] == "mail"
    assert (mail["delta"]["pending"], mail["delta"]["completed"]) == (-1, 1)
    assert set(sms["delta"].values()) == {0}
    assert found["changed"]["workers"] == [{"name": "w1", "what": "created", "fields": {}}]
    (job,) = found["listed"]
    assert (job["job"], job["queue_name"], job["what"]) == (story.mail, "mail", "status")
    assert job["fields"]["retry_count"] == [0, 1]
    assert job["fields"]["result"] == [None, {"sent": 2.5}]
    times = (to_text(story.start_us + 1_500_000), to_text(story.start_us + 9_000_000_000))
    assert diff(story.data_dir, *times) == found


async def test_the_list_is_short_and_the_counts_are_whole(story: SimpleNamespace) -> None:
    found = diff(story.data_dir, 0, 99, "--limit", 1)
    assert found["from"] == {"position": 0, "at": None}
    assert found["jobs"]["created"] == 2
    assert [one["job"] for one in found["listed"]] == [story.mail]
    of_sms = diff(story.data_dir, 0, 99, "--queue", "sms")
    assert [one["job"] for one in of_sms["listed"]] == [story.sms]
    assert [one["queue_name"] for one in of_sms["queues"]] == ["sms"]
    assert of_sms["changed"] == {
        "queues": [{"name": "sms", "what": "created", "fields": {}}],
        "workers": [],
    }
    told = spoolog("replay", "--diff", 0, 99, "--limit", 1, "--data-dir", story.data_dir)
    assert "1 more jobs are counted and not listed" in told.stderr
    assert story.mail in told.stdout


async def test_nothing_between_is_no_difference(story: SimpleNamespace) -> None:
    found = diff(story.data_dir, 4, 4)
    assert set(found["jobs"].values()) == {0}
    assert found["listed"] == []
    assert all(not things for things in found["changed"].values())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--diff", 5, 2), "B lies before A"),
        (("--diff", 900, 800), "B lies before A"),
        (("--diff", "1999-01-01T00:00:00Z", "1998-01-01T00:00:00Z"), "B lies before A"),
        (("--diff", 1, 2, "--step", "--job", "x"), "two questions"),
        (("--diff", 1, 2, "--check"), "--check says nothing with --diff"),
        (("--job", "x"), "--job says nothing by itself"),
        (("--until", 1, "--at", 1), "two ends"),
        (("--at", 1, "--check"), "from scratch"),
    ],
)
async def test_wrong_use(story: SimpleNamespace, args: tuple[object, ...], told: str) -> None:
    result = spoolog("replay", *args, "--data-dir", story.data_dir)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


async def test_from_the_nearest_snapshot_is_the_same_state(story: SimpleNamespace) -> None:
    assert spoolog("snapshot", "--data-dir", story.data_dir).exit_code == 0

    def replayed(*args: object) -> dict[str, Any]:
        result = spoolog("replay", "--json", "--data-dir", story.data_dir, *args)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    scratch, near = replayed(), replayed("--from-snapshot")
    assert scratch["from_snapshot_at"] is None
    assert near["from_snapshot_at"] > 0
    assert (near["position"], near["digest"]) == (scratch["position"], scratch["digest"])
    at = replayed("--at", story.last - 1)
    assert at["digest"] == replayed("--until", story.last - 1)["digest"]
    assert replayed("--at", story.last)["from_snapshot_at"] == near["from_snapshot_at"]
    path = SnapshotStore(story.data_dir, "story").open(near["from_snapshot_at"]).path
    path.write_bytes(path.read_bytes()[:-1])
    told = spoolog("replay", "--from-snapshot", "--data-dir", story.data_dir)
    assert str(path) in told.stderr
    assert scratch["digest"] in told.stdout


def test_every_status_has_a_row_of_its_own() -> None:
    """A changed job is told by fields that may change; nothing that never changes is kept."""
    assert {"status", "retry_count", "due_at", "worker", "result"} <= set(JOB.names)
    assert not {"id", "payload", "position", "trail", "created_at"} & set(JOB.names)
    assert {field.name for field in structs.fields(Job)} > set(JOB.names)
