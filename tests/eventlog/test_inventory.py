"""The files of a data directory, as they describe themselves."""

from collections.abc import Callable, Iterator

import pytest

from eventlog.disk import Disk
from eventlog.home import bases
from eventlog.inventory import LISTED_MAX, SegmentFile, Stocktaking
from eventlog.snapshots import SnapshotHead, SnapshotStore
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, compressed, plain, running


def stocktaking(disk: Disk) -> Stocktaking:
    return Stocktaking(disk, HOME, "c1")


def outline(segments: tuple[SegmentFile, ...]) -> list[tuple[int, int | None, bool]]:
    return [(one.first, one.last, one.sealed) for one in segments]


def read_back(lines: Iterator[bytes]) -> None:
    assert list(lines) == [b"{}"]


@pytest.mark.parametrize("form", [plain, compressed])
async def test_segments_are_told_newest_first(form: Callable[[MemoryDisk], MemoryDisk]) -> None:
    before = await running(batches=12, segment_bytes_max=600)
    content = before.content()
    disk = form(before)
    found = stocktaking(disk)()
    there = bases(disk, HOME)
    ends: list[int | None] = [base - 1 for base in there[1:]]
    assert found.segments_total == len(there) > 3
    assert outline(found.segments) == [
        (base, last, last is not None)
        for base, last in zip(there[::-1], [None, *ends[::-1]], strict=True)
    ]
    for one in found.segments:
        assert one.file_bytes == disk.size(HOME.log / one.file)
        assert one.bytes == len(content[HOME.segment(one.first)])
        assert one.compressed == one.file.endswith(".zst") == (form is compressed and one.sealed)
        assert one.created_at_us is not None
        assert one.damage is None
    assert disk.open_files == 0


async def test_it_follows_the_log_and_opens_what_is_sealed_once() -> None:
    disk = await running(batches=12, segment_bytes_max=600)
    look = stocktaking(disk)
    first = look()
    begun = disk.content()
    # What is sealed is not looked at again, as long as its name stays.
    disk.put(HOME.segment(1), b"x")
    assert look().segments[:-1] == first.segments[:-1]
    assert look().segments[-1].damage is None
    assert stocktaking(disk)().segments[-1].damage == "the segment's header cannot be read"
    disk.put(HOME.segment(1), begun[HOME.segment(1)])
    compressed(disk)
    again = look()
    assert [one.compressed for one in again.segments] == [False] + [True] * (
        len(again.segments) - 1
    )
    assert outline(again.segments) == outline(first.segments)


async def test_what_is_damaged_is_listed_with_what_is_wrong() -> None:
    disk = await running(batches=12, segment_bytes_max=600)
    second = stocktaking(disk)().segments[-2].first
    whole = disk.content()[HOME.segment(second)]
    disk.put(HOME.segment(second), whole[:-9])
    found = {one.first: one for one in stocktaking(disk)().segments}
    assert found[second].damage == "it has no readable footer, though it is not the last"
    assert not found[second].sealed
    assert [one.damage for first, one in found.items() if first != second] == [None] * (
        len(found) - 1
    )


async def test_a_long_log_is_told_from_its_end() -> None:
    disk = await running(batches=LISTED_MAX + 20, records=1, segment_bytes_max=1)
    found = stocktaking(disk)()
    assert found.segments_total > LISTED_MAX == len(found.segments)
    assert found.segments[0].first == bases(disk, HOME)[-1]


async def test_snapshots_are_told_newest_first() -> None:
    disk = await running()
    store = SnapshotStore(HOME.directory, "c1", disk)
    for position in (2, 4):
        head = SnapshotHead(1, position, "ab" * 32, "d", "c1", 1_000_000 * position)
        store.write(head, [b"{}"], read_back)
    disk.put(HOME.snapshot(6), b"nothing\n")
    found = stocktaking(disk)().snapshots
    assert [(one.position, one.created_at_us) for one in found] == [
        (6, None),
        (4, 4_000_000),
        (2, 2_000_000),
    ]
    assert found[0].damage == "its first line cannot be read"
    assert [one.bytes for one in found] == [disk.size(HOME.snapshots / one.file) for one in found]
