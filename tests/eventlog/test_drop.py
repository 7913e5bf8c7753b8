"""Damaged history leaves the log only where a sound snapshot holds all that it came to."""

from collections.abc import Callable

import pytest

from eventlog import LogDamaged, Reader, SnapshotStore, verify
from eventlog.compressed import compress_log
from eventlog.diagnosis import Damage, Sound
from eventlog.drop import drop_before, droppable, unfinished
from eventlog.errors import Locked, RepairRefused
from eventlog.home import all_bases
from eventlog.repairs import Repair, repairs
from eventlog.retention import expire
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, entries, open_log, write
from tests.eventlog.sums import add_snapshots
from tests.eventlog.test_repair import (
    LAST,
    NOW_US,
    a_log,
    another_history,
    assert_nothing_is_lost,
    bytes_behind_the_footer,
    cut_segment,
    data_files,
    first_record_of_a_segment,
    flipped_record,
    footer,
    foreign_segment,
    header,
    header_of_the_first,
    later_damage_as_well,
    look,
    lost_acknowledged_record,
    lost_all,
    lost_last_segment,
    missing_first_segment,
    missing_segment,
    repair,
    repeated_segment,
    swapped_records,
    torn_acknowledged_record,
)

Harm = Callable[[MemoryDisk], None]
SNAPSHOTS = (4, 10, 12, 18)


async def covered_log(*snapshots: int) -> MemoryDisk:
    disk = await a_log(sealed=False)
    for path in list(disk.content()):
        if path.parent == HOME.snapshots:
            disk.remove(path)
    add_snapshots(disk, *(snapshots or SNAPSHOTS))
    return disk


