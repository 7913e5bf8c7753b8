"""Repair of logs whose segments are compressed, and of logs that have let records expire."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from eventlog import verify
from eventlog.compressed import compress_log
from eventlog.diagnosis import Damage, Sound
from eventlog.errors import Locked, RepairRefused
from eventlog.home import keeping
from eventlog.repairs import repairs
from eventlog.retention import expire
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, body, open_log, write
from tests.eventlog.sums import add_snapshots
from tests.eventlog.test_repair import (
    DAMAGES,
    LAST,
    a_log,
    assert_nothing_is_lost,
    data_files,
    flip,
    look,
    repair,
)

FIRST = 5


async def compressed_log() -> MemoryDisk:
    disk = await a_log(sealed=False)
    compress_log(disk, HOME, "c1", keep=0)
    return disk


def flip_byte(disk: MemoryDisk, base: int, at: int) -> None:
    data = bytearray(disk.content()[HOME.archive(base)])
    data[at] ^= 1
    disk.put(HOME.archive(base), bytes(data))


def finish(disk: MemoryDisk, position: int) -> None:
    if isinstance(look(disk), Damage):
        repair(disk, position)
    assert look(disk) == Sound(position - 1, None)


async def assert_begins_and_goes_on(disk: MemoryDisk, first: int, last: int) -> None:
    found = verify(HOME.directory, disk=disk)
    assert (found.first, found.last) == (first, last)
    log = open_log(disk=disk)
    assert log.last == last
    await log.begin()
    await write(log, batches=1)
    read = [entry async for batch in log.read(first - 1) for entry in batch]
    assert read == [(position, body(position)) for position in range(first, last + 3)]
    await log.close()
    assert verify(HOME.directory, disk=disk).last == last + 2


async def test_damaged_compressed_segment_is_cut_where_it_can_be_read_no_more() -> None:
    whole = await compressed_log()
    found_at = set()
    for at in range(0, whole.size(HOME.archive(9)), 5):
        disk = whole.copy()
        flip_byte(disk, 9, at)
        files = data_files(disk)
        found = look(disk)
        assert isinstance(found, Damage)
        assert (found.error.file, found.restorable, found.last) == (*[HOME.archive(9)] * 2, LAST)
        made = repair(disk, found.position)
        found_at.add(found.position)
        assert_nothing_is_lost(files, disk)
        for file in made.files:
            assert sha256(disk.content()[HOME.quarantine / file.file]).hexdigest() == file.sha256
        assert look(disk) == Sound(found.position - 1, None)
        assert HOME.archive(9) not in disk.content()
        await assert_begins_and_goes_on(disk, 1, found.position - 1)
    # The frame of the records, or the whole; or only the frame of the footer.
    assert found_at == {9, 11}


@pytest.mark.parametrize("at", ["records", "footer"])
async def test_killed_at_every_call_the_cut_of_a_compressed_segment_can_be_finished(
    at: str,
) -> None:
    whole = await compressed_log()
    size = whole.size(HOME.archive(9))
    positions = {"records": (9, size // 2), "footer": (11, size - 60)}
    position, byte = positions[at]
    flip_byte(whole, 9, byte)
    found = look(whole)
    assert isinstance(found, Damage)
    assert found.position == position
    files, failed, fail_at = data_files(whole), True, 0
    while failed:
        fail_at += 1
        disk = whole.copy()
        disk.fail_at = fail_at
        try:
            repair(disk, position)
            failed = False
        except OSError:
            assert disk.open_files == 0
        disk.fail_at = None
        for left in (disk, disk.after_power_loss(keep_mark=True)):
            finish(left, position)
            assert_nothing_is_lost(files, left)
            assert len(repairs(left, HOME)) == 1
            await assert_begins_and_goes_on(left, 1, position - 1)


async def expired_log() -> MemoryDisk:
    disk = await a_log(sealed=False)
    for path in list(disk.content()):
        if path.parent == HOME.snapshots:
            disk.remove(path)
    add_snapshots(disk, 4, 8, 18)
    expire(disk, HOME, "c1", before=FIRST, covered=LAST)
    return disk


@pytest.mark.parametrize(
    ("harm", "position"),
    [(harm, position) for harm, position, _ in DAMAGES if position > FIRST],
    ids=[harm.__name__ for harm, position, _ in DAMAGES if position > FIRST],
)
async def test_log_that_begins_later_is_cut_as_any(
    harm: Callable[[MemoryDisk], None], position: int
) -> None:
    disk = await expired_log()
    harm(disk)
    files = data_files(disk)
    with pytest.raises(RepairRefused, match=f"first damaged record is {position}"):
        repair(disk, position + 1)
    repair(disk, position)
    assert_nothing_is_lost(files, disk)
    await assert_begins_and_goes_on(disk, FIRST, position - 1)


async def test_log_that_begins_later_is_cut_at_its_beginning_and_at_every_call() -> None:
    whole = await expired_log()
    data = whole.content()[HOME.segment(FIRST)].splitlines(keepends=True)
    whole.put(HOME.segment(FIRST), b"".join(flip(1)(data)))
    found = look(whole)
    assert isinstance(found, Damage)
    assert (found.position, found.served) == (FIRST, True)
    files, failed, fail_at = data_files(whole), True, 0
    while failed:
        fail_at += 1
        disk = whole.copy()
        disk.fail_at = fail_at
        try:
            repair(disk, FIRST)
            failed = False
        except OSError:
            assert disk.open_files == 0
        disk.fail_at = None
        for left in (disk, disk.after_power_loss(keep_mark=True)):
            finish(left, FIRST)
            kept = {path: data for path, data in files.items() if path != HOME.segment(FIRST)}
            assert_nothing_is_lost(kept, left)
            assert len(repairs(left, HOME)) == 1
            await assert_begins_and_goes_on(left, FIRST, FIRST - 1)


@pytest.mark.parametrize("snapshot", [2, 8])
async def test_what_could_not_be_served_is_not_cut(snapshot: int) -> None:
    disk = await expired_log()
    for position in (4, 8, 18):
        disk.remove(HOME.snapshots / f"{position:020d}.snap")
    disk.put(HOME.snapshots / f"{snapshot:020d}.snap", b"nonsense")
    data = disk.content()[HOME.segment(9)].splitlines(keepends=True)
    disk.put(HOME.segment(9), b"".join(flip(1)(data)))
    before = disk.content()
    found = look(disk)
    assert isinstance(found, Damage)
    assert not found.served
    with pytest.raises(RepairRefused, match="no snapshot would be left"):
        repair(disk, 9)
    assert disk.content() == before


async def test_unreadable_start_is_not_cut() -> None:
    disk = await expired_log()
    disk.put(HOME.start, b"nonsense\n")
    found = look(disk)
    assert isinstance(found, Damage)
    assert (found.position, found.restorable) == (0, HOME.start)


async def test_all_that_was_left_is_missing() -> None:
    disk = await expired_log()
    for base in range(FIRST, LAST, 2):
        disk.remove(HOME.segment(base))
    found = look(disk)
    assert isinstance(found, Damage)
    assert (found.position, found.last) == (FIRST, LAST)
    repair(disk, FIRST)
    await assert_begins_and_goes_on(disk, FIRST, FIRST - 1)


async def test_repair_waits_for_whoever_keeps_the_log_small() -> None:
    disk = await compressed_log()
    flip_byte(disk, 9, 300)
    before = disk.content()
    with keeping(disk, HOME, "pid 7"):
        for call in (look, lambda disk: repair(disk, 9)):
            with pytest.raises(Locked, match="pid 7"):
                call(disk)
    assert disk.content() == before
    assert disk.open_files == 0
