"""Records that have expired: gone as whole segments, never in doubt, never silently."""

from collections.abc import Callable

import pytest

from eventlog import Entry, LogDamaged, LogExpired, NotCovered, Reader, verify
from eventlog.directory import bases, segment_path, survey, survey_around
from eventlog.frame import Start, start_line
from eventlog.home import read_start
from eventlog.retention import expire
from eventlog.walker import Walker
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import (
    HOME,
    all_of,
    body,
    compressed,
    entries,
    open_log,
    plain,
    running,
    start,
    write,
)

ALL = 1 << 62


async def four() -> MemoryDisk:
    """Give a log whose segments begin at 1, 3, 5 and 7; the last one is not sealed."""
    return await running(batches=4, segment_bytes_max=500)


def read(disk: MemoryDisk, after: int) -> list[Entry]:
    return [entry for batch in Reader(HOME.directory, disk).entries(after) for entry in batch]


@pytest.mark.parametrize(
    ("before", "left"),
    [
        (1, [1, 3, 5, 7]),
        (2, [1, 3, 5, 7]),
        (3, [3, 5, 7]),
        (4, [3, 5, 7]),
        (5, [5, 7]),
        (7, [7]),
        (8, [7]),
        (99, [7]),
    ],
)
@pytest.mark.parametrize("form", [plain, compressed])
async def test_only_whole_segments_expire_and_never_the_last(
    before: int, left: list[int], form: Callable[[MemoryDisk], MemoryDisk]
) -> None:
    disk = form(await four())
    untouched = disk.copy()
    planned = expire(disk, HOME, "c1", before=before, covered=ALL, dry_run=True)
    assert disk.content() == untouched.content()
    done = expire(disk, HOME, "c1", before=before, covered=ALL)
    assert done == planned
    first = left[0]
    assert (done.first, [one.base for one in done.segments]) == (first, [1, 3, 5, 7][: -len(left)])
    assert bases(disk, HOME) == [one.base for one in survey(disk, HOME, "c1")] == left
    files = {path for path in disk.content() if path.parent == HOME.log}
    expected = {segment_path(untouched, HOME, base) for base in left}
    assert files == expected | ({HOME.start} if first > 1 else set())
    reader = Reader(HOME.directory, disk)
    assert reader.first == first
    assert read(disk, first - 1) == entries(8)[first - 1 :]
    verified = verify(HOME.directory, disk=disk)
    assert (verified.first, verified.last, verified.records) == (first, 8, 9 - first)
    assert verified.chain_hex == verify(HOME.directory, disk=untouched).chain_hex


@pytest.mark.parametrize("covered", [0, 1, 3])
async def test_what_no_snapshot_covers_stays(covered: int) -> None:
    disk = await four()
    before = disk.content()
    for dry_run in (True, False):
        with pytest.raises(NotCovered, match="up to 4 may expire only") as raised:
            expire(disk, HOME, "c1", before=5, covered=covered, dry_run=dry_run)
        assert (raised.value.last, raised.value.covered) == (4, covered)
    assert disk.content() == before
    assert expire(disk, HOME, "c1", before=2, covered=0).segments == []
    assert expire(disk, HOME, "c1", before=5, covered=4).first == 5


async def test_expired_positions_are_named_as_such() -> None:
    disk = await four()
    log = open_log(disk=disk)
    await log.begin()
    expire(disk, HOME, "c1", before=5, covered=ALL)
    for position in range(1, 5):
        with pytest.raises(LogExpired, match="records before 5 have expired") as raised:
            await log.body(position)
        assert raised.value.first == 5
        with pytest.raises(LogExpired):
            survey_around(disk, HOME, "c1", position)
    for after in range(4):
        with pytest.raises(LogExpired):
            Walker(disk, HOME, "c1", after)
        with pytest.raises(LogExpired):
            read(disk, after)
        with pytest.raises(LogExpired):
            await all_of(log, after)
        with pytest.raises(LogExpired):
            await anext(log.follow(after))
    await write(log, batches=1)
    for position in range(5, 11):
        assert await log.body(position) == body(position)
        assert await all_of(log, position - 1) == entries(10)[position - 1 :]
    await log.close()


