"""One record at a time from a `FileLog`: the right body or `LogDamaged`, at a cost that stays small."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import FileLog, LogDamaged, SyncMode
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, append, body, compressed, open_log, plain, write


@pytest.fixture
def dense(monkeypatch: pytest.MonkeyPatch) -> None:
    make_dense(monkeypatch)


def make_dense(patch: pytest.MonkeyPatch) -> None:
    """Put places close together, so that a small log has many."""
    patch.setattr("eventlog.places.EVERY_RECORDS", 3)
    patch.setattr("eventlog.file.EVERY_RECORDS", 3)


async def batches_then_restart(disk: MemoryDisk, batches: list[int], segment_bytes: int) -> FileLog:
    """Write batches of these sizes, half of them before a restart."""
    middle = len(batches) // 2
    log = open_log(disk=disk, segment_bytes_max=segment_bytes)
    await log.begin()
    for size in batches[:middle]:
        await write(log, batches=1, records=size)
    await log.close()
    log = open_log(disk=disk, segment_bytes_max=segment_bytes)
    await log.begin()
    for size in batches[middle:]:
        await write(log, batches=1, records=size)
    return log


async def check_every_position(
    batches: list[int], segment_bytes: int, order: list[int], *, compress: bool
) -> None:
    disk = MemoryDisk()
    log = await batches_then_restart(disk, batches, segment_bytes)
    if compress:
        compressed(disk)
    expected = [(position, body(position)) for position in range(1, log.last + 1)]
    for start in [*(position % log.last for position in order), *range(log.last)]:
        assert await log.body(start + 1) == body(start + 1)
        assert await all_of(log, start) == expected[start:]
    await log.close()


@settings(deadline=None, max_examples=40)
@given(
    batches=st.lists(st.integers(1, 9), min_size=2, max_size=8),
    segment_bytes=st.integers(300, 3_000),
    order=st.lists(st.integers(0, 100), max_size=6),
    compress=st.booleans(),
)
def test_every_position_reads_as_in_a_full_walk(
    batches: list[int], segment_bytes: int, order: list[int], compress: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        make_dense(patch)
        asyncio.run(check_every_position(batches, segment_bytes, order, compress=compress))


@pytest.mark.usefixtures("dense")
async def test_any_flipped_byte_leaves_the_right_body_or_tells_where() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=3, records=4)
    path = HOME.segment(1)
    sound = disk.content()[path]
    told: list[tuple[LogDamaged, int, int]] = []
    for offset in range(len(sound)):
        disk.put(path, sound[:offset] + bytes([sound[offset] ^ 1]) + sound[offset + 1 :])
        for position in (4, 12):
            try:
                assert await log.body(position) == body(position)
            except LogDamaged as damage:
                told.append((damage, position, offset))
    assert len(told) > len(sound) / 2
    assert {damage.file for damage, _, _ in told} == {path}
    assert all(damage.position <= position for damage, position, _ in told)
    assert all(damage.offset <= offset for damage, _, offset in told)
    disk.put(path, sound)
    await log.close()


def with_batch(line: bytes, batch: int) -> bytes:
    """Give a record another batch and the checksum that fits: the hash chain does not cover it."""
    position, _, rest = line[9:].split(b" ", 2)
    changed = b"%b %d %b" % (position, batch, rest)
    return b"%08x %b" % (crc32(changed), changed)


def with_a_flip(line: bytes) -> bytes:
    return line[:-2] + bytes([line[-2] ^ 1]) + line[-1:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(with_a_flip, "checksum"), (lambda line: with_batch(line, 1), "its batch is 1 after batch 7")],
)
@pytest.mark.usefixtures("dense")
async def test_damage_right_behind_a_place_is_told_with_where_it_is(
    change: Callable[[bytes], bytes], reason: str
) -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=4, records=3)
    lines = disk.content()[HOME.segment(1)].split(b"\n")
    lines[10] = change(lines[10])
    disk.put(HOME.segment(1), b"\n".join(lines))
    with pytest.raises(LogDamaged, match=reason) as raised:
        await log.body(10)
    assert raised.value.file == HOME.segment(1)
    assert raised.value.offset == len(b"\n".join(lines[:10])) + 1
    assert (raised.value.line, raised.value.position) == (11, 10)
    assert raised.value.last_good.startswith(f"9 up to byte {raised.value.offset}, chain ")
    await log.close()


@pytest.mark.parametrize("missing", [1, 5, 9])
@pytest.mark.parametrize("sync", [SyncMode.ALWAYS, SyncMode.NONE])
async def test_a_record_whose_segment_is_gone_is_damage(missing: int, sync: SyncMode) -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500, sync=sync)
    await log.begin()
    await write(log, batches=6)
    disk.remove(HOME.segment(missing))
    with pytest.raises(LogDamaged):
        await log.body(missing)
    await log.close()


async def test_damage_elsewhere_keeps_no_record_from_being_read() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=6)
    disk.put(HOME.segment(1), b"damaged")
    assert await log.body(9) == body(9)
    with pytest.raises(LogDamaged):
        await log.body(1)
    await log.close()


class Tally(MemoryDisk):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.bytes = 0

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        data = super().read(path, offset, size_max)
        self.reads += 1
        self.bytes += len(data)
        return data


@pytest.mark.parametrize("form", [plain, compressed])
async def test_a_record_costs_the_same_in_a_log_of_many_segments(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    cost: list[tuple[int, int]] = []
    for batches in (4, 200):
        disk = Tally()
        log = open_log(disk=disk, segment_bytes_max=500)
        await log.begin()
        await write(log, batches)
        form(disk)
        disk.reads = disk.bytes = 0
        await log.body(6)
        cost.append((disk.reads, disk.bytes))
        await log.close()
    assert cost[0] == cost[1]


async def test_a_record_in_a_large_segment_costs_few_bytes() -> None:
    disk = Tally()
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=100, records=100)
    assert disk.size(HOME.segment(1)) > 1_000_000
    disk.bytes = 0
    assert await log.body(9_000) == body(9_000)
    assert disk.bytes < 150_000
    await log.close()


async def test_records_are_read_while_segments_come_and_go(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=2_000)
    await log.begin()
    await append(log, 1)

    async def read_on() -> int:
        asked = 0
        while log.durable_position < 600:
            for position in {1, log.durable_position // 2 + 1, log.durable_position}:
                assert await log.body(position) == body(position)
                asked += 1
        return asked

    readers = [asyncio.create_task(read_on()) for _ in range(3)]
    await write(log, batches=200, records=3)
    assert log.stat().segments > 10
    assert min(await asyncio.gather(*readers)) > 0
    await log.close()
