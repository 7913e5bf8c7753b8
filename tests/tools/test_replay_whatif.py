"""The recorded work under other rules, from a log on a disk."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from projections.whatif import Outcome
from tests.tools.workbench import ask, server, spoolog, write_story
from tools.whatif import ASKABLE


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


def what_if(data_dir: Path, rules: str, *args: object) -> dict[str, Any]:
    result = spoolog("replay", "--json", "--data-dir", data_dir, "--what-if", rules, *args)
    assert result.exit_code == 0, result.output
    assert "A model" in result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


async def test_a_report_of_outcomes_and_times(story: SimpleNamespace) -> None:
    found = what_if(story.data_dir, "max_retries=0")
    total = found["total"]
    assert found["what_if"] == {"max_retries": 0}
    assert (found["from"], found["to"], total["jobs"]) == (1, story.last, 2)
    assert total["moves"] == [{"recorded": "completed", "what_if": "deadletter", "jobs": 1}]
    none = {outcome.value: 0 for outcome in Outcome}
    assert total["recorded"]["outcomes"] == none | {"completed": 1, "open": 1}
    assert total["what_if"]["outcomes"] == none | {"deadletter": 1, "open": 1}
    assert total["recorded"]["backoff_secs"] == 60
    assert total["recorded"]["secs_to_end"] == {"p50": 106, "p90": 106, "p99": 106}
    assert total["what_if"]["secs_to_end"] == {"p50": 4, "p90": 4, "p99": 4}
    assert [one["queue_name"] for one in found["queues"]] == ["mail", "sms"]
    (job,) = found["listed"]
    assert (job["job"], job["what_if"]["outcome"]) == (story.mail, "deadletter")
    assert what_if(story.data_dir, "max_retries=0", "--limit", 0)["listed"] == []
    told = spoolog("replay", "--what-if", "max_retries=0", "--data-dir", story.data_dir)
    assert "1 → 0 (-1)" in told.stdout


async def test_the_part_that_is_asked_about(story: SimpleNamespace) -> None:
    of_sms = what_if(story.data_dir, "max_retries=0", "--queue", "sms")
    assert (of_sms["total"]["jobs"], of_sms["total"]["anything_differs"]) == (1, 0)
    later = what_if(story.data_dir, "max_retries=0", "--from", 2)
    assert (later["from"], [one["queue_name"] for one in later["queues"]]) == (2, ["sms"])
    sooner = what_if(story.data_dir, "max_retries=0", "--until", 4)
    assert sooner["total"]["what_if"]["outcomes"]["open"] == 2


async def test_a_queue_that_is_no_text_is_in_no_record(story: SimpleNamespace) -> None:
    args = ("--what-if", "max_retries=0", "--queue", "mail\udcff", "--data-dir", story.data_dir)
    result = spoolog("replay", *args)
    assert result.exit_code == 0, result.exception


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "max_retries",
        "max_retries=",
        "max_retries=-1",
        "max_retries=1.5",
        "retry_base_secs=nan",
        "retry_base_secs=1e99",
        "retry_jitter=2",
        "lease_secs=5",
        "max_retries=1,max_retries=2",
        "max_retries=1,",
    ],
)
async def test_what_cannot_be_asked(story: SimpleNamespace, rules: str) -> None:
    result = spoolog("replay", "--what-if", rules, "--data-dir", story.data_dir)
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(name in result.stderr for name in ASKABLE)


def test_a_servers_own_rules_change_nothing(tmp_path: Path) -> None:
    options = ("--retry-base-secs", "0.05", "--max-retries", "2")
    with server(tmp_path, *options) as (_, url):
        for number in range(12):
            body = {"queue_name": "q", "payload": number}
            assert ask(url, "POST", "/jobs", body)[0] == 201
        ended = 0
        while ended < 12:
            body = {"queue_name": "q", "worker_id": "w", "limit": 5, "wait_secs": 2}
            for job in ask(url, "POST", "/jobs/claim", body)[1]["jobs"]:
                fails = job["payload"] % 3
                verb = "fail" if fails == 0 or job["retry_count"] < fails else "complete"
                body = {"worker_id": "w", "error": "no", "lease_id": job["lease_id"]}
                settled = ask(url, "POST", f"/jobs/{job['id']}/{verb}", body)
                assert settled[0] == 200, settled
                ended += verb == "complete" or job["retry_count"] == 2
    same = what_if(tmp_path, "retry_base_secs=0.05,max_retries=2")["total"]
    assert same["jobs"] == 12
    assert same["recorded"] == same["what_if"]
    assert (same["outcome_differs"], same["anything_differs"]) == (0, 0)
    outcomes = {"completed": 8, "deadletter": 4}
    assert outcomes.items() <= same["recorded"]["outcomes"].items()
    none = what_if(tmp_path, "max_retries=0")["total"]
    assert none["what_if"]["outcomes"]["deadletter"] == 12
    more = what_if(tmp_path, "max_retries=3")["total"]
    assert more["what_if"]["outcomes"]["unknown"] == 4
