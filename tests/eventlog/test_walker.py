from collections.abc import Callable

import pytest

from eventlog import LogDamaged
from eventlog.directory import segment_path
from eventlog.walker import Walker
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, compressed, entries, open_log, plain, running, write


@pytest.mark.parametrize("form", [plain, compressed])
async def test_walk_starts_anywhere_and_stops_where_told(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    disk = form(await running(batches=5, segment_bytes_max=500))
    for after in range(12):
        for upto in range(after, 11):
            walker = Walker(disk, HOME, "c1", after)
            found = [
                entry for batch in iter(lambda w=walker, u=upto: w.next(u), []) for entry in batch
            ]
            assert found == entries(upto)[after:]
            rest = [entry for batch in iter(walker.next, []) for entry in batch]
            assert found + rest == entries(10)[after:]


async def test_what_must_be_there_and_is_not_is_damage() -> None:
    disk = await running(batches=2)
    disk.remove(HOME.mark)
    walker = Walker(disk, HOME, "c1", 0)
    assert len(walker.next(5)) == 4
    with pytest.raises(LogDamaged, match="log ends before it, but 5 had been acknowledged"):
        walker.next(5)


async def test_tail_that_must_be_there_is_never_taken_for_torn() -> None:
    disk = await running(batches=2)
    disk.remove(HOME.mark)
    data = disk.content()[HOME.segment(1)]
    for damaged, sound in ((data[:-10], 3), (data[:-150] + bytes(150), 2)):
        disk.put(HOME.segment(1), damaged)
        walker = Walker(disk, HOME, "c1", 0)
        assert walker.next(4) == entries(sound)
        with pytest.raises(LogDamaged, match="had been acknowledged"):
            walker.next(4)


@pytest.mark.parametrize("form", [plain, compressed])
async def test_segment_that_vanishes_while_walking_is_damage(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    disk = form(await running(batches=5, segment_bytes_max=500))
    walker = Walker(disk, HOME, "c1", 0)
    assert walker.next() == entries(2)
    disk.remove(segment_path(disk, HOME, 3))
    with pytest.raises(LogDamaged, match="missing"):
        walker.next()


async def test_unfinished_write_is_read_once_it_is_finished() -> None:
    disk = await running(batches=2)
    disk.remove(HOME.mark)
    data = disk.content()[HOME.segment(1)]
    disk.put(HOME.segment(1), data[:-10])
    walker = Walker(disk, HOME, "c1", 0)
    assert len(walker.next()) == 3
    assert walker.next() == []
    assert walker.torn is not None
    disk.put(HOME.segment(1), data)
    assert walker.next() == entries(4)[3:]
    assert walker.torn is None


async def test_rotation_between_two_looks() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=1)
    walker = Walker(disk, HOME, "c1", 0, hashed=True)
    assert walker.next() == entries(2)
    assert walker.next() == []
    await write(log, batches=4)
    assert [entry for batch in iter(walker.next, []) for entry in batch] == entries(10)[2:]
    await log.close()
    assert walker.next() == []
