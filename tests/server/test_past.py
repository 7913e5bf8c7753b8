"""The past over HTTP: asked with `at`, it is what was answered then, byte for byte."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from msgspec import Struct

from eventlog import FileLog
from projections.decide import Policy, access
from projections.moments import to_text
from projections.state import State
from server import housekeeping, snapshotting
from server.access import new_key
from server.app import build_app
from server.engine import SYSTEM, Engine
from server.past import Past, command_of
from server.settings import Settings
from tests.fakes import FakeClock, counting_ids
from tests.server.harness import KEY, SECRET, Answer, Face, Server, assert_refused, until

LIMITED: Final = "sp_test_of_mail_only_0123"
PATHS: Final = (
    "/jobs",
    "/jobs?limit=2&offset=1&order_by=priority&order_dir=asc",
    "/jobs?status=pending,failed&queue_name=mail",
    "/jobs?tag=vip&contains=bob&q=kind",
    "/jobs?job_type=kind1&created_after=2026-11-23T17:00:00Z",
    "/jobs/dlq",
    "/jobs/stats",
    "/queues",
    "/queues/mail",
    "/queues/mail/stats",
    "/queues/sms/stats",
    "/workers",
    "/workers/w1",
)


class PastFace(Face):
    """A server on a log in files, which shows its past."""

    data_dir: Path
    settings: Settings

    @property
    def past(self) -> Past:
        past = self.service.past
        assert past is not None
        return past

    async def then(self, path: str, at: object, **options: Any) -> Answer:
        return await self.get(f"{path}{'&' if '?' in path else '?'}at={at}", **options)


Starting = Callable[..., Awaitable[PastFace]]


@pytest.fixture
async def starting(aiohttp_client: Any, tmp_path: Path) -> AsyncIterator[Starting]:
    faces: list[PastFace] = []

    async def start(segment_bytes: int = 4_096, **options: Any) -> PastFace:
        clock = FakeClock()
        log = FileLog.open(
            tmp_path,
            clock=clock,
            new_cluster_id=lambda: "past",
            segment_bytes_max=segment_bytes,
        )
        await log.begin()
        engine = Engine(State(), log, clock, counting_ids(), Policy())
        engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "test", KEY))
        settings = Settings(data_dir=tmp_path)
        past = Past(
            options.pop("command", command_of(settings)),
            **{"secs": 30.0, "idle_secs": 600} | options,
        )
        server = Server(build_app(engine, SECRET, settings, past=past), settings)
        face = PastFace(await aiohttp_client(server), engine, clock)
        face.data_dir, face.settings = tmp_path, settings
        faces.append(face)
        return face

    yield start
    for face in faces:
        await face.client.close()
        await face.engine.log.close()


class Memory(Struct):
    """What was answered at a moment."""

    position: int
    at_us: int
    answers: dict[str, Answer]


def assert_same(then: Answer, live: Answer, memory: Memory) -> None:
    assert (then.status, then.content) == (live.status, live.content)
    assert then.headers.get("X-Has-More") == live.headers.get("X-Has-More")
    if then.status == 200:
        assert then.headers["X-Log-Position"] == str(memory.position)
    assert "X-Log-Position" not in live.headers


async def lived(face: PastFace, steps: int, seed: int) -> list[Memory]:
    """Let a random history happen, and remember what was answered after each step."""
    random, jobs = Random(seed), list[str]()
    face.add_key(LIMITED, "mail")
    memories = []
    for _ in range(steps):
        await _step(face, random, jobs)
        known = jobs[-3:] + jobs[:1]
        paths = [*PATHS, *(f"/jobs/{job_id}{end}" for job_id in known for end in ("", "/explain"))]
        position = face.engine.state.position
        answers = {path: await face.get(path) for path in paths}
        assert face.engine.state.position == position
        memories.append(Memory(position, face.clock.now_us, answers))
        face.clock.advance(random.choice([0.5, 1, 40]))
    return memories


async def _step(face: PastFace, random: Random, jobs: list[str]) -> None:
    match random.randrange(9):
        case 0 | 1 | 2:
            payload = {"job_type": f"kind{random.randrange(3)}", "to": "bob"}
            fields = {"priority": random.randrange(5), "tags": ["vip"], "max_retries": 1}
            jobs.append(await face.create(random.choice(["mail", "sms"]), payload, **fields))
        case 3 | 4:
            for job in await face.claim(random.choice(["mail", "sms"])):
                await face.settle(random.choice(["complete", "fail"]), job["id"])
        case 5:
            await face.claim("mail")
        case 6:
            await face.post(
                "/workers/register", {"queue_name": "mail", "hostname": "h", "worker_id": "w1"}
            )
        case 7:
            await face.put("/queues/mail/config", {"max_retries": random.randrange(9)})
        case _:
            verb = random.choice(["pause", "resume"])
            await face.post(f"/queues/mail/{verb}")


async def compare(face: PastFace, memories: list[Memory]) -> None:
    for memory in memories:
        for at in (memory.position, to_text(memory.at_us)):
            for path, live in memory.answers.items():
                if at == memory.position and ("/stats" in path or "/explain" in path):
                    continue  # a position means the moment of its record
                assert_same(await face.then(path, at), live, memory)


@pytest.mark.parametrize("seed", [1, 2])
async def test_it_is_what_was_answered_then(starting: Starting, seed: int) -> None:
    face = await starting()
    memories = await lived(face, 30, seed)
    shuffled = memories[::3]
    Random(seed).shuffle(shuffled)
    await compare(face, memories[::4])
    await compare(face, shuffled)
    assert face.past.process.started == 1
    assert face.past.process.pid not in {None, os.getpid()}
