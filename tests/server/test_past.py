"""The past over HTTP: asked with `at`, it is what was answered then, byte for byte."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import Raw

from eventlog import Line, Reader
from projections.decide import jobs
from projections.events import decode
from projections.moments import to_text
from projections.specs import NewJob
from server import housekeeping, landmarks
from server.engine import SYSTEM
from tests.fakes import START_US
from tests.server.harness import Answer, Face, assert_refused
from tests.server.pastface import LIMITED, Memory, PastFace, lived, past_face
from tests.tools.workbench import spoolog


@pytest.fixture
async def past(aiohttp_client: Any, tmp_path: Path) -> AsyncIterator[PastFace]:
    face = await past_face(aiohttp_client, tmp_path)
    yield face
    await face.client.close()
    await face.engine.log.close()


def assert_same(then: Answer, live: Answer, memory: Memory) -> None:
    assert (then.status, then.content) == (live.status, live.content)
    assert then.headers.get("X-Has-More") == live.headers.get("X-Has-More")
    if then.status == 200:
        assert then.headers["X-Log-Position"] == str(memory.position)
        assert then.headers["X-Log-Time"] <= to_text(memory.at_us)
    assert "X-Log-Position" not in live.headers


async def compare(face: PastFace, memories: list[Memory]) -> None:
    for memory in memories:
        for path, live in memory.answers.items():
            assert_same(await face.then(path, to_text(memory.at_us)), live, memory)
            # By position, the moment is that of the record there.
            if "/stats" not in path and "/explain" not in path:
                assert_same(await face.then(path, memory.position), live, memory)


def shuffled(memories: list[Memory], random: Random) -> list[Memory]:
    return random.sample(memories, len(memories))


@pytest.mark.parametrize("seed", range(3))
async def test_it_is_what_was_answered_then(past: PastFace, seed: int) -> None:
    random = Random(seed)
    memories = await lived(past, 24, random)
    assert {answer.status for one in memories for answer in one.answers.values()} == {200, 404}
    await compare(past, memories[::3])
    await compare(past, shuffled(memories[1::3], random))
    asked, hits = past.past.asked, past.past.hits
    await compare(past, memories[::3])
    assert past.past.hits - hits == past.past.asked - asked > 0
    assert past.past.process.started == 1


async def test_snapshots_compression_and_expiry_change_no_answer(past: PastFace) -> None:
    random = Random(7)
    early = await lived(past, 12, random)
    covered = await past.snapshot()
    late = await lived(past, 12, random)
    await past.snapshot()
    late += await lived(past, 4, random)
    await compare(past, shuffled(early[::2] + late[::2], random))
    assert housekeeping.compress(past.data_dir)
    await compare(past, shuffled(early[1::2] + late[1::2], random))
    gone, before_us = early[0].position, late[0].at_us
    assert (await past.then("/jobs?limit=7", gone)).status == 200  # that state is kept
    assert housekeeping.expire_older(past.data_dir, before_us).segments
    assert_refused(await past.then("/jobs?limit=8", gone), 410, "LOG_EXPIRED")
    await compare(past, shuffled(late, random))
    first = Reader(past.data_dir).first
    assert first == covered + 1
    # What is gone is gone, kept in the cache or not.
    for memory in (one for one in early if one.position < covered):
        for at in (memory.position, to_text(memory.at_us)):
            assert_refused(await past.then("/queues", at), 410, "LOG_EXPIRED")
    assert_refused(await past.then("/queues", 0), 410, "LOG_EXPIRED")
    assert (await past.then("/queues", covered)).status == 200


def damage(line: Line) -> None:
    """Change a letter of a record on the disk."""
    with line.segment.open("r+b") as segment:
        segment.seek(line.offset)
        segment.write(b"z")


async def test_it_goes_on_from_what_is_kept_and_from_snapshots(
    past: PastFace, caplog: pytest.LogCaptureFixture
) -> None:
    await lived(past, 24, Random(8))
    covered = await past.snapshot()
    job_id = await past.create()
    last, lines = past.engine.state.position, list(Reader(past.data_dir).lines())
    assert (await past.then("/jobs", 2)).headers["X-Log-Position"] == "2"
    damage(lines[0])
    # From the state that is kept at 2 the damaged record is not on the way.
    for at in (2, 3, 4):
        assert (await past.then("/queues", at)).headers["X-Log-Position"] == str(at)
    refused = await past.then("/queues", 1)
    message = assert_refused(refused, 503, "PAST_UNAVAILABLE")["message"]
    assert "record 1 is damaged" in message
    assert str(past.data_dir) not in message
    assert str(lines[0].segment) in caplog.text
    # The snapshot is nearer than what is kept, and nothing before it is read.
    assert lines[covered - 1].segment != lines[3].segment
    damage(lines[covered - 1])
    assert (await past.then(f"/jobs/{job_id}", last)).status == 200
    assert (past.past.failures, past.past.process.started) == (1, 1)


async def test_before_the_first_record_there_is_nothing(past: PastFace) -> None:
    job_id = await past.create()
    for at in ("0", to_text(START_US - 1), "0001-01-01T00:00:00Z"):
        listed = await past.then("/jobs", at)
        assert (listed.status, listed.json) == (200, [])
        assert listed.headers["X-Log-Position"] == "0"
        assert "X-Log-Time" not in listed.headers
        assert (await past.then("/jobs/stats", at)).json["total"] == 0
        assert (await past.then("/queues/mail/stats", at)).json["pending_jobs"] == 0
        assert_refused(await past.then(f"/jobs/{job_id}", at), 404, "NOT_FOUND")


async def test_a_moment_that_has_not_been_is_refused(past: PastFace) -> None:
    await past.create()
    last = past.engine.state.position
    assert (await past.then("/jobs", last)).status == 200
    for at in (last + 1, 2**63 - 1, to_text(past.clock.now_us), "2999-01-01T00:00:00Z"):
        assert_refused(await past.then("/jobs", at), 409, "CONFLICT")
    past.clock.advance(1)
    assert (await past.then("/jobs", to_text(past.clock.now_us - 1))).status == 200


@pytest.mark.parametrize("offset", [2**62, 2**63, 2**64, 10**30])
async def test_a_page_that_never_was(past: PastFace, offset: int) -> None:
    await past.create()
    for path in (f"/jobs?offset={offset}", f"/jobs/dlq?offset={offset}"):
        for answer in (await past.get(path), await past.then(path, 2)):
            assert (answer.status, answer.json) == (200, [])


@pytest.mark.parametrize("at", ["", "x", "-1", "1.5", "9" * 20, "2026-01-01", "noon", "%C2%B2"])
async def test_what_is_no_moment_is_refused(face: Face, at: str) -> None:
    body = assert_refused(await face.get(f"/jobs?at={at}"), 400, "VALIDATION_ERROR")
    assert body["details"][0]["field"] == "at"


async def test_a_log_in_memory_has_no_past(face: Face) -> None:
    body = assert_refused(await face.get("/jobs?at=1"), 409, "CONFLICT")
    assert "memory" in body["message"]
    assert (await face.get("/log/span")).json["marks"] == []


async def test_a_key_sees_of_the_past_what_it_may_see_now(past: PastFace) -> None:
    mail, sms = await past.create("mail"), await past.create("sms")
    at = past.engine.state.position
    past.add_key(LIMITED, "mail")  # there was no such key then
    assert len((await past.then("/jobs", at)).json) == 2
    seen = await past.then("/jobs", at, key=LIMITED)
    assert [job["id"] for job in seen.json] == [mail]
    assert [one["queue_name"] for one in (await past.then("/queues", at, key=LIMITED)).json] == [
        "mail"
    ]
    assert (await past.then("/jobs/stats", at, key=LIMITED)).json["total"] == 1
    for path in (f"/jobs/{sms}", f"/jobs/{sms}/explain", "/queues/sms", "/queues/sms/stats"):
        assert (await past.then(path, at)).status == 200
        assert_refused(await past.then(path, at, key=LIMITED), 404, "NOT_FOUND")
    assert_refused(await past.then("/jobs", at, key="sp_test_wrong"), 401, "AUTHENTICATION_FAILED")


async def test_a_moment_is_waited_for_until_all_of_it_is_on_disk(past: PastFace) -> None:
    at_us = past.clock.now_us
    past.engine.execute(jobs.create, SYSTEM, NewJob(queue_name="mail", payload=Raw(b"{}")))
    past.clock.advance(1)
    assert past.engine.log.durable_position < past.engine.state.position
    assert len((await past.then("/jobs", to_text(at_us))).json) == 1


async def test_the_command_line_says_the_same(past: PastFace) -> None:
    await lived(past, 20, Random(3))
    job_id = await past.create()
    at = past.engine.state.position
    await past.claim()
    for verb, path in ((("state", "job"), ""), (("explain",), "/explain")):
        told = spoolog(*verb, job_id, "--json", "--at", at, "--data-dir", past.data_dir)
        assert told.exit_code == 0, told.output
        answer = await past.then(f"/jobs/{job_id}{path}", at)
        assert json.loads(told.stdout) == answer.json


async def test_the_span_of_the_log(past: PastFace) -> None:
    await lived(past, 12, Random(5))
    covered = await past.snapshot()
    await lived(past, 12, Random(6))
    await past.snapshot()
    last = past.engine.state.position
    span = (await past.get("/log/span")).json
    every = {
        position: to_text(decode(position, body).at)
        for batch in Reader(past.data_dir).entries()
        for position, body in batch
    }
    assert span["first"] == 1
    assert last <= span["last"] <= past.engine.state.position
    last = span["last"]
    assert (span["first_at"], span["last_at"]) == (every[1], every[last])
    marks = [(mark["position"], mark["at"]) for mark in span["marks"]]
    assert marks == sorted(set(marks))
    assert all(every[position] == at for position, at in marks)
    assert marks[0][0] == 1
    assert 3 <= len(marks) <= landmarks.MARKS_MAX
    housekeeping.compress(past.data_dir)
    assert housekeeping.expire_older(past.data_dir, past.clock.now_us).segments
    after = (await past.get("/log/span")).json
    assert after["first"] == covered + 1
    assert after["marks"][0] == {"position": covered + 1, "at": every[covered + 1]}


async def test_there_are_never_too_many_marks(
    past: PastFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(past, 60, Random(5))
    await past.engine.log.seal()
    reader = Reader(past.data_dir)
    last = past.engine.state.position
    for most in (1, 2, 5):
        monkeypatch.setattr(landmarks, "MARKS_MAX", most)
        marks = landmarks.Landmarks(reader).upto(last)
        assert most / 2 <= len(marks) <= most
        assert marks[0].position == 1
    assert landmarks.Landmarks(reader).upto(1) == marks[:1]
