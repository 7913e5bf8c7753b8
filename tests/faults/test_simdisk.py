"""The simulated disk itself: what is durable when, what a failed sync does, what a crash may leave."""

from errno import EDQUOT, EIO, ENOSPC
from pathlib import Path
from random import Random

import pytest

from tests.faults.crashes import FULL, THIN, Reach, crash_states, fingerprint
from tests.faults.simdisk import Fault, PowerCut, SimDisk

ROOT = Path("/")
FILE = Path("/a")
OTHER = Path("/b")


def contents(disk: SimDisk, path: Path = FILE, reach: Reach = FULL) -> set[bytes | None]:
    """What may be in a file after a crash; None when its name may be missing."""
    return {tree.get(str(path)) for tree in crash_states(disk.root, Random(1), reach)}


def synced(data: bytes = b"") -> tuple[SimDisk, int]:
    disk = SimDisk()
    fd = disk.create(FILE)
    if data:
        disk.write(fd, data)
    disk.sync_file(fd)
    disk.sync_directory(ROOT)
    return disk, fd


def test_content_is_durable_after_its_sync_and_a_name_after_that_of_its_directory() -> None:
    disk = SimDisk()
    fd = disk.create(FILE)
    disk.write(fd, b"ab")
    assert contents(disk) == {None, b"", b"a", b"ab", b"\0", b"\0\0"}
    disk.sync_data(fd)
    assert contents(disk) == {None, b"ab"}
    disk.sync_directory(ROOT)
    assert contents(disk) == {b"ab"}


def test_an_unsynced_rename_is_done_or_not_and_an_unsynced_unlink_too() -> None:
    disk, fd = synced(b"new")
    disk.rename(FILE, OTHER)
    trees = [dict(tree) for tree in crash_states(disk.root, Random(1))]
    assert trees == [{"/a": b"new"}, {"/b": b"new"}]
    disk.sync_directory(ROOT)
    disk.unlink(OTHER)
    assert [*crash_states(disk.root, Random(1))] == [{"/b": b"new"}, {}]
    assert disk.names(ROOT) == []
    disk.close(fd)
    assert disk.open_files == 0


def test_sectors_reach_the_disk_in_any_order() -> None:
    disk, fd = synced(b"1" * 500)
    disk.write(fd, b"2" * 1_000)
    found = contents(disk, reach=THIN)
    first, second, third = b"1" * 500 + b"2" * 12, b"2" * 512, b"2" * 476
    kept = (first, second, third)
    lost = (b"1" * 500 + bytes(12), bytes(512), bytes(476))
    for choice in range(8):
        assert b"".join((kept, lost)[choice >> n & 1][n] for n in range(3)) in found


def test_of_many_sectors_a_sample_is_looked_at() -> None:
    disk, fd = synced()
    disk.write(fd, b"3" * 512 * 20)
    trees = {fingerprint(tree) for tree in crash_states(disk.root, Random(1))}
    assert len(trees) > 10_000


def test_an_unsynced_cut_is_done_or_not() -> None:
    disk, fd = synced(b"abc")
    disk.truncate(fd, 1)
    assert contents(disk) == {b"abc", b"a"}
    assert disk.read(FILE, 0, 9) == b"a"


def test_the_mark_may_be_as_it_is_or_was_or_missing() -> None:
    disk, mark = SimDisk(), Path("/DURABLE")
    fd = disk.open_update(mark)
    disk.sync_directory(ROOT)
    disk.overwrite(fd, b"one", 0)
    disk.overwrite(fd, b"two", 0)
    assert {b"", b"one", b"two", b"tne", None} <= contents(disk, mark)


def test_what_a_failed_sync_could_not_write_is_read_until_it_is_forgotten_and_never_written() -> (
    None
):
    disk, fd = synced(b"ab")
    disk.write(fd, b"cd")
    disk.fault = Fault(disk.calls + 1, EIO)
    with pytest.raises(OSError, match="injected"):
        disk.sync_data(fd)
    assert disk.read(FILE, 0, 9) == b"abcd"
    disk.sync_data(fd)  # succeeds, and writes nothing
    disk.write(fd, b"ef")
    disk.sync_data(fd)
    assert b"ab\0\0ef" in contents(disk)
    disk = disk.killed()
    assert disk.read(FILE, 0, 9) == b"abcdef"
    disk.forget_cached(FILE)
    assert disk.read(FILE, 0, 9) == b"ab\0\0ef"
    assert contents(disk) == {b"ab\0\0ef"}


def test_faults_come_once_or_from_then_on() -> None:
    disk, fd = synced()
    disk.fault = Fault(disk.calls + 2, EDQUOT)
    assert disk.write(fd, b"abcd") == 4
    with pytest.raises(OSError, match="injected"):
        disk.write(fd, b"efgh")
    assert disk.read(FILE, 0, 99) == b"abcdef"  # some of it arrived
    assert disk.write(fd, b"x") == 1
    disk.fault = Fault(disk.calls + 1, EIO, sticky=True)
    for _ in range(2):
        with pytest.raises(OSError, match="injected"):
            disk.sync_data(fd)
    assert disk.read(FILE, 0, 2) == b"ab"
    disk.fault = Fault(disk.calls + 1, 0)
    assert [disk.write(fd, b"abcd"), disk.write(fd, b"cd")] == [2, 2]


def test_a_full_disk_takes_what_fits() -> None:
    disk, fd = synced(b"abc")
    disk.space = 5
    assert disk.write(fd, b"defg") == 2
    with pytest.raises(OSError, match="no room") as caught:
        disk.write(fd, b"fg")
    assert caught.value.errno == ENOSPC
    with pytest.raises(OSError, match="no room"):
        disk.overwrite(fd, b"xyz", 3)
    disk.overwrite(fd, b"xy", 3)
    disk.space = None
    assert disk.write(fd, b"z") == 1
    assert disk.read(FILE, 0, 9) == b"abcxyz"


def test_a_process_that_dies_leaves_the_cache_and_no_lock() -> None:
    disk, fd = synced()
    disk.write(fd, b"ab")
    disk.lock(Path("/LOCK"), "me")
    with pytest.raises(BlockingIOError, match="me"):
        disk.lock(Path("/LOCK"), "you")
    disk.cut_at = disk.calls + 1
    with pytest.raises(PowerCut):
        disk.sync_data(fd)
    left = disk.killed()
    assert left.read(FILE, 0, 9) == b"ab"
    assert left.open_files == 0
    left.close(left.lock(Path("/LOCK"), "you"))
    assert contents(left) == {b"", b"a", b"ab", b"\0", b"\0\0"}
    assert left.tree() == {"/a": b"ab"}


def test_a_disk_can_be_made_from_what_a_crash_left() -> None:
    disk = SimDisk()
    disk.make_directory(Path("/d"))
    disk.sync_directory(ROOT)
    disk.close(disk.create(Path("/d/f")))
    left = [*crash_states(disk.root, Random(1))]
    assert left == [{"/d": None}, {"/d": None, "/d/f": b""}]
    again = SimDisk.holding(left[1])
    assert again.tree() == left[1]
    assert [*crash_states(again.root, Random(1))] == [left[1]]
