"""Compressed segments: the same bytes or `LogDamaged`, killed anywhere, beside whoever reads."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from zstandard import ZstdDecompressor

from eventlog import Entry, LogDamaged, Reader, SegmentInfo, verify
from eventlog.compressed import compress, compress_log, compressible
from eventlog.content import Content
from eventlog.directory import Home, bases, keeping, segment_path, survey
from eventlog.disk import OsDisk
from eventlog.errors import Locked
from eventlog.seekable import FRAME_BYTES_MAX
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, body, compressed, entries, open_log, running, write


def read(disk: MemoryDisk, home: Home = HOME) -> list[Entry]:
    return [entry for batch in Reader(home.directory, disk).entries() for entry in batch]


async def test_any_zstd_tool_gives_the_plain_segment_back(tmp_path: Path) -> None:
    disk, home = OsDisk(), Home(tmp_path)
    log = open_log(tmp_path, segment_bytes_max=3_000_000)
    await log.begin()
    for position in range(1, 13):
        log.append(position, b"%d " % position + b"x" * (10 if position % 3 else 1_300_000))
    await log.durable(12)
    await write(log, batches=300, records=20)
    await log.close()
    before = {base: home.segment(base).read_bytes() for base in bases(disk, home)}
    (done, *more) = compress_log(disk, home, "c1", keep=0)
    assert len(before) == len(more) + 2
    for segment in (done, *more):
        data = segment.path.read_bytes()
        assert segment.path.name.endswith(".log.zst")
        assert segment.path.stat().st_mode & 0o777 == 0o440
        assert not home.segment(segment.base).exists()
        told = ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        assert told == before[segment.base]
        assert (segment.file_bytes, segment.bytes) == (len(data), len(told))
        assert len(data) < len(told) / 3
    assert verify(tmp_path).last == log.last


async def test_first_and_last_frame_hold_a_line_each_and_none_is_too_long() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=3_000_000)
    await log.begin()
    log.append(1, b"long " + b"x" * (2 * FRAME_BYTES_MAX))
    await write(log, batches=60, records=500)
    sound = disk.content()[HOME.segment(1)]
    compressed(disk)
    data = disk.content()[HOME.archive(1)]
    contents: list[bytes] = []
    while data[:4] == b"\x28\xb5\x2f\xfd":
        one = ZstdDecompressor().decompressobj()
        contents.append(one.decompress(data))
        data = one.unused_data
    assert b"".join(contents) == sound
    assert contents[0] == sound[: sound.index(b"\n") + 1]
    assert contents[-1] == sound[sound.rindex(b"\n", 0, -1) + 1 :]
    assert max(map(len, contents)) <= FRAME_BYTES_MAX
    cut_inside = [content for content in contents if not content.endswith(b"\n")]
    assert len(cut_inside) == 2
    await log.close()


async def test_every_part_reads_as_in_the_plain_file() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=2_500_000)
    await log.begin()
    await write(log, batches=60, records=500)
    await log.close()
    plain = disk.content()[HOME.segment(1)]
    compressed(disk)
    content = Content(disk, HOME, 1)
    assert (content.path, content.size()) == (HOME.archive(1), len(plain))
    steps = [0, 1, 500, FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX, 2 * FRAME_BYTES_MAX, len(plain)]
    for offset in [*steps, len(plain) - 1, len(plain) + 5]:
        for size in (0, *steps):
            assert content.read(offset, size) == plain[offset : offset + size]


async def small_archive() -> MemoryDisk:
    disk = await running(batches=2, segment_bytes_max=300)
    assert [segment.compressed for segment in survey(compressed(disk), HOME, "c1")] == [True, False]
    return disk


async def test_every_flipped_bit_is_found_or_changes_nothing() -> None:
    disk = await small_archive()
    sound = disk.content()[HOME.archive(1)]
    plain = Content(disk, HOME, 1).read(0, 1 << 20)
    files: set[Path] = set()
    harmless = 0
    for bit in range(len(sound) * 8):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        disk.put(HOME.archive(1), bytes(flipped))
        try:
            assert read(disk) == entries(4)
            assert Content(disk, HOME, 1).read(0, 1 << 20) == plain
            harmless += 1
        except LogDamaged as damaged:
            files.add(damaged.file)
    assert files == {HOME.archive(1)}
    assert harmless < len(sound) * 8 / 100  # bits that the format ignores


async def test_every_truncation_and_every_byte_behind_the_end_is_found() -> None:
    disk = await small_archive()
    sound = disk.content()[HOME.archive(1)]
    for damaged in [*(sound[:size] for size in range(len(sound))), sound + b"\0", sound + sound]:
        disk.put(HOME.archive(1), damaged)
        with pytest.raises(LogDamaged) as raised:
            read(disk)
        assert raised.value.file == HOME.archive(1)


async def test_damage_is_told_where_it_is_after_what_is_sound() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=2_500_000)
    await log.begin()
    await write(log, batches=60, records=500)
    await log.close()
    (segment,) = compress_log(disk, HOME, "c1", keep=1)
    damaged = bytearray(disk.content()[segment.path])
    damaged[len(damaged) // 2] ^= 1
    disk.put(segment.path, bytes(damaged))
    found: list[Entry] = []
    heard = (found.extend(batch) for batch in Reader(HOME.directory, disk).entries())
    with pytest.raises(LogDamaged, match="cannot be decompressed") as raised:
        list(heard)
    assert found == entries(len(found))
    assert raised.value.position == len(found) + 1 > 1_000
    assert raised.value.last_good.startswith(f"{len(found)} at byte")
    log = open_log(disk=disk)
    assert await log.body(len(found)) == body(len(found))
    with pytest.raises(LogDamaged, match="cannot be decompressed"):
        await log.body(len(found) + 1)
    await log.close()


async def test_compressed_last_segment_is_never_taken_for_torn() -> None:
    disk = await small_archive()
    disk.remove(HOME.segment(3))
    disk.remove(HOME.mark)
    assert read(disk) == entries(2)
    sound = disk.content()[HOME.archive(1)]
    for bit in range(0, len(sound) * 8, 3):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        disk.put(HOME.archive(1), bytes(flipped))
        try:
            log = open_log(disk=disk)
        except LogDamaged:
            continue
        assert log.recovery is None
        await log.close()


async def test_plain_segment_that_is_damaged_is_left_as_it_is() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    sound = disk.content()[HOME.segment(1)]
    disk.put(HOME.segment(1), sound.replace(b'"j2"', b'"jX"'))
    before = disk.content()
    with pytest.raises(LogDamaged, match="does not match the hash in its footer") as raised:
        compress_log(disk, HOME, "c1", keep=0)
    assert raised.value.file == HOME.segment(1)
    assert disk.content() == before
    assert disk.open_files == 0


class Careless(MemoryDisk):
    """Loses a bit of what is written in the middle of a compressed file."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        changed = bytearray(data)
        changed[len(changed) // 2] ^= self.flip
        return super().write(fd, bytes(changed))

    flip = 0


async def test_what_does_not_read_back_takes_nobodys_place() -> None:
    disk = Careless()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=4)
    await log.close()
    before = disk.content()
    disk.flip = 4
    with pytest.raises(LogDamaged):
        compress_log(disk, HOME, "c1", keep=0)
    assert disk.content() == before


