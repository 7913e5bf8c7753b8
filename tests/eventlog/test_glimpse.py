"""One record somewhere in a segment, found from any offset."""

from collections.abc import Callable

import pytest

from eventlog import Reader
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, compressed, open_log, plain, running


@pytest.mark.parametrize("form", [plain, compressed])
async def test_every_offset_shows_the_next_whole_record(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    reader = Reader(HOME.directory, disk)
    lines = list(reader.lines())
    form(disk)
    for segment in reader.segments():
        mine = [line for line in lines if line.segment == HOME.segment(segment.base)]
        assert mine
        for offset in range(segment.bytes + 9):
            behind = [line for line in mine if line.offset >= offset]
            expected = (behind[0].position, behind[0].body) if behind else None
            assert reader.glimpse(segment, offset) == expected
        assert reader.glimpse(segment) == (mine[0].position, mine[0].body)


async def test_a_record_longer_than_what_is_read_at_a_time() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    long = b"x" * 100_000
    log.append(1, long)
    await log.durable(1)
    reader = Reader(HOME.directory, disk)
    (segment,) = reader.segments()
    assert reader.glimpse(segment) == (1, long)
    await log.close()


async def test_a_record_that_is_not_what_was_written_is_not_shown() -> None:
    disk = await running(batches=1)
    path = HOME.segment(1)
    disk.put(path, disk.content()[path].replace(b"j1", b"j9"))
    reader = Reader(HOME.directory, disk)
    (segment,) = reader.segments()
    assert reader.glimpse(segment) is None
