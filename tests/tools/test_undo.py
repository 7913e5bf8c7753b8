"""``spoolog undo`` against a real server: what it says, how it ends, and what a restart makes of it."""

import json
from pathlib import Path
from typing import Any

from tests.tools.workbench import KEY, ask, server, spoolog


def dead(url: str, **fields: object) -> str:
    status, made = ask(
        url, "POST", "/jobs", {"queue_name": "q", "payload": {"n": 1}, "max_retries": 0} | fields
    )
    assert status == 201
    claim = {"queue_name": "q", "worker_id": "w"}
    assert ask(url, "POST", "/jobs/claim", claim)[1]["jobs"][0]["id"] == made["id"]
    failure = {"worker_id": "w", "error": "boom"}
    assert ask(url, "POST", f"/jobs/{made['id']}/fail", failure)[0] == 200
    return str(made["id"])


def purge(url: str) -> int:
    assert ask(url, "POST", "/jobs/dlq/purge", {"confirm": True})[0] == 200
    return last(url)


def last(url: str) -> int:
    position: int = ask(url, "GET", "/log/stat")[1]["last"]
    return position


def undo(url: str, *args: object) -> Any:
    return spoolog("undo", *args, "--url", url, "--api-key", KEY)


def test_a_plan_then_the_deed_then_the_same_after_a_restart(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        ids = [dead(url) for _ in range(2)]
        at = purge(url)
        plan = undo(url, at, "--dry-run")
        assert plan.exit_code == 0, plan.output
        assert "jobs purged" in plan.stdout
        assert "would go back" in plan.stdout
        assert "Nothing was changed." in plan.stderr
        assert last(url) == at
        done = undo(url, at, "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert (told["undone"], told["cannot"], told["positions"]) == (2, 0, [at + 1])
        before = [ask(url, "GET", f"/jobs/{job_id}")[1] for job_id in ids]
        assert {job["status"] for job in before} == {"deadletter"}
    assert spoolog("snapshot", "--data-dir", tmp_path).exit_code == 0
    with server(tmp_path) as (_, url):
        assert [ask(url, "GET", f"/jobs/{job_id}")[1] for job_id in ids] == before
        assert undo(url, at + 1).exit_code == 0
        assert ask(url, "GET", f"/jobs/{ids[0]}")[0] == 404
        assert undo(url, last(url)).exit_code == 0
        digest = ask(url, "GET", "/log/digest")[1]
    checked = spoolog(
        "replay", "--check", "--until", digest["position"], "--json", "--data-dir", tmp_path
    )
    assert checked.exit_code == 0, checked.output
    found = json.loads(checked.stdout)
    assert found["digest"] == digest["digest"]
    assert found["snapshots_compared"]
    asked = spoolog("replay", "--what-if", "max_retries=5", "--json", "--data-dir", tmp_path)
    assert asked.exit_code == 0, asked.output
    whole = json.loads(asked.stdout)
    assert (whole["came_back"], whole["total"]["recorded"]["outcomes"]["deadletter"]) == (2, 2)
    with server(tmp_path) as (
        _,
        url,
    ):  # from the snapshot, and what was undone and redone behind it
        for one in before:
            job = ask(url, "GET", f"/jobs/{one['id']}")[1]
            assert {name for name in job if job[name] != one[name]} == {"position", "updated_at"}


def test_what_could_not_go_back_is_named_and_ends_with_1(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        kept, lost = dead(url), dead(url, idempotency_key="k")
        at = purge(url)
        assert ask(url, "POST", "/jobs", {"queue_name": "q", "payload": 1, "idempotency_key": "k"})
        plan = undo(url, at, "--dry-run")
        assert plan.exit_code == 1
        assert "1 of 2 cannot be taken back" in plan.stderr
        done = undo(url, at)
        assert done.exit_code == 1
        assert "1 of 2 could not be taken back" in done.stderr
        assert lost in done.stdout
        assert "its idempotency key belongs to" in done.stdout
        assert ask(url, "GET", f"/jobs/{kept}")[0] == 200
        assert ask(url, "GET", f"/jobs/{lost}")[0] == 404


def test_a_record_that_is_never_taken_back_and_one_that_is_not_there(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        dead(url)
        never = undo(url, last(url))
        assert never.exit_code == 1
        assert "job.failed: what workers did" in never.stderr
        assert undo(url, 999).exit_code == 1
        assert undo(url, 0).exit_code == 2
    assert undo(url, 1).exit_code == 2


def test_the_log_and_the_history_tell_of_it(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):
        job_id = dead(url)
        undo(url, purge(url))
        assert ask(url, "POST", "/queues/q/pause", {"reason": "lunch"})[0] == 200
        undo(url, last(url))
    lines = spoolog("log", "cat", "--data-dir", tmp_path).stdout.splitlines()
    assert any("undo.applied" in line and "undoes=" in line for line in lines)
    assert any("queue.restored" in line and "facts={" in line for line in lines)
    told = spoolog("history", job_id, "--json", "--data-dir", tmp_path)
    events = [step["event"] for step in json.loads(told.stdout)["events"]]
    assert events[-2:] == ["job.deleted", "job.restored"]
