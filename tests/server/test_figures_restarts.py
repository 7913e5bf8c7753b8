"""The figures over time after a restart against those of the server that never stopped."""

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import structs

from eventlog import FileLog, Reader, SnapshotStore
from eventlog.backup import archive
from eventlog.disk import OsDisk
from eventlog.fork import fork
from eventlog.home import Home, figures_positions
from projections.bounds import DAY_US, MINUTE_US
from projections.moments import to_text
from server import figures, snapshotting, startup
from server.app import build_app
from server.figures import Figures
from server.settings import Settings
from tests.fakes import START_US, FakeClock
from tests.server.harness import KEY, Face, Server

QUEUES = ("mail", "sms", "none")
ERRORS = ("boom", "timeout after 3 s", "no such file: /tmp/x")


class Clock(FakeClock):
    """A clock that a server starts with."""

    def start_at(self, at_us: int) -> None:
        self.now_us = max(self.now_us, at_us)


class FileFace(Face):
    """A server that was started from its data directory."""

    data_dir: Path
    warnings: list[str]

    async def snapshot(self) -> int:
        """Make a snapshot of all there is, as the child process does, and give its position."""
        await self.engine.log.seal()
        made = snapshotting.make(self.data_dir, now_us=self.clock.now_us, writer="test")
        assert made is not None
        return made.position

    async def again(self, clients: Any, to: Path) -> "FileFace":
        """Start another server from the data directory as it stands, as after a crash."""
        await self.engine.durable(self.engine.state.position)
        shutil.copytree(self.data_dir, to)
        return await file_face(clients, to, Clock(self.clock.now_us))


async def file_face(clients: Any, data_dir: Path, clock: Clock) -> FileFace:
    settings = Settings(data_dir=data_dir, api_key=KEY, segment_bytes=16_384)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(startup, "WallClock", lambda: clock)
        started = await startup.open_engine(settings, lambda _: None)
    app = build_app(started.engine, started.secret, settings, series=started.series)
    face = FileFace(await clients(Server(app, settings)), started.engine, clock)
    face.data_dir, face.warnings = data_dir, started.warnings
    return face


@pytest.fixture
async def face(aiohttp_client: Any, tmp_path: Path) -> Any:
    face = await file_face(aiohttp_client, tmp_path / "data", Clock())
    yield face
    assert isinstance(face.engine.log, FileLog)
    await face.engine.log.close()


async def live(face: Face, random: Random, steps: int) -> None:
    """Let anything happen that is counted, a few minutes a step."""
    for _ in range(steps):
        queue = random.choice(QUEUES[:2])
        match random.randrange(6):
            case 0 | 1:
                later = to_text(face.clock() + random.choice([5, 900]) * 1_000_000)
                when = random.choice([{}, {"scheduled_at": later}])
                await face.create(queue, max_retries=random.randrange(3), **when)
            case 2 | 3:
                jobs = await face.claim(queue, limit=2, lease_duration_secs=3_600)
                face.clock.advance(random.choice([0.2, 30]))
                for job in jobs:
                    verb = random.choice(["complete", "fail"])
                    error = {"error": random.choice(ERRORS)} if verb == "fail" else {}
                    await face.settle(verb, job["id"], **error)
            case 4:
                await face.claim(queue, lease_duration_secs=5)  # and lose it
            case _:
                waiting = await face.summaries(f"status=pending&queue_name={queue}&limit=1")
                for job in waiting:
                    await face.delete(f"/jobs/{job['id']}")
        face.advance(random.choice([0.5, 3, 40, 600]))


async def told(face: Face) -> dict[str, Any]:
    """Give all that is told of what was counted."""
    dashboard = (await face.get("/dashboard")).json
    wanted = ("jobs", "recent_activity", "throughput", "failures", "glance", "figures_since")
    found = {name: dashboard[name] for name in wanted}
    for queue in QUEUES:
        for secs in (600, 3_600, 86_400):
            answer = await face.get(f"/queues/{queue}/series?since_secs={secs}")
            found[f"{queue} {secs}"] = answer.json
        found[f"{queue} timings"] = (await face.get(f"/queues/{queue}/timings")).json
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("after", [0, 20])
async def test_a_restart_tells_what_was_told(
    face: FileFace, aiohttp_client: Any, tmp_path: Path, seed: int, after: int
) -> None:
    random = Random(seed)
    for _ in range(random.randrange(1, 4)):  # up to a day and a half
        await live(face, random, random.randrange(40, 160))
        await face.snapshot()
    await live(face, random, after)
    face.advance(5)
    again = await face.again(aiohttp_client, tmp_path / "again")
    before = await told(face)
    assert before == await told(again)
    assert again.warnings == []
    assert before["throughput"]["day"]["in_per_sec"] > 0
    assert before["failures"]
    assert before["figures_since"] == to_text(face.clock() - DAY_US)
    # And so it goes on.
    await live(again, random, 30)
    await again.snapshot()
    again.advance(5)
    third = await again.again(aiohttp_client, tmp_path / "third")
    assert await told(again) == await told(third)
    for one in (again, third):
        await one.engine.log.close()


