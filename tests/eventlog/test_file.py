import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import FileLog, Locked, Log, LogClosed, LogDamaged, Reader, SyncMode, verify
from eventlog.compressed import compress_log
from eventlog.directory import Home, read_identity
from eventlog.disk import OsDisk
from eventlog.frame import RecordFields, parse_record
from tests.eventlog.conformance import LogContract
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, append, body, entries, open_log, write


class TestFileLog(LogContract):
    @pytest.fixture
    def make_log(self, tmp_path: Path) -> Callable[[], Log]:
        return lambda: open_log(tmp_path / "new" / "data")


class TestFileLogOfTinySegments(LogContract):
    @pytest.fixture
    def make_log(self, tmp_path: Path) -> Callable[[], Log]:
        return lambda: open_log(tmp_path, segment_bytes_max=1)


class CompressingDisk(OsDisk):
    """Compresses all that may be whenever a segment begins, under everyone who reads."""

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        if target.suffix == ".log":
            home = Home(target.parents[1])
            identity = read_identity(self, home)
            assert identity is not None
            compress_log(self, home, identity.cluster, keep=0)


class TestFileLogOfSegmentsThatAreCompressedAtOnce(LogContract):
    @pytest.fixture
    def make_log(self, tmp_path: Path) -> Callable[[], Log]:
        return lambda: open_log(tmp_path, segment_bytes_max=1, disk=CompressingDisk())


class TestFileLogSyncedAtIntervals(LogContract):
    @pytest.fixture
    def make_log(self, tmp_path: Path) -> Callable[[], Log]:
        return lambda: open_log(tmp_path, sync=SyncMode.INTERVAL, sync_interval_ms=1)


class TestFileLogNeverSynced(LogContract):
    @pytest.fixture
    def make_log(self) -> Callable[[], Log]:
        return lambda: open_log(disk=MemoryDisk(), sync=SyncMode.NONE)


async def test_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        log = open_log(tmp_path)
        assert (log.epoch, log.last) == (epoch - 1, 4 * (epoch - 1))
        assert await all_of(log) == entries(log.last)
        assert await log.begin() == log.epoch == epoch
        assert log.recovery is None
        await write(log, batches=2)
        await log.close()
    verified = verify(tmp_path)
    assert (verified.records, verified.segments, verified.epochs) == (12, 3, [1, 2, 3])
    assert verified.mark == 12


def _contents(directory: Path) -> dict[Path, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != "LOCK")
    return {path: path.read_bytes() for path in files}