def flipped_compressed(disk: MemoryDisk) -> None:
    compress_log(disk, HOME, "c1", keep=0)
    path = HOME.archive(9)
    data = bytearray(disk.content()[path])
    data[len(data) // 2] ^= 1
    disk.put(path, bytes(data))


def flipped_after_an_expiry(disk: MemoryDisk) -> None:
    expire(disk, HOME, "c1", before=5, covered=18)
    flipped_record(disk)


DAMAGES: list[tuple[Harm, int]] = [
    (flipped_record, 11),
    (first_record_of_a_segment, 13),
    (header, 13),
    (header_of_the_first, 3),
    (footer, 11),
    (bytes_behind_the_footer, 11),
    (cut_segment, 11),
    (swapped_records, 11),
    (repeated_segment, 13),
    (foreign_segment, 13),
    (missing_segment, 13),
    (missing_first_segment, 3),
    (flipped_compressed, 11),
    (flipped_after_an_expiry, 11),
]
each_damage = pytest.mark.parametrize(
    ("harm", "first"), DAMAGES, ids=[harm.__name__ for harm, _ in DAMAGES]
)


def drop(disk: MemoryDisk, position: int) -> Repair:
    return drop_before(
        HOME.directory, position, now_us=NOW_US, reason="a bad sector", user="ann", disk=disk
    )


def proposed(disk: MemoryDisk) -> int | None:
    """Give what would be proposed."""
    damage = look(disk)
    assert isinstance(damage, Damage)
    found = droppable(disk, HOME, damage)
    return None if found is None else found.start.first


async def assert_dropped(disk: MemoryDisk, first: int) -> None:
    assert look(disk) == Sound(LAST, None)
    assert unfinished(disk, HOME) is None
    found = verify(HOME.directory, disk=disk)
    assert (found.first, found.last) == (first, LAST)
    assert all_bases(disk, HOME) == list(range(first, LAST, 2))
    positions = SnapshotStore(HOME.directory, "c1", disk).positions()
    assert positions == [one for one in reversed(SNAPSHOTS) if one >= first - 1]
    read = [one for batch in Reader(HOME.directory, disk).entries(first - 1) for one in batch]
    assert read == entries(LAST)[first - 1 :]
    log = open_log(disk=disk)
    assert log.last == LAST
    await log.begin()
    assert log.state_after(positions[0]) is not None
    await write(log, batches=1)
    await log.close()
    assert verify(HOME.directory, disk=disk).last == LAST + 2


@each_damage
async def test_covered_history_is_dropped_and_kept_in_quarantine(harm: Harm, first: int) -> None:
    disk = await covered_log()
    chain = verify(HOME.directory, disk=disk).chain_hex
    harm(disk)
    before, files = disk.content(), data_files(disk)
    assert proposed(disk) == first
    for other in (first - 2, first - 1, first + 1, first + 2):
        with pytest.raises(RepairRefused, match=f"only up to there|before {first}"):
            drop(disk, max(1, other))
    assert disk.content() == before
    made = drop(disk, first)
    begun = 5 if harm is flipped_after_an_expiry else 1
    assert (made.kind, made.position, made.records) == ("drop", first, first - begun)
    assert repairs(disk, HOME) == [made]
    assert "history only" in str(made)
    files.pop(HOME.start, None)
    assert_nothing_is_lost(files, disk)
    assert disk.open_files == 0
    assert verify(HOME.directory, disk=disk).chain_hex == chain
    with pytest.raises(RepairRefused, match="sound"):
        drop(disk, first)
    await assert_dropped(disk, first)


@each_damage
async def test_killed_at_every_call_it_is_refused_or_sound_and_can_be_finished(
    harm: Harm, first: int
) -> None:
    whole = await covered_log()
    harm(whole)
    files, failed, fail_at = data_files(whole), True, 0
    files.pop(HOME.start, None)
    while failed:
        fail_at += 1
        disk = whole.copy()
        disk.fail_at = fail_at
        try:
            drop(disk, first)
            failed = False
        except OSError:
            assert disk.open_files == 0
        disk.fail_at = None
        for left in (disk, disk.after_power_loss(keep_mark=True)):
            assert_nothing_is_lost(files, left)
            found = look(left)
            if isinstance(found, Damage):
                with pytest.raises(LogDamaged):
                    verify(HOME.directory, disk=left)
                assert proposed(left) == first
                drop(left, first)
            elif unfinished(left, HOME) is not None:
                assert verify(HOME.directory, disk=left).first == first
                drop(left, first)
            assert_nothing_is_lost(files, left)
            assert len(repairs(left, HOME)) == 1
            await assert_dropped(left, first)
    assert fail_at > 6


@pytest.mark.parametrize(
    "harm",
    [
        lost_last_segment,
        lost_acknowledged_record,
        torn_acknowledged_record,
        lost_all,
        another_history,
    ],
)
async def test_the_end_of_a_log_is_no_history(harm: Harm) -> None:
    disk = await covered_log()
    harm(disk)
    await assert_refused(disk)


@pytest.mark.parametrize("snapshots", [(4,), (4, 8)])
async def test_history_that_no_snapshot_covers_is_needed(snapshots: tuple[int, ...]) -> None:
    disk = await covered_log(*snapshots)
    flipped_record(disk)
    await assert_refused(disk)


async def test_snapshot_of_another_history_covers_nothing() -> None:
    disk = await covered_log(4)
    add_snapshots(disk, 10, 12, state="ab" * 32)
    flipped_record(disk)
    await assert_refused(disk)


async def test_damaged_snapshot_covers_nothing() -> None:
    disk = await covered_log(18)
    path = HOME.snapshots / f"{18:020d}.snap"
    disk.put(path, disk.content()[path].replace(b"line", b"lime"))
    flipped_record(disk)
    await assert_refused(disk)


async def test_snapshot_behind_more_damage_covers_nothing() -> None:
    disk = await covered_log(18)
    later_damage_as_well(disk)
    await assert_refused(disk)


async def assert_refused(disk: MemoryDisk) -> None:
    before = disk.content()
    assert proposed(disk) is None
    for position in (1, 9, 11, 13, LAST, LAST + 1):
        with pytest.raises(RepairRefused, match="no sound snapshot covers"):
            drop(disk, position)
    assert disk.content() == before
    assert disk.open_files == 0


async def test_later_damage_is_another_repair() -> None:
    disk = await covered_log()
    later_damage_as_well(disk)
    assert drop(disk, 11).position == 11
    assert proposed(disk) is None  # the snapshot at 18 cannot be reached
    assert repair(disk, 13).position == 13
    assert [one.kind for one in repairs(disk, HOME)] == ["drop", "cut"]
    found = verify(HOME.directory, disk=disk)
    assert (found.first, found.last) == (11, 12)


async def test_sound_log_keeps_its_history_and_the_lock_is_needed() -> None:
    disk = await covered_log()
    before = disk.content()
    with pytest.raises(RepairRefused, match="sound"):
        drop(disk, 11)
    flipped_record(disk)
    for path in (HOME.lock, HOME.keeping):
        held = disk.lock(path, "pid 7")
        with pytest.raises(Locked, match="pid 7"):
            drop(disk, 11)
        disk.close(held)
    flipped_record(disk)  # back
    assert disk.content() == before