async def test_a_clean_end_loses_nothing_either(
    face: FileFace, aiohttp_client: Any, tmp_path: Path
) -> None:
    await live(face, Random(7), 100)
    await face.snapshot()
    face.advance(5)
    before = await told(face)
    await face.engine.log.close()
    shutil.copytree(face.data_dir, tmp_path / "again")
    again = await file_face(aiohttp_client, tmp_path / "again", Clock(face.clock.now_us))
    assert before == await told(again)
    await again.engine.log.close()


def of_another_history(path: Path) -> None:
    disk, home = OsDisk(), Home(path.parent.parent)
    figures.write(disk, home, Figures.since(0), int(path.stem), "0" * 64)


def of_another_format(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "FORMAT", "2")
        home = Home(path.parent.parent)
        head = SnapshotStore(home.directory, Reader(home.directory).identity.cluster).open(
            int(path.stem)
        )
        figures.write(OsDisk(), home, Figures.since(0), int(path.stem), head.head.state)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "warned"),
    [
        (Path.unlink, False),
        (flipped, True),
        (lambda path: path.write_bytes(b""), True),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), True),
        (of_another_history, True),
        (of_another_format, True),
    ],
)
async def test_without_them_the_figures_begin_with_the_snapshot(
    face: FileFace, aiohttp_client: Any, tmp_path: Path, spoil: Any, warned: bool
) -> None:
    await live(face, Random(1), 60)
    position = await face.snapshot()
    since = to_text(face.engine.state.tables.at)
    face.advance(3_600)
    spoil(Home(face.data_dir).figures(position))
    again = await face.again(aiohttp_client, tmp_path / "again")
    assert len(again.warnings) == warned
    found = await told(again)
    assert found["figures_since"] == since
    assert found["mail 86400"]["from"] <= since
    assert len(found["mail 86400"]["points"]) < 20
    assert len((await told(face))["mail 86400"]["points"]) > 280
    # The next snapshot goes on from there, and a later start knows of all that came since.
    await live(again, Random(2), 60)
    await again.snapshot()
    again.advance(5)
    third = await again.again(aiohttp_client, tmp_path / "third")
    assert third.warnings == []
    assert await told(third) == await told(again)
    assert (await told(third))["figures_since"] == since
    for one in (again, third):
        await one.engine.log.close()


async def test_figures_of_another_day_are_let_go(
    face: FileFace, aiohttp_client: Any, tmp_path: Path
) -> None:
    await live(face, Random(1), 60)
    await face.snapshot()
    face.advance(3 * 86_400)
    again = await face.again(aiohttp_client, tmp_path / "again")
    assert await told(face) == await told(again)
    assert again.service.series.figures.since_us > face.clock() - 2 * DAY_US
    await again.engine.log.close()


async def test_they_stay_as_long_as_their_snapshots_and_go_where_these_go(
    face: FileFace, tmp_path: Path
) -> None:
    positions = []
    for seed in range(4):
        await live(face, Random(seed), 30)
        positions.append(await face.snapshot())
        there = figures_positions(OsDisk(), Home(face.data_dir))
        assert there == positions[-2:]
        archive(face.data_dir, tmp_path / "backup", now_us=START_US)
        assert figures_positions(OsDisk(), Home(tmp_path / "backup")) == positions[-2:]
    last = Home(face.data_dir).figures(positions[-1])
    copy = Home(tmp_path / "backup").figures(positions[-1])
    assert copy.read_bytes() == last.read_bytes()
    fork(face.data_dir, tmp_path / "fork", positions[-1] - 1, now_us=START_US)
    assert figures_positions(OsDisk(), Home(tmp_path / "fork")) == positions[-2:-1]


async def test_what_is_kept_is_what_was_counted(face: FileFace) -> None:
    await live(face, Random(3), 150)
    counted = face.service.series.figures
    disk, home = OsDisk(), Home(face.data_dir)
    position = await face.snapshot()
    store = SnapshotStore(face.data_dir, Reader(face.data_dir).identity.cluster)
    snapshot = store.open(position)
    warnings: list[str] = []
    kept = figures.read(disk, home, snapshot, warnings.append)
    assert kept is not None
    assert kept.failures == counted.failures
    assert (
        set(kept.queues.rings)
        == set(counted.queues.rings)
        == {
            ("default", "mail"),
            ("default", "sms"),
        }
    )
    assert kept.since_us == face.clock() - DAY_US - 10 * MINUTE_US
    figures.write(disk, home, counted, position, snapshot.head.state)
    assert structs.asdict(figures.read(disk, home, snapshot, warnings.append)) == structs.asdict(
        counted
    )
    assert warnings == []
