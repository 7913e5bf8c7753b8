"""Stepping through a job or a queue: every record that tells of it, and what it changed."""

import asyncio
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

from projections.decide import jobs
from projections.events import JobCancelled, JobCreated, JobEvent, QueueCreated
from projections.state import State
from spoolog.steps import OneJob, OneQueue, Subject, steps
from tests.build import Bench, a_job
from tests.projections.storm import Storm
from tests.tools.workbench import ROOT, documents, spoolog, write_story
from tools.step import paced


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    return told


class StepStorm(Storm):
    def teardown(self) -> None:
        """The differences of all steps add up to what is there at the end, and none is left out."""
        queue = "mail"
        subjects: list[Subject] = [OneQueue(queue)]
        subjects += [OneJob(job_id) for job_id in list(self.bench.state.tables.jobs)[-3:]]
        for subject in subjects:
            facts = dict(subject.facts(State()))
            for step in steps(State(), self.bench.records(), subject):
                for name, (was, now) in step.changed.items():
                    assert facts.get(name) == was
                    facts[name] = now
            known = subject.facts(self.bench.state)
            assert {name: facts.get(name) for name in known} == known
        members: set[str] = set()
        told = 0
        for record in self.bench.records():
            for event in record.events:
                if isinstance(event, JobCreated) and event.queue == queue:
                    members.add(event.job)
                told += isinstance(event, JobEvent) and event.job in members
        found = steps(State(), self.bench.records(), OneQueue(queue))
        assert told == sum(isinstance(event, JobEvent) for step in found for event in step.events)


TestStepStorm = StepStorm.TestCase
TestStepStorm.settings = settings(
    max_examples=30,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


async def test_a_job_step_by_step(story: SimpleNamespace) -> None:
    found = documents(
        spoolog("replay", "--step", "--job", story.mail, "--json", "--data-dir", story.data_dir)
    )
    assert [[event["type"] for event in step["events"]] for step in found] == [
        ["job.created"],
        ["job.claimed"],
        ["job.failed"],
        ["job.due"],
        ["job.claimed"],
        ["job.completed"],
    ]
    assert [step["position"] for step in found] == [1, 4, 5, 6, 7, 8]
    assert found[1]["changed"]["status"] == ["pending", "processing"]
    assert found[2]["changed"]["retry_count"] == [0, 1]
    assert found[5]["changed"]["result"] == [None, {"sent": 2.5}]


async def test_a_queue_step_by_step(story: SimpleNamespace) -> None:
    args = ("replay", "--step", "--queue", "mail", "--data-dir", story.data_dir)
    found = documents(spoolog(*args, "--json"))
    kinds = [event["type"] for step in found for event in step["events"]]
    assert kinds[:4] == ["queue.created", "job.created", "worker.registered", "job.claimed"]
    assert found[0]["changed"]["ready"] == [0, 1]
    assert found[0]["changed"]["oldest_waiting_job"] == [None, story.mail]
    assert found[2]["changed"]["processing"] == [0, 1]
    told = spoolog(*args)
    assert told.exit_code == 0
    assert "ready: 0 → 1" in told.stdout
    assert "\x1b[31mluck" not in told.stdout


def test_a_job_that_came_and_ended_in_one_record_is_told_whole() -> None:
    bench = Bench()
    parent = bench.create()
    bench.do(jobs.cancel, parent.id)
    bench.create(a_job("video", parent_job_id=parent.id))
    (step,) = steps(State(), bench.records(), OneQueue("video"))
    assert [type(event) for event in step.events] == [QueueCreated, JobCreated, JobCancelled]
    assert step.changed["cancelled"] == [0, 1]


async def test_a_part_of_the_history(story: SimpleNamespace) -> None:
    args = ("replay", "--step", "--job", story.mail, "--json", "--data-dir", story.data_dir)
    found = documents(spoolog(*args, "--from", 5, "--until", 7))
    assert [step["position"] for step in found] == [5, 6, 7]
    assert found[0]["changed"]["status"] == ["processing", "pending"]


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("--job", "none"), 1, "tells of a job 'none'"),
        (("--queue", "none"), 1, "tells of a queue 'none'"),
        ((), 2, "one --job or one --queue"),
        (("--job", "x", "--queue", "y"), 2, "one --job or one --queue"),
    ],
)
async def test_nothing_to_step_through(
    story: SimpleNamespace, args: tuple[str, ...], code: int, told: str
) -> None:
    result = spoolog("replay", "--step", *args, "--data-dir", story.data_dir)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr


@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        ([""] * 9, 6),
        (["q"], 1),
        (["3", "q"], 4),
        (["", "2", "q"], 4),
        (["0", "what", "q"], 3),
        (["99"], 6),
    ],
)
def test_a_persons_pace(answers: list[str], seen: int) -> None:
    def numbers() -> Iterator[int]:
        yield from range(6)

    given = iter(answers)
    assert len(list(paced(numbers(), lambda: next(given)))) == seen  # type: ignore[arg-type]


def test_at_a_terminal_it_waits_for_a_word(tmp_path: Path) -> None:
    story = asyncio.run(write_story(tmp_path))
    ours, theirs = pty.openpty()
    args = ["replay", "--step", "--job", story.mail, "--data-dir", str(tmp_path)]
    with Popen(
        [sys.executable, "-m", "tools.cli", *args], cwd=ROOT, stdin=theirs, stdout=PIPE, stderr=PIPE
    ) as child:
        os.write(ours, b"\n2\nq\n")
        out, errors = child.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert child.returncode == 0
    assert sum(b"job=" + story.mail.encode() in line for line in out.splitlines()) == 4
    assert errors.count(b"q: quit") == 3
