"""A disk that fails: the first error is final, and nobody is told what is not so."""

import asyncio
from errno import EIO

import pytest

from eventlog import Entry, LogClosed, LogDamaged, LogError, LogFailed, SyncMode, verify
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, append, body, entries, open_log, start, write


async def work(disk: MemoryDisk, told: list[int], mode: SyncMode = SyncMode.ALWAYS) -> None:
    """Start, write three batches with a rotation, restart, write one more."""
    for batches in (3, 1):
        log = open_log(disk=disk, segment_bytes_max=500, sync=mode)
        try:
            await log.begin()
            for _ in range(batches):
                await append(log, log.last + 1, log.last + 2)
                told.append(log.last)
        finally:
            await log.close()


async def calls_of_work(mode: SyncMode = SyncMode.ALWAYS) -> int:
    disk, told = MemoryDisk(), list[int]()
    await work(disk, told, mode)
    assert told == [2, 4, 6, 8]
    return disk.calls


async def test_every_call_may_fail_and_nothing_told_is_lost() -> None:
    calls = await calls_of_work()
    assert calls > 40
    for fail_at in range(1, calls + 1):
        disk, told = MemoryDisk(fail_at), [0]
        with pytest.raises((LogError, OSError)):
            await work(disk, told)
        assert disk.open_files == 0
        for left in (
            disk.copy(),
            disk.after_power_loss(keep_mark=True),
            disk.after_power_loss(keep_mark=False),
        ):
            found = start(left)
            assert found == entries(len(found))
            assert told[-1] <= len(found) <= told[-1] + 2
            log = open_log(disk=left)
            await log.begin()
            await write(log, batches=1)
            await log.close()
            assert verify(HOME.directory, disk=left).records == len(found) + 2


@pytest.mark.parametrize("mode", [SyncMode.ALWAYS, SyncMode.NONE])
async def test_power_loss_after_a_restart_loses_nothing_that_the_restart_found(
    mode: SyncMode,
) -> None:
    """What a killed process wrote and never synced must be synced before it is built on."""
    for fail_at in range(1, await calls_of_work(mode) + 1):
        disk = MemoryDisk(fail_at)
        with pytest.raises((LogError, OSError)):
            await work(disk, [], mode)
        disk.fail_at = None
        log = open_log(disk=disk)
        found = log.last
        await log.begin()
        assert len(start_of(disk, keep_mark=True)) == found
        await append(log, found + 1)
        assert start_of(disk, keep_mark=False) == entries(found + 1)
        await log.close()


def start_of(disk: MemoryDisk, *, keep_mark: bool) -> list[Entry]:
    return start(disk.after_power_loss(keep_mark=keep_mark))


async def test_power_loss_without_sync_loses_only_the_end() -> None:
    for fail_at in range(1, await calls_of_work(SyncMode.NONE) + 1):
        disk = MemoryDisk(fail_at)
        with pytest.raises((LogError, OSError)):
            await work(disk, [], SyncMode.NONE)
        found = start(disk.after_power_loss(keep_mark=True))
        assert found == entries(len(found))


async def test_short_writes_are_completed() -> None:
    disk, told = MemoryDisk(), list[int]()
    disk.short_writes = True
    await work(disk, told)
    assert start(disk) == entries(8)
    assert verify(HOME.directory, disk=disk).records == 8


@pytest.mark.parametrize("call", ["write", "sync_data", "overwrite"])
async def test_failure_is_final_and_told_once(call: str) -> None:
    disk, failures = MemoryDisk(), list[LogFailed]()
    log = open_log(disk=disk, on_failure=failures.append)
    await log.begin()
    await append(log, 1, 2)
    follower = asyncio.ensure_future(anext(log.follow(2)))
    await asyncio.sleep(0)
    disk.fail_in = call
    log.append(3, body(3))
    under_way = asyncio.ensure_future(log.durable(3))
    await asyncio.sleep(0)
    log.append(4, body(4))
    gathering = [asyncio.ensure_future(log.durable(4)) for _ in range(2)]
    gathering[0].cancel()
    for waiter in (under_way, gathering[1], follower):
        with pytest.raises(LogFailed) as caught:
            await waiter
        assert (caught.value.errno, caught.value.segment) == (EIO, HOME.segment(1))
    disk.fail_in = None
    with pytest.raises(LogFailed):
        await log.durable(3)
    with pytest.raises(LogFailed):
        await anext(log.follow(2))
    assert log.durable_position == 2
    assert await all_of(log) == entries(2)
    await log.durable(2)
    await log.close()
    assert len(failures) == 1
    assert disk.open_files == 0


async def test_append_after_failure_is_refused() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    disk.fail_in = "sync_data"
    with pytest.raises(LogFailed):
        await append(log, 1)
    with pytest.raises(LogFailed, match="Input/output error"):
        log.append(2, body(2))
    await log.close()


async def test_close_says_when_its_own_writing_failed() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    log.append(1, body(1))
    disk.fail_in = "sync_data"
    with pytest.raises(LogFailed):
        await log.close()
    assert disk.open_files == 0


async def test_begin_that_fails_can_be_told_from_damage() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    disk.fail_in = "rename"
    with pytest.raises(LogFailed):
        await log.begin()
    disk.fail_in = None
    with pytest.raises(LogClosed):
        await log.begin()
    await log.close()
    assert start(disk) == []
    disk.put(HOME.segment(1), b"")
    with pytest.raises(LogDamaged):
        start(disk)