async def test_opening_changes_nothing_but_the_lock(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    await write(log, batches=1)
    await log.close()
    before = _contents(tmp_path)
    log = open_log(tmp_path)
    assert await all_of(log) == entries(2)
    await log.close()
    assert _contents(tmp_path) == before


async def test_starts_without_records_leave_no_empty_segment(tmp_path: Path) -> None:
    for _ in range(3):
        log = open_log(tmp_path)
        await log.begin()
        await log.close()
    assert [path.name for path in (tmp_path / "log").iterdir()] == [f"{1:020}.log"]
    log = open_log(tmp_path)
    assert await log.begin() == 4
    await write(log, batches=1)
    await log.close()
    assert verify(tmp_path).epochs == [4]


async def test_second_open_says_who_holds_the_lock(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(Locked, match=f"pid {os.getpid()} on host") as caught:
        open_log(tmp_path)
    assert str(tmp_path) in str(caught.value)
    await log.close()
    await open_log(tmp_path).close()


async def test_refused_open_lets_go_of_the_lock() -> None:
    disk = MemoryDisk()
    await open_log(disk=disk).close()
    disk.put(HOME.meta, b"{")
    for _ in range(2):
        with pytest.raises(LogDamaged):
            open_log(disk=disk)
    assert disk.open_files == 0


async def test_closing_before_begin_and_again() -> None:
    log = open_log(disk=MemoryDisk())
    await log.durable(0)
    with pytest.raises(LogClosed):
        await log.durable(1)
    with pytest.raises(LogClosed):
        await anext(log.follow(0))
    await log.close()
    await log.close()
    with pytest.raises(LogClosed):
        await log.begin()


async def test_every_file_is_closed() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=5)
    await log.close()
    assert disk.open_files == 0


async def test_close_that_is_cancelled_still_closes(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    log.append(1, body(1))
    closing = asyncio.ensure_future(log.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await log.close()
    assert verify(tmp_path).records == 1


async def test_rotation_under_concurrent_appends_and_a_follower(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=2_000)
    await log.begin()
    followed: list[tuple[int, bytes]] = []

    async def follow() -> None:
        async for batch in log.follow(0):
            followed.extend(batch)

    async def work() -> None:
        for _ in range(50):
            await append(log, log.last + 1)

    follower = asyncio.ensure_future(follow())
    await asyncio.gather(*(work() for _ in range(8)))
    stat = log.stat()
    await log.close()
    await follower
    assert followed == entries(400)
    verified = verify(tmp_path)
    assert verified.records == stat.last == stat.durable == stat.synced == 400
    assert verified.segments == stat.segments > 10
    assert verified.chain_hex == stat.chain
    assert stat.pending_bytes == 0


async def test_stat_counts_what_is_on_disk(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=800)
    await log.begin()
    await write(log, batches=6)
    files = [path.stat().st_size for path in (tmp_path / "log").iterdir()]
    assert (log.stat().segments, log.stat().bytes) == (len(files), sum(files))
    log.append(13, body(13))
    assert log.stat().pending_bytes > len(body(13))
    await log.close()
    log = open_log(tmp_path)
    assert log.stat().segments == len(list((tmp_path / "log").iterdir()))
    assert log.stat().bytes == sum(path.stat().st_size for path in (tmp_path / "log").iterdir())
    await log.close()


def _frames(disk: MemoryDisk) -> list[RecordFields]:
    data = disk.content()[HOME.segment(1)]
    return [record for line in data.split(b"\n") if (record := parse_record(line))]


async def test_batch_is_the_first_position_of_one_sync() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await append(log, 1, 2, 3)
    await append(log, 4)
    await append(log, 5, 6)
    assert [record.batch for record in _frames(disk)] == [1, 1, 1, 4, 5, 5]
    await log.close()


async def test_without_sync_the_batch_stays_behind_the_last_sync() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, sync=SyncMode.NONE)
    await log.begin()
    await append(log, 1, 2)
    await append(log, 3)
    assert [record.batch for record in _frames(disk)] == [1, 1, 1]
    assert (log.durable_position, log.stat().synced, Reader(HOME.directory, disk).mark()) == (
        3,
        0,
        0,
    )
    assert (
        not disk.after_power_loss(keep_mark=True).content()[HOME.segment(1)].count(b"job.created")
    )
    await log.close()
    assert Reader(HOME.directory, disk).mark() == 3


async def test_interval_syncs_by_itself() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, sync=SyncMode.INTERVAL, sync_interval_ms=1)
    await log.begin()
    await append(log, 1, 2)
    while log.stat().synced < 2:  # noqa: ASYNC110 - nobody is told of a sync
        await asyncio.sleep(0)
    assert Reader(HOME.directory, disk).mark() == 2
    await append(log, 3)
    assert [record.batch for record in _frames(disk)] == [1, 1, 3]
    await log.close()


async def test_large_appends_are_split_into_batches(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    for position in range(1, 10):
        log.append(position, b"x" * 1_000_000)
    await log.durable(9)
    batches = {line.batch for line in Reader(tmp_path).lines()}
    assert batches == {1, 6}
    await log.close()


async def test_data_directory_is_private_and_sealed_segments_read_only(tmp_path: Path) -> None:
    log: FileLog = open_log(tmp_path / "data")
    await log.begin()
    await write(log, batches=1)
    await log.close()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "data" / "log" / f"{1:020}.log").stat().st_mode & 0o777 == 0o440


async def test_a_seal_ends_the_segment_between_two_batches(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    assert await log.seal() == 0, "nothing to seal: the segment stays"
    await append(log, 1, 2)
    log.append(3, body(3))
    assert await log.seal() == 3
    assert await log.seal() == 3
    await append(log, 4)
    segments = Reader(tmp_path).segments()
    assert [(part.base, part.sealed) for part in segments] == [(1, True), (4, False)]
    assert log.stat().segments == 2
    assert await all_of(log) == entries(4)
    await log.close()
    assert verify(tmp_path).records == 4
    found = open_log(tmp_path)
    assert found.state_after(3) == segments[1].header.state
    assert found.state_after(2) is None
    assert found.state_after(4) == Reader(tmp_path).segments()[1].footer.state
    await found.close()
