"""The process that shows the past: its beginning and end, its bounds, and what it leaves alone."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server import past as module
from server.past import command_of
from server.settings import Settings
from tests.fakes import SECOND_US
from tests.server.harness import Answer, assert_refused, background, turns, until
from tests.server.pastface import PastFace, past_face
from tests.tools.workbench import ask, server

Starting = Callable[..., Awaitable[PastFace]]


@pytest.fixture
async def starting(aiohttp_client: Any, tmp_path: Path) -> AsyncIterator[Starting]:
    faces: list[PastFace] = []

    async def start(**options: Any) -> PastFace:
        face = await past_face(aiohttp_client, tmp_path / "data", **options)
        await face.create()
        faces.append(face)
        return face

    yield start
    for face in faces:
        await face.client.close()
        await face.engine.log.close()


def after(code: str, data_dir: Path) -> list[str]:
    """Give a command that runs some code and then becomes the real process."""
    command = command_of(Settings(data_dir=data_dir, past_memory_bytes=0))
    code = f"import os, sys, signal\n{code}\nos.execv(sys.executable, {command!r})"
    return [sys.executable, "-c", code]


class Gate:
    """Holds back the process until it is opened; told by a file that it is there."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "gate"
        os.mkfifo(self.path)
        self.command = after(f"open({str(self.path)!r}).read()", tmp_path / "data")

    async def open(self) -> None:
        """Let the process go on; waits until it stands there."""
        await asyncio.to_thread(self.path.write_bytes, b"")


