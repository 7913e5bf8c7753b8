"""Snapshots of a real log: what they hold, what a start makes of them, and what damage does."""

from itertools import count
from pathlib import Path

import pytest
from msgspec import structs

from eventlog import (
    FileLog,
    Locked,
    LogDamaged,
    Reader,
    SnapshotStore,
    verify,
)
from eventlog.disk import OsDisk
from eventlog.home import Home, keeping
from projections.decide import Policy
from projections.digest import digest
from projections.events import decode
from projections.fold import refold
from projections.snapshot import dump
from projections.state import State
from server import snapshotting
from server.engine import Engine
from server.settings import Settings
from server.snapshotting import Differs, Made, make
from server.startup import Started, open_engine
from spoolog import restore
from tests.fakes import START_US
from tools.bench.workload import an_engine, counted_clock, live_a_little
from tools.indexes import differences

SEGMENT_BYTES = 16 * 1024


async def lived(data_dir: Path, steps: int) -> int:
    """Go on with a log of many segments, and close it cleanly; give its last position."""
    log = FileLog.open(
        data_dir,
        clock=lambda: START_US,
        new_cluster_id=lambda: "c1",
        segment_bytes_max=SEGMENT_BYTES,
    )
    state = State()
    async for batch in log.read():
        for position, body in batch:
            refold(state, decode(position, body))
    await log.begin()
    numbers = count(1_000 * state.position)
    clock = counted_clock()
    engine = Engine(
        state, log, lambda: clock() + state.position, lambda: f"job-{next(numbers):09d}", Policy()
    )
    for step in range(steps):
        live_a_little(engine, step)
        if step % 10 == 0:
            await engine.durable(engine.state.position)
    await log.close()
    return log.last


def folded(data_dir: Path, upto: int) -> State:
    state = State()
    for batch in Reader(data_dir).entries():
        for position, body in batch:
            if position <= upto:
                refold(state, decode(position, body))
    return state


def made(data_dir: Path, **options: int) -> Made:
    done = make(data_dir, now_us=START_US, writer="test", **options)
    assert done is not None
    return done


def newest(data_dir: Path, upto: int | None = None) -> restore.Restored:
    reader = Reader(data_dir)
    last = reader.segments()[-1].base - 1
    found = max((part.footer.last for part in reader.segments() if part.footer), default=last)
    store = SnapshotStore(data_dir, "c1")
    return restore.newest(store, reader.state_after, last=found, upto=upto)


def spoil(path: Path, at: int = 400) -> None:
    """Flip a bit in a file, whoever may write to it."""
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


async def started(data_dir: Path) -> Started:
    return await open_engine(Settings(data_dir=data_dir, api_key="sp_test_key"), lambda _: None)


async def test_a_snapshot_is_what_the_log_adds_up_to(tmp_path: Path) -> None:
    last = await lived(tmp_path, 200)
    done = made(tmp_path)
    assert (done.position, done.folded, done.removed, done.passed_over) == (last, last, [], [])
    found = newest(tmp_path)
    expected = folded(tmp_path, last)
    assert digest(found.state) == digest(expected) == done.digest
    assert differences(found.state) == []
    assert list(dump(found.state.tables)) == list(dump(expected.tables))


async def test_the_next_is_made_of_the_one_before_and_two_stay(tmp_path: Path) -> None:
    positions = []
    for _ in range(3):
        positions.append(await lived(tmp_path, 60))
        done = made(tmp_path)
        assert done.position == positions[-1]
        assert done.folded == positions[-1] - (positions[-2] if positions[1:] else 0)
        assert digest(folded(tmp_path, done.position)) == done.digest
    assert SnapshotStore(tmp_path, "c1").positions() == [positions[2], positions[1]]
    assert newest(tmp_path, upto=positions[2] - 1).state.position == positions[1]
    again = made(tmp_path)
    assert (again.position, again.folded, again.digest) == (positions[2], 0, done.digest)


async def test_nothing_sealed_is_nothing_to_hold(tmp_path: Path) -> None:
    log = FileLog.open(tmp_path, clock=lambda: START_US, new_cluster_id=lambda: "c1")
    await log.begin()
    assert make(tmp_path, now_us=START_US, writer="test") is None
    live_a_little(an_engine(log), 0)
    sealed = await log.seal()
    assert made(tmp_path).position == sealed
    await log.close()