async def test_the_log_goes_on_from_there() -> None:
    disk = await four()
    for before in (3, 7, 9, 13):
        log = open_log(disk=disk)
        await log.begin()
        last = log.last
        await write(log, batches=1)
        assert await all_of(log, last) == entries(last + 2)[last:]
        await log.close()
        first = expire(disk, HOME, "c1", before=before, covered=ALL).first
        verified = verify(HOME.directory, disk=disk)
        assert (verified.first, verified.last) == (first, last + 2) == (before, last + 2)
    assert survey(disk, HOME, "c1")[0].header.epoch > 1


async def test_segment_without_records_can_be_the_first_and_be_replaced() -> None:
    disk = MemoryDisk()
    for _ in range(3):
        log = open_log(disk=disk)
        await log.begin()
        if not log.last:
            await write(log, batches=2)
        await log.close()
        expire(disk, HOME, "c1", before=ALL, covered=ALL)
        assert bases(disk, HOME) == ([5] if log.epoch > 1 else [1])
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=1)
    assert await all_of(log, 4) == entries(6)[4:]
    await log.close()
    assert verify(HOME.directory, disk=disk).first == 5


@pytest.mark.parametrize("form", [plain, compressed])
async def test_killed_at_every_call_and_run_again_ends_the_same(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    begin = form(await four())
    expire(begin, HOME, "c1", before=3, covered=ALL)
    end = begin.copy()
    expire(end, HOME, "c1", before=7, covered=ALL)
    assert end.calls >= 8
    for fail_at in range(1, end.calls + 1):
        disk = begin.copy()
        disk.fail_at = fail_at
        with pytest.raises(OSError, match="injected"):
            expire(disk, HOME, "c1", before=7, covered=ALL)
        disk.fail_at = None
        assert disk.open_files == 0
        for left in (disk, disk.after_power_loss(keep_mark=True)):
            first = Reader(HOME.directory, left).first
            assert first in {3, 7}
            assert verify(HOME.directory, disk=left).first == first
            assert read(left, first - 1) == entries(8)[first - 1 :]
            log = open_log(disk=left.copy())
            assert log.last == 8
            await log.begin()
            await write(log, batches=1)
            await log.close()
            expire(left, HOME, "c1", before=7, covered=ALL)
            assert left.content() == end.content()
            assert left.after_power_loss(keep_mark=True).content() == end.content()


class Recorded(MemoryDisk):
    """Knows in which order it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def _call(self, name: str) -> None:
        self.order.append(name)
        super()._call(name)


async def test_the_beginning_is_durable_before_anything_goes() -> None:
    disk = Recorded()
    for path, data in (await four()).content().items():
        disk.put(path, data)
    expire(disk, HOME, "c1", before=5, covered=ALL)
    assert disk.order == [
        *("create", "write", "sync_file", "rename", "sync_directory"),  # the hashes of what goes
        *("create", "write", "sync_file", "rename", "sync_directory"),
        *("unlink", "unlink", "sync_directory"),
    ]


async def test_leftovers_are_ignored_and_removed_by_a_run_that_has_nothing_to_expire() -> None:
    disk = await four()
    before = disk.content()
    expire(disk, HOME, "c1", before=5, covered=ALL)
    after = disk.content()
    disk.put(HOME.segment(1), before[HOME.segment(1)])
    disk.put(HOME.archive(3), b"whatever")
    assert bases(disk, HOME) == [5, 7]
    assert read(disk, 4) == entries(8)[4:]
    with pytest.raises(LogExpired):
        read(disk, 0)
    expire(disk, HOME, "c1", before=1, covered=0, dry_run=True)
    assert disk.content() != after
    assert expire(disk, HOME, "c1", before=1, covered=0).segments == []
    assert disk.content() == after


async def expired(before: int = 5) -> tuple[MemoryDisk, dict[int, bytes]]:
    disk = await four()
    segments = {base: disk.content()[HOME.segment(base)] for base in bases(disk, HOME)}
    expire(disk, HOME, "c1", before=before, covered=ALL)
    return disk, segments


async def test_a_first_segment_that_start_does_not_name_is_damage() -> None:
    disk, _ = await expired()
    disk.remove(HOME.segment(5))
    with pytest.raises(LogDamaged, match="record 5 is missing"):
        start(disk)
    disk.remove(HOME.segment(7))
    with pytest.raises(LogDamaged, match="its segment is missing"):
        start(disk)
    with pytest.raises(LogDamaged, match="its segment is missing"):
        verify(HOME.directory, disk=disk)


async def test_a_log_that_begins_late_without_saying_so_is_damage() -> None:
    disk, _ = await expired()
    disk.remove(HOME.start)
    with pytest.raises(LogDamaged, match="the segment with record 1 is missing"):
        verify(HOME.directory, disk=disk)
    with pytest.raises(LogDamaged):
        Reader(HOME.directory, disk).segments()


async def test_every_flipped_bit_of_start_is_found() -> None:
    disk, _ = await expired()
    sound = disk.content()[HOME.start]
    for bit in range(len(sound) * 8):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        disk.put(HOME.start, bytes(flipped))
        with pytest.raises(LogDamaged):
            verify(HOME.directory, disk=disk)
    for size in range(len(sound)):
        disk.put(HOME.start, sound[:size])
        with pytest.raises(LogDamaged):
            verify(HOME.directory, disk=disk)


@pytest.mark.parametrize(
    "lie",
    [
        {"state": "0" * 64},
        {"prev_sha256": "0" * 64},
        {"epoch": 2},
        {"first": 7},
        {"first": 3},
        {"first": 6},
    ],
)
async def test_start_of_another_log_is_damage(lie: dict[str, object]) -> None:
    disk, _ = await expired()
    told = read_start(disk, HOME)
    assert told is not None
    fields = {name: getattr(told, name) for name in Start.__struct_fields__} | lie
    disk.put(HOME.start, start_line(Start(**fields)))  # type: ignore[arg-type]
    with pytest.raises(LogDamaged):
        verify(HOME.directory, disk=disk)


class Meddled(MemoryDisk):
    """Lets the oldest expire before the call of a given number, of those that a reader makes."""

    def __init__(self, countdown: int) -> None:
        super().__init__()
        self.countdown = countdown

    def _count(self) -> None:
        self.countdown -= 1
        if self.countdown == 0:
            expire(self, HOME, "c1", before=5, covered=ALL)

    def names(self, directory: object) -> list[str]:
        self._count()
        return super().names(directory)  # type: ignore[arg-type]

    def size(self, path: object) -> int:
        self._count()
        return super().size(path)  # type: ignore[arg-type]

    def read(self, path: object, offset: int, size_max: int) -> bytes:
        self._count()
        return super().read(path, offset, size_max)  # type: ignore[arg-type]


def meddled(begin: MemoryDisk, countdown: int) -> Meddled:
    disk = Meddled(countdown)
    for path, data in begin.content().items():
        disk.put(path, data)
    return disk


@pytest.mark.parametrize("form", [plain, compressed])
async def test_expiring_at_any_moment_of_a_read_is_told_or_not_noticed(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    begin = form(await four())
    outcomes: list[int | None] = []
    countdown, noticed = 0, True
    while noticed:
        countdown += 1
        disk = meddled(begin, countdown)
        found: list[Entry] = []
        try:
            walker = Walker(disk, HOME, "c1", 0)
            while batch := walker.next():
                found += batch
            assert len(found) == 8
            outcomes.append(None)
        except LogExpired as told:
            outcomes.append(told.first)
        assert found == entries(len(found))
        noticed = disk.countdown <= 0
    assert set(outcomes) == {5, None}
    assert outcomes[-1] is None


@pytest.mark.parametrize("form", [plain, compressed])
@pytest.mark.parametrize("position", [5, 6, 7])
async def test_what_stays_is_read_while_the_rest_expires(
    position: int, form: Callable[[MemoryDisk], MemoryDisk]
) -> None:
    begin = form(await four())
    countdown, noticed = 0, True
    while noticed:
        countdown += 1
        disk = meddled(begin, countdown)
        around = survey_around(disk, HOME, "c1", position)
        assert around[-1].base == position - (position + 1) % 2
        assert [one.base for one in survey(disk, HOME, "c1")][-2:] == [5, 7]
        walker = Walker(disk, HOME, "c1", position - 1)
        found = [entry for batch in iter(walker.next, []) for entry in batch]
        assert found == entries(8)[position - 1 :]
        noticed = disk.countdown <= 0
    assert countdown > 20
