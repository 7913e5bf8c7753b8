"""What the command explains is what the API explains, word for word."""

import json
from pathlib import Path

from tests.tools.workbench import ask, server, spoolog, write_story


def test_it_says_what_the_api_says(tmp_path: Path) -> None:
    with server(tmp_path) as (_, url):

        def make(**fields: object) -> str:
            status, made = ask(url, "POST", "/jobs", {"queue_name": "q", "payload": 1} | fields)
            assert status == 201
            return str(made["id"])

        ready, behind, urgent = make(), make(), make(priority=9)
        later = make(scheduled_at="2999-01-01T00:00:00Z")
        waits = make(parent_job_id=ready)
        paused = make(queue_name="p")
        claim = {"queue_name": "q", "worker_id": "w"}
        assert ask(url, "POST", "/jobs/claim", claim)[1]["jobs"][0]["id"] == urgent
        assert ask(url, "POST", "/queues/p/pause", {"reason": "a rest"})[0] == 200
        told = {}
        for job_id in (ready, behind, urgent, later, waits, paused):
            status, told[job_id] = ask(url, "GET", f"/jobs/{job_id}/explain")
            assert status == 200
        assert ask(url, "POST", f"/jobs/{urgent}/complete", {"worker_id": "w"})[0] == 200
        assert ask(url, "POST", "/queues/p/resume")[0] == 200
        for job_id, answer in told.items():
            at = answer["explained_at"]
            found = spoolog("explain", job_id, "--at", at, "--json", "--data-dir", tmp_path)
            assert found.exit_code == 0, found.output
            assert json.dumps(json.loads(found.stdout)) == json.dumps(answer)
    codes = [one["reasons"][0]["code"] for one in told.values()]
    assert len(set(codes)) == 5
    assert told[behind]["ahead"] == 1


async def test_a_position_is_the_moment_of_its_record(tmp_path: Path) -> None:
    story = await write_story(tmp_path)
    found = spoolog("explain", story.mail, "--at", "5", "--json", "--data-dir", tmp_path)
    told = json.loads(found.stdout)
    assert told["position"] == 5
    assert told["explained_at"] == "2026-11-23T19:14:20.000000Z"
    assert told["reasons"][0]["code"] == "waiting_for_retry"
    for_people = spoolog("explain", story.mail, "--at", "5", "--data-dir", tmp_path)
    assert "waiting_for_retry" in for_people.stdout
    assert "\x1b" not in for_people.stdout
    now = json.loads(spoolog("explain", story.mail, "--json", "--data-dir", tmp_path).stdout)
    assert now["position"] == story.last
    assert now["explained_at"] > told["explained_at"]