async def test_the_last_and_the_newest_are_kept() -> None:
    disk = await running(batches=6, segment_bytes_max=500)
    segments = survey(disk, HOME, "c1")

    def chosen(segments: list[SegmentInfo], keep: int) -> list[int]:
        return [segment.base for segment in compressible(segments, keep)]

    assert [chosen(segments, keep) for keep in (0, 1, 4, 5, 9)] == [
        [1, 3, 5, 7, 9],
        [1, 3, 5, 7],
        [1],
        [],
        [],
    ]
    assert chosen(segments[:3], 0) == [1, 3]
    assert chosen(segments[:3], 1) == [1, 3]
    assert chosen([], 0) == []
    log = open_log(disk=disk)
    await log.begin()
    compress_log(disk, HOME, "c1", keep=2)
    assert [one.compressed for one in survey(disk, HOME, "c1")] == [True] * 4 + [False] * 3
    await log.close()


async def test_again_does_nothing() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    heard: list[tuple[int, int]] = []
    done = compress_log(
        disk, HOME, "c1", keep=0, progress=lambda done, of: heard.append((done, of))
    )
    assert done == survey(disk, HOME, "c1")[:-1]
    assert heard == [(1, 3), (2, 3), (3, 3)]
    before = disk.content()
    assert compress_log(disk, HOME, "c1", keep=0) == []
    assert disk.content() == before


async def test_killed_at_every_call_and_run_again_ends_the_same() -> None:
    begin = await running(batches=4, segment_bytes_max=500)
    end = compressed(begin.copy())
    calls = end.calls
    assert calls > 20
    for fail_at in range(1, calls + 1):
        disk = begin.copy()
        disk.fail_at = fail_at
        with pytest.raises(OSError, match="injected"):
            compress_log(disk, HOME, "c1", keep=0)
        disk.fail_at = None
        for left in (disk, disk.after_power_loss(keep_mark=True)):
            assert disk.open_files == 0
            assert bases(left, HOME) == [1, 3, 5, 7]
            assert read(left) == entries(8)
            compress_log(left, HOME, "c1", keep=0)
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


async def test_the_plain_file_goes_last() -> None:
    disk = Recorded()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=2)
    await log.close()
    disk.order.clear()
    compressed(disk)
    order = [name for name in disk.order if name != "write"]
    assert order == [
        *("sync_directory", "create", "protect", "sync_file"),
        *("rename", "sync_directory", "unlink", "sync_directory"),
    ]