def has_ended(pid: int) -> bool:
    """Whether a process is no more, or only waits for somebody to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_it_is_another_process_at_low_priority_and_the_loop_goes_on(
    starting: Starting, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)
    face = await starting(command=gate.command)
    assert face.past.process.pid is None, "nobody has asked"
    asking = background(face.then("/jobs", 1))
    await until(lambda: face.past.waiting)
    assert (await face.get("/jobs")).status == 200
    await face.create()
    await gate.open()
    assert (await asking).status == 200
    assert face.pid != os.getpid()
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, face.pid) == min(mine + 10, 19)
    assert face.past.process.memory_bytes() > 0


async def test_a_process_that_was_killed_is_started_again(starting: Starting) -> None:
    face = await starting()
    assert (await face.then("/jobs", 1)).status == 200
    pid = face.pid
    os.kill(pid, signal.SIGKILL)
    assert (await face.then("/jobs", 2)).status == 200
    assert face.pid != pid
    assert has_ended(pid)
    assert (face.past.process.started, face.past.failures) == (2, 0)


async def test_a_question_whose_process_dies_is_asked_once_more(
    starting: Starting, tmp_path: Path
) -> None:
    been = tmp_path / "been"
    dying = f"p = {str(been)!r}\nif not os.path.exists(p): open(p, 'w'); sys.stdin.buffer.read(9); "
    dying += "os.kill(os.getpid(), signal.SIGKILL)"
    face = await starting(command=after(dying, tmp_path / "data"))
    assert (await face.then("/jobs", 1)).status == 200
    assert been.exists()
    assert (face.past.process.started, face.past.failures) == (2, 0)


async def test_one_that_always_dies_is_told_and_does_not_keep_others_waiting(
    starting: Starting,
) -> None:
    face = await starting(command=[sys.executable, "-c", "raise SystemExit(3)"])
    for count in (1, 2):
        refused = await face.then("/jobs", 1)
        assert_refused(refused, 503, "PAST_UNAVAILABLE")
        assert int(refused.headers["Retry-After"]) >= 1
        assert (face.past.process.started, face.past.failures) == (2 * count, count)
    assert face.past.process.pid is None
    assert (await face.get("/jobs")).status == 200


async def test_a_command_that_is_none(starting: Starting) -> None:
    face = await starting(command=["/nonexistent/python"])
    assert_refused(await face.then("/jobs", 1), 503, "PAST_UNAVAILABLE")


async def test_only_so_many_may_wait(starting: Starting, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    face = await starting(command=gate.command, waiting_max=2)
    asking = [background(face.then("/jobs", at)) for at in (1, 2)]
    await until(lambda: face.past.waiting == 2)
    refused = await face.then("/jobs", 0)
    assert_refused(refused, 503, "PAST_BUSY")
    assert int(refused.headers["Retry-After"]) >= 1
    asking.append(background(face.then("/jobs", 1)))  # the same again is no further question
    await until(lambda: face.past.asked == 4)
    await turns()
    assert face.past.waiting == 2
    await gate.open()
    answers = [await one for one in asking]
    assert [one.status for one in answers] == [200] * 3
    assert answers[0].content == answers[2].content
    assert (await face.then("/jobs", 0)).status == 200
    assert face.past.process.started == 1


async def test_long_questions_take_their_room_in_memory_too(starting: Starting) -> None:
    face = await starting(cache_bytes_max=20_000)
    for n in range(8):
        assert (await face.then(f"/jobs?q={n}{'x' * 900}&status={',' * 3_000}", 1)).json == []
    assert (await face.then(f"/jobs?q=7{'x' * 900}&status=unheard-of", 1)).json == []
    assert face.past.hits == 1, "statuses that do not exist make no other question"
    for n in range(20):
        await face.then(f"/jobs?q={n}{'y' * 900}&contains={'z' * 900}", 1)
    await face.then(f"/jobs?q=0{'y' * 900}&contains={'z' * 900}", 1)
    assert face.past.hits == 1, "the first had to make room"


async def test_what_takes_longer_is_worked_on(starting: Starting, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    face = await starting(command=gate.command, secs=0.05, patience=10_000)
    assert_refused(await face.then("/jobs", 1), 503, "PAST_NOT_YET")
    assert face.past.waiting == 1
    await gate.open()
    answer: Answer | None = None
    while answer is None or answer.status != 200:
        answer = await face.then("/jobs", 1)
    assert (face.past.process.started, face.past.waiting) == (1, 0)
    hits = face.past.hits
    assert (await face.then("/jobs", 1)).content == answer.content
    assert face.past.hits == hits + 1


async def test_what_takes_far_too_long_is_given_up(starting: Starting, tmp_path: Path) -> None:
    face = await starting(command=Gate(tmp_path).command, secs=5, patience=0.01)
    body = assert_refused(await face.then("/jobs", 1), 503, "PAST_UNAVAILABLE")
    assert "too long" in body["message"]
    assert (face.past.process.started, face.past.process.pid) == (1, None)


async def test_it_ends_when_nobody_asks(
    starting: Starting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECS", 0.01)
    face = await starting(idle_secs=0)
    assert (await face.then("/jobs", 1)).status == 200
    while face.past.process.pid is not None:  # noqa: ASYNC110 - its end is no event of ours
        await asyncio.sleep(0.01)
    assert (await face.then("/jobs", 2)).status == 200
    assert face.past.process.started == 2


async def test_nothing_is_left_at_shutdown(starting: Starting) -> None:
    face = await starting()
    assert (await face.then("/jobs", 1)).status == 200
    pid = face.pid
    await face.client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_nothing_is_left_at_shutdown_in_the_middle_of_a_question(
    starting: Starting, tmp_path: Path
) -> None:
    face = await starting(command=Gate(tmp_path).command)
    asking = background(face.then("/jobs", 1))
    await until(lambda: face.past.process.started)
    pid = face.pid
    await face.client.server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert_refused(await asking, 503, "PAST_UNAVAILABLE")


async def test_a_state_that_does_not_fit_is_told(starting: Starting) -> None:
    face = await starting(memory_bytes=200 * 1024 * 1024)
    assert (await face.then("/jobs", 2)).status == 200
    before = face.engine.state.position
    jobs = [{"payload": "x" * 1_000_000} for _ in range(20)]
    for _ in range(4):
        assert (await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": jobs})).status == 200
    body = assert_refused(await face.then("/jobs", before + 4), 503, "PAST_UNAVAILABLE")
    assert "--past-memory-bytes" in body["message"]
    assert (await face.then("/jobs", before)).status == 200
    assert face.past.failures == 1


def test_it_does_not_outlive_a_server_that_was_killed(tmp_path: Path) -> None:
    with server(tmp_path) as (child, url):
        assert ask(url, "GET", "/jobs?at=1")[0] == 200
        pids = children_of(child.process.pid)
        assert len(pids) == 1
        child.kill()
    deadline = os.times().elapsed + 30
    while not has_ended(pids[0]):
        assert os.times().elapsed < deadline


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]


def test_the_command_has_the_bounds() -> None:
    settings = Settings(data_dir=Path("/data"), past_memory_bytes=SECOND_US)
    assert command_of(settings)[1:] == ["-m", "server.pastchild", "/data", str(SECOND_US)]