async def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path) -> None:
    first = await lived(tmp_path, 60)
    made(tmp_path)
    last = await lived(tmp_path, 60)
    store = SnapshotStore(tmp_path, "c1")
    spoil(store.open(made(tmp_path).position).path)
    found = newest(tmp_path)
    assert found.state.position == first
    assert len(found.passed_over) == 1
    assert f"{last:020d}.snap cannot be used: its checksum does not match" in found.passed_over[0]
    repaired = made(tmp_path)
    assert (repaired.position, repaired.folded) == (last, last - first)
    assert newest(tmp_path).passed_over == []


async def test_a_start_reads_only_what_came_after(tmp_path: Path) -> None:
    """Damage in the older log is not even seen by a start, and still by a verification."""
    await lived(tmp_path, 200)
    covered = made(tmp_path).position
    last = await lived(tmp_path, 20)
    expected = digest(folded(tmp_path, last))
    spoil(Reader(tmp_path).segments()[1].path, at=2_000)
    with pytest.raises(LogDamaged):
        verify(tmp_path)
    begun = await started(tmp_path)
    try:
        assert begun.snapshot is not None
        assert begun.snapshot.position == covered
        assert begun.replayed_records == last - covered
        assert begun.warnings == []
        assert begun.engine.state.position > last
    finally:
        await begun.engine.log.close()
    assert expected != digest(begun.engine.state), "the start itself was recorded"


@pytest.mark.parametrize("spoilt", [0, 1, 2])
async def test_a_start_comes_to_the_same_with_whatever_snapshots_are_left(
    tmp_path: Path, spoilt: int
) -> None:
    for _ in range(2):
        await lived(tmp_path, 60)
        made(tmp_path)
    last = await lived(tmp_path, 30)
    store = SnapshotStore(tmp_path, "c1")
    for position in store.positions()[:spoilt]:
        spoil(store.open(position).path)
    begun = await started(tmp_path)
    log = begun.engine.log
    try:
        assert len(begun.warnings) == spoilt
        found = State()
        async for batch in log.read():
            for position, body in batch:
                refold(found, decode(position, body))
        assert digest(found) == digest(begun.engine.state)
        assert differences(begun.engine.state) == []
        assert found.position > last
    finally:
        await log.close()


async def test_a_log_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    await lived(tmp_path, 60)
    made(tmp_path)
    await lived(tmp_path, 60)
    done = made(tmp_path)
    last = Reader(tmp_path).segments()[-1]
    last.path.unlink()
    (tmp_path / "DURABLE").unlink()
    with pytest.raises(LogDamaged, match=f"made of all up to {done.position}"):
        await started(tmp_path)


async def test_a_log_with_another_history_is_refused(tmp_path: Path) -> None:
    await lived(tmp_path / "one", 60)
    made(tmp_path / "one")
    await lived(tmp_path / "other", 61)
    other = made(tmp_path / "other")
    store = SnapshotStore(tmp_path / "one", "c1")
    foreign = SnapshotStore(tmp_path / "other", "c1").open(other.position)
    store.directory.joinpath(foreign.path.name).write_bytes(foreign.path.read_bytes())
    with pytest.raises(LogDamaged, match=r"another history|made of all up to"):
        await started(tmp_path / "one")


async def test_a_snapshot_that_is_not_what_was_folded_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(tmp_path, 60)

    def forgetful(tables: object) -> object:
        return [line.replace(b'"updated_at":', b'"updated_at":1') for line in dump(tables)]  # type: ignore[arg-type]

    monkeypatch.setattr(snapshotting, "dump", forgetful)
    with pytest.raises(Differs):
        made(tmp_path)
    assert SnapshotStore(tmp_path, "c1").positions() == []
    monkeypatch.undo()
    assert made(tmp_path).folded > 0


async def test_one_process_at_a_time(tmp_path: Path) -> None:
    await lived(tmp_path, 10)
    with keeping(OsDisk(), Home(tmp_path), "somebody"), pytest.raises(Locked, match="somebody"):
        made(tmp_path)
    made(tmp_path)


async def test_a_head_that_lies_is_refused_by_its_chain(tmp_path: Path) -> None:
    await lived(tmp_path, 60)
    done = made(tmp_path)
    store = SnapshotStore(tmp_path, "c1")
    snapshot = store.open(done.position)
    lines = list(store.lines(snapshot))
    store.write(structs.replace(snapshot.head, state="ab" * 32), lines, lambda _: None)
    with pytest.raises(LogDamaged, match="another history"):
        newest(tmp_path)