async def test_while_both_are_there_the_plain_one_counts() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    plain = disk.content()[HOME.segment(1)]
    compressed(disk)
    disk.put(HOME.segment(1), plain)
    disk.put(HOME.archive(1), b"half")
    disk.put(HOME.archive(3).with_name(HOME.archive(3).name + ".tmp"), b"half")
    assert segment_path(disk, HOME, 1) == HOME.segment(1)
    assert bases(disk, HOME) == [1, 3, 5, 7]
    assert read(disk) == entries(8)
    compress_log(disk, HOME, "c1", keep=9)  # what was begun is finished
    assert sorted(path.name for path in disk.content() if path.parent == HOME.log) == [
        f"{1:020}.log.zst",
        f"{3:020}.log.zst",
        f"{5:020}.log.zst",
        f"{7:020}.log",
    ]
    assert Content(disk, HOME, 1).read(0, 1 << 20) == plain


@pytest.mark.parametrize("cut", [40, 250])
async def test_of_two_files_the_sound_one_is_never_removed(cut: int) -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    plain = disk.content()[HOME.segment(1)]
    compressed(disk)
    disk.put(HOME.segment(1), plain[:cut] + plain[cut + 1 :])
    before = disk.content()
    with pytest.raises(LogDamaged) as raised:
        compress_log(disk, HOME, "c1", keep=0)
    assert raised.value.file == HOME.segment(1)
    assert disk.content() == before


class Meddled(MemoryDisk):
    """Does something before the call of a given number, of those that a reader makes."""

    def __init__(self) -> None:
        super().__init__()
        self.countdown = 0
        self.meddle: Callable[[], object] = lambda: None

    def _count(self) -> None:
        self.countdown -= 1
        if self.countdown == 0:
            self.meddle()

    def names(self, directory: Path) -> list[str]:
        self._count()
        return super().names(directory)

    def size(self, path: Path) -> int:
        self._count()
        return super().size(path)

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        self._count()
        return super().read(path, offset, size_max)


async def test_compressed_at_any_moment_of_a_read() -> None:
    begin = await running(batches=4, segment_bytes_max=500)
    countdown, meddled = 0, True
    while meddled:
        countdown += 1
        disk = Meddled()
        for path, data in begin.content().items():
            disk.put(path, data)
        disk.countdown = countdown
        disk.meddle = lambda disk=disk: compressed(disk)  # type: ignore[misc]
        assert verify(HOME.directory, disk=disk).records == 8
        assert read(disk) == entries(8)
        meddled = disk.countdown <= 0
    assert countdown > 50


class Watched(MemoryDisk):
    """Lets somebody look after every change."""

    watch: Callable[[], None] | None = None

    def _call(self, name: str) -> None:
        super()._call(name)
        if self.watch is not None:
            self.watch()


async def test_read_at_any_moment_of_compressing() -> None:
    disk = Watched()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=4)
    held = Reader(HOME.directory, disk).walk()
    seen = held.next()
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        assert read(disk) == entries(8)
        if looks % 10 == 0:
            seen.extend(held.next())

    disk.watch = look
    compress_log(disk, HOME, "c1", keep=0)
    disk.watch = None
    while more := held.next():
        seen.extend(more)
    assert looks > 20
    assert seen == entries(8)
    await log.close()


async def test_beside_a_live_log_and_its_readers(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=2_000)
    await log.begin()
    followed: list[Entry] = []

    async def follow() -> None:
        async for batch in log.follow(0):
            followed.extend(batch)

    async def read_on() -> None:
        while log.durable_position < 600:
            upto = log.durable_position
            assert (await all_of(log))[:upto] == entries(upto)
            for position in {1, upto // 2 + 1, upto} - {0}:
                assert await log.body(position) == body(position)

    def compress_all() -> int:
        return len(compress_log(OsDisk(), Home(tmp_path), "c1", keep=0))

    await write(log, batches=1)
    follower = asyncio.ensure_future(follow())
    reading = asyncio.ensure_future(read_on())
    done = 0
    for _ in range(20):
        await write(log, batches=10, records=3)
        done += await asyncio.to_thread(compress_all)
    await reading
    await log.close()
    await follower
    assert followed == entries(602)
    assert done > 15
    assert verify(tmp_path).records == 602


async def test_one_at_a_time() -> None:
    disk = await running()
    with (
        keeping(disk, HOME, "pid 7"),
        pytest.raises(Locked, match="pid 7"),
        keeping(disk, HOME, "pid 8"),
    ):
        raise AssertionError
    with keeping(disk, HOME, "pid 8"):
        pass
    assert disk.open_files == 0


async def test_only_a_sealed_segment_can_be_compressed() -> None:
    disk = await running()
    with pytest.raises(AssertionError):
        compress(disk, HOME, survey(disk, HOME, "c1")[-1])
