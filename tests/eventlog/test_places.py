"""Reading from the middle: the same records, verified the same, at the cost of a few."""

from itertools import pairwise

import pytest

from eventlog import LogDamaged
from eventlog.cursor import Cursor
from eventlog.log import Entry
from eventlog.places import EVERY_RECORDS, Place, Places
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, body, open_log, write


class Counted:
    """How many lines were verified."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines = 0
        take = Cursor.take

        def counting(cursor: Cursor, lines: list[bytes], out: list[Entry]) -> int:
            taken = take(cursor, lines, out)
            self.lines += taken
            return taken

        monkeypatch.setattr(Cursor, "take", counting)


@pytest.fixture
async def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


async def test_every_body_across_segments_and_restarts() -> None:
    disk = MemoryDisk()
    for _ in range(2):
        log = open_log(disk=disk, segment_bytes_max=30_000)
        await all_of(log)
        await log.begin()
        await write(log, batches=12, records=100)
        assert log.stat().segments > 3
        for position in range(1, log.last + 1, 37):
            assert await log.body(position) == body(position)
        assert await all_of(log, 1_000) == [(at, body(at)) for at in range(1_001, log.last + 1)]
        await log.close()


async def test_what_was_written_is_found_without_reading_all_before(counted: Counted) -> None:
    log = open_log(disk=MemoryDisk())
    await log.begin()
    await write(log, batches=60, records=50)
    for position in (2_999, 1_500, 7, 3_000):
        counted.lines = 0
        assert await log.body(position) == body(position)
        assert counted.lines <= EVERY_RECORDS + 50
    await log.close()


async def test_what_was_found_at_the_start_is_cheap_from_the_second_time_on(
    counted: Counted,
) -> None:
    disk = MemoryDisk()
    before = open_log(disk=disk)
    await before.begin()
    await write(before, batches=10, records=300)
    await before.close()
    log = open_log(disk=disk)
    await all_of(log)
    await log.begin()
    positions = (2_501, 2_400, 300)
    for position in positions:
        await log.body(position - 1)
    for position in positions:
        counted.lines = 0
        assert await log.body(position) == body(position)
        assert counted.lines <= 2 * EVERY_RECORDS
    await log.close()


async def test_damage_behind_a_place_is_still_found() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=10, records=100)
    path = HOME.segment(1)
    damaged = bytearray(disk.read(path, 0, disk.size(path)))
    at = damaged.index(b'"j800"')
    damaged[at + 2] ^= 1
    fd = disk.open_append(path)
    disk.truncate(fd, 0)
    disk.write(fd, bytes(damaged))
    with pytest.raises(LogDamaged) as raised:
        await log.body(800)
    assert raised.value.position == 800
    assert await log.body(700) == body(700)


def test_places_keep_their_distance() -> None:
    places = Places()
    for position in range(0, 5_000, 100):
        places.note(1, Place(position, position * 10, b"s", 1))
    kept = [places.before(1, position) for position in range(0, 5_000, 100)]
    positions = sorted({place.position for place in kept if place is not None})
    assert positions[0] >= 1
    gaps = {later - earlier for earlier, later in pairwise(positions)}
    assert gaps == {300}
    assert places.before(1, 99) is None
    assert places.before(2, 5_000) is None


def test_what_was_used_longest_ago_is_forgotten() -> None:
    places = Places(places_max=4)
    first, second, third = 1, 10_001, 20_001
    for base in (first, second):
        for step in (1, 2):
            at = base + step * EVERY_RECORDS
            places.note(base, Place(at, at, b"", at))
    assert places.before(first, 9_999) is not None, "and so the first was used last"
    places.note(third, Place(third + 1, 1, b"", 1))
    assert places.before(second, 19_999) is None
    assert places.before(first, 9_999) is not None
    assert places.before(third, 29_999) is not None


def test_the_segment_that_is_used_is_kept_whole() -> None:
    places = Places(places_max=2)
    for step in range(1, 6):
        places.note(1, Place(step * EVERY_RECORDS, step, b"", 1))
    assert [places.before(1, step * EVERY_RECORDS) for step in (1, 5)] != [None, None]
    assert places.before(1, 5 * EVERY_RECORDS) == Place(5 * EVERY_RECORDS, 5, b"", 1)
