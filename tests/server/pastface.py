"""A server on a log in files that shows its past, and a memory of what it answered."""

from pathlib import Path
from random import Random
from typing import Any, Final

from msgspec import Struct

from eventlog import FileLog, SnapshotStore
from projections.decide import Policy, access
from projections.state import State
from server import snapshotting
from server.access import new_key
from server.app import build_app
from server.engine import SYSTEM, Engine
from server.past import Past, command_of
from server.settings import Settings
from tests.fakes import FakeClock, counting_ids
from tests.server.harness import KEY, SECRET, Answer, Face, Server

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
    """A server whose log is in files under `data_dir`."""

    data_dir: Path

    @property
    def past(self) -> Past:
        past = self.service.past
        assert past is not None
        return past

    @property
    def pid(self) -> int:
        """The number of the process that shows the past, which must be there."""
        pid = self.past.process.pid
        assert pid is not None
        return pid

    async def then(self, path: str, at: object, **options: Any) -> Answer:
        return await self.get(f"{path}{'&' if '?' in path else '?'}at={at}", **options)

    async def snapshot(self) -> int:
        """Make a snapshot of all there is, and give its position."""
        await self.engine.log.seal()
        made = snapshotting.make(self.data_dir, now_us=self.clock.now_us, writer="test")
        assert made is not None
        assert made.position in SnapshotStore(self.data_dir, "past").positions()
        return made.position


async def past_face(
    aiohttp_client: Any, data_dir: Path, *, memory_bytes: int = 0, **options: Any
) -> PastFace:
    """Start a server on an empty log; `options` are those of `Past`."""
    clock = FakeClock()
    log = FileLog.open(
        data_dir, clock=clock, new_cluster_id=lambda: "past", segment_bytes_max=4_096
    )
    await log.begin()
    engine = Engine(State(), log, clock, counting_ids(), Policy())
    engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "test", KEY))
    settings = Settings(data_dir=data_dir, past_memory_bytes=memory_bytes)
    options = {"command": command_of(settings), "secs": 60.0, **options}
    server = Server(build_app(engine, SECRET, settings, past=Past(**options)), settings)
    face = PastFace(await aiohttp_client(server), engine, clock)
    face.data_dir = data_dir
    return face


class Memory(Struct):
    """What was answered at a moment."""

    position: int
    at_us: int
    answers: dict[str, Answer]


async def lived(face: PastFace, steps: int, random: Random) -> list[Memory]:
    """Let a random history happen, and remember what was answered after each step."""
    jobs: list[str] = []
    memories = []
    for _ in range(steps):
        await _step(face, random, jobs)
        known = jobs[-3:] + jobs[:1]
        paths = [*PATHS, *(f"/jobs/{job_id}{end}" for job_id in known for end in ("", "/explain"))]
        answers = {path: await face.get(path) for path in paths}
        memories.append(Memory(face.engine.state.position, face.clock.now_us, answers))
        face.clock.advance(random.choice([0.5, 1, 40]))
    return memories


async def _step(face: PastFace, random: Random, jobs: list[str]) -> None:
    queue = random.choice(["mail", "sms"])
    match random.randrange(9):
        case 0 | 1 | 2:
            payload = {"job_type": f"kind{random.randrange(3)}", "to": "bob"}
            fields = {"priority": random.randrange(5), "tags": ["vip"], "max_retries": 1}
            jobs.append(await face.create(queue, payload, **fields))
        case 3 | 4:
            for job in await face.claim(queue):
                await face.settle(random.choice(["complete", "fail"]), job["id"])
        case 5:
            await face.claim(queue)
        case 6:
            worker = {"queue_name": "mail", "hostname": "h", "worker_id": "w1"}
            assert (await face.post("/workers/register", worker)).status in {201, 409}
        case 7:
            await face.put("/queues/mail/config", {"max_retries": random.randrange(9)})
        case _:
            await face.post(f"/queues/mail/{random.choice(['pause', 'resume'])}")
