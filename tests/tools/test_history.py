import json
from pathlib import Path

from tests.tools.workbench import spoolog, write_story


async def test_history_tells_a_jobs_life(tmp_path: Path) -> None:
    story = await write_story(tmp_path)
    result = spoolog("history", story.mail, "--data-dir", tmp_path, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["job"] == story.mail
    steps = [(step["event"], step["attempt"], step["by"]) for step in found["events"]]
    assert steps == [
        ("job.created", 0, "key_ann"),
        ("job.claimed", 1, "key_ann"),
        ("job.failed", 1, "key_ann"),
        ("job.due", 1, "system"),
        ("job.claimed", 2, "key_bob"),
        ("job.completed", 2, "key_bob"),
    ]
    failed, due = found["events"][2:4]
    assert failed["worker"] == "w1"
    assert "luck" in failed["fields"]["error"]
    assert due["since_last_us"] == 100_000_000
    assert found["events"][-1]["request_id"] == "req-2"
    assert found["events"][-1]["fields"] == {"result": '{"sent":2.50}'}
    assert {"field": "status", "before": "pending", "after": "processing"} in found["events"][1][
        "changes"
    ]


async def test_history_is_readable(tmp_path: Path) -> None:
    story = await write_story(tmp_path)
    result = spoolog("history", story.mail, "--data-dir", tmp_path)
    assert result.exit_code == 0
    for word in (
        "job.completed",
        "worker=w1",
        "req=req-2",
        "+100.00 s",
        "by=key_bob",
        "attempt=2",
        "status: processing → completed",
        "assigned_worker_id: w1 → -",
        "retry_count: 0 → 1",
    ):
        assert word in result.stdout
    assert "\x1b[31m" not in result.stdout


async def test_history_of_an_unknown_job(tmp_path: Path) -> None:
    await write_story(tmp_path)
    result = spoolog("history", "job-9", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "no event of a job 'job-9'" in result.stderr
