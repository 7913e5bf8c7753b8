"""A fork is whole, durable and sound, or it is no log at all."""

from typing import Any

import pytest

from eventlog import LogError, Reader, verify
from eventlog.fork import Forked, fork
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, append, open_log
from tests.eventlog.test_backup import NOW_US, THERE, Meanwhile, a_log, compressing, content, grown

AT = 9


def forked(disk: MemoryDisk, position: int = AT, **options: Any) -> Forked:
    private = ("secret", "api-key")
    return fork(
        HOME.directory,
        THERE.directory,
        position,
        now_us=NOW_US,
        private=private,
        disk=disk,
        **options,
    )


def assert_same_history(disk: MemoryDisk, position: int) -> None:
    lines = [list(Reader(home.directory, disk).lines()) for home in (HOME, THERE)]
    told = [[(line.position, line.chain, line.body) for line in of] for of in lines]
    assert told[1] == told[0][:position]


@pytest.mark.parametrize("close", [True, False])
async def test_it_ends_at_any_record_and_can_be_written_to(*, close: bool) -> None:
    source = await a_log(close=close)
    last = verify(HOME.directory, disk=source).last
    for position in range(1, last + 3):
        disk = source.copy()
        before = content(disk, HOME)
        heard: list[tuple[int, int]] = []
        made = forked(
            disk, position, progress=lambda done, of, heard=heard: heard.append((done, of))
        )
        sound = verify(THERE.directory, disk=disk)
        assert made.position == sound.last == sound.mark == min(position, last)
        assert (made.chain, made.bytes) == (sound.chain_hex, sound.bytes)
        assert heard[-1][0] == made.bytes
        assert_same_history(disk, position)
        assert content(disk, HOME) == before
        log = open_log(THERE.directory, disk=disk)
        await log.begin()
        await append(log, made.position + 1)
        assert len(await all_of(log)) == made.position + 1
        await log.close()
        assert verify(THERE.directory, disk=disk).last == made.position + 1


@pytest.mark.parametrize("keep_mark", [True, False])
async def test_killed_at_every_call_it_is_whole_or_no_log(*, keep_mark: bool) -> None:
    disk = await a_log()
    fail_at = 0
    while True:
        fail_at += 1
        failing = disk.copy()
        failing.fail_at = fail_at
        try:
            forked(failing)
        except OSError:
            done = False
            assert failing.open_files == 0
        else:
            done = True
        failing.fail_at = None
        for left in (failing, failing.after_power_loss(keep_mark=keep_mark)):
            assert content(left, HOME) == content(disk, HOME)
            if done or THERE.meta in left.content():
                assert verify(THERE.directory, disk=left).mark == AT
                assert content(left, THERE)["secret"] == content(disk, HOME)["secret"]
            else:
                with pytest.raises(LogError):
                    Reader(THERE.directory, left)
        if done:
            break
    assert fail_at > 30


async def test_segments_that_are_compressed_meanwhile_are_looked_for_again() -> None:
    files = (await grown(await a_log(2), batches=5)).content()
    look, done = 0, False
    while not done:
        look += 1
        left = Meanwhile(files, look, compressing)
        made = forked(left)
        done = left.looks_left > 0
        left.looks_left = 0
        assert made.position == verify(THERE.directory, disk=left).last == AT
        assert_same_history(left, AT)
    assert look > 10


async def test_it_never_knows_more_than_a_power_loss_leaves() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, sync="none")
    await log.begin()
    await append(log, 1)
    assert verify(HOME.directory, disk=disk.after_power_loss(keep_mark=True)).last == 0
    assert forked(disk, 1).position == 1
    assert verify(HOME.directory, disk=disk.after_power_loss(keep_mark=True)).last == 1
    await log.close()
