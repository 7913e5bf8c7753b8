from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import Line, LogDamaged, LogError, Reader
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import (
    HOME,
    append,
    body,
    compressed,
    entries,
    open_log,
    plain,
    running,
    write,
)


async def test_lines_name_their_place(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=4)
    for after in range(9):
        lines = list(Reader(tmp_path).lines(after))
        assert [(line.position, line.body) for line in lines] == entries(8)[after:]
        for line in lines:
            frame = b"%d %d %d %b %b\n" % (
                line.position,
                line.batch,
                line.epoch,
                line.chain.encode(),
                line.body,
            )
            assert line.segment.read_bytes()[line.offset + 9 :].startswith(frame)
    assert lines == []
    await log.close()


async def test_lines_of_compressed_segments_name_the_same_places() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    before = [Reader(HOME.directory, disk).lines(after) for after in range(9)]
    told = [[(line.position, line.chain, line.body, line.offset) for line in one] for one in before]
    compressed(disk)
    reader = Reader(HOME.directory, disk)
    for after, expected in enumerate(told):
        lines = list(reader.lines(after))
        assert [(one.position, one.chain, one.body, one.offset) for one in lines] == expected
        assert {line.segment for line in lines if line.position < 7} <= set(disk.content())


@pytest.mark.parametrize("form", [plain, compressed])
async def test_segments_are_described(form: Callable[[MemoryDisk], MemoryDisk]) -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    size = disk.size(HOME.segment(1))
    form(disk)
    segments = Reader(HOME.directory, disk).segments()
    assert [segment.base for segment in segments] == [1, 3, 5, 7]
    assert [segment.sealed for segment in segments] == [True, True, True, False]
    assert segments[0].footer is not None
    assert segments[0].footer.last == 2
    assert segments[0].bytes == size
    assert segments[0].file_bytes == disk.size(segments[0].path)
    assert segments[0].compressed == (form is compressed)


async def test_unfinished_last_write_ends_reading_silently() -> None:
    disk = await running(batches=2)
    disk.remove(HOME.mark)
    data = disk.content()[HOME.segment(1)]
    last_line = data.rindex(b"\n", 0, -1) + 1
    reader = Reader(HOME.directory, disk)
    for cut in range(last_line, len(data)):
        disk.put(HOME.segment(1), data[:cut])
        assert [line.position for line in reader.lines()] == [1, 2, 3]
    disk.put(HOME.segment(1), data[:last_line] + bytes(512))
    assert [len(batch) for batch in reader.entries()] == [3]


async def test_damage_before_the_end_is_told_after_what_is_sound() -> None:
    disk = await running(batches=4)
    data = disk.content()[HOME.segment(1)]
    disk.put(HOME.segment(1), data.replace(b'"j6"', b'"jX"'))
    lines = Reader(HOME.directory, disk).lines()
    assert [next(lines).position for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(LogDamaged, match="record 6 is damaged: its checksum does not match"):
        next(lines)


async def test_damage_in_a_sealed_segment_is_told() -> None:
    disk = await running(batches=6, segment_bytes_max=500)
    data = disk.content()[HOME.segment(3)]
    for damaged in (data[:-40], data[:250] + bytes(100) + data[350:], data + b"\0", data + data):
        disk.put(HOME.segment(3), damaged)
        with pytest.raises(LogDamaged):
            list(Reader(HOME.directory, disk).entries())


@pytest.mark.parametrize("form", [plain, compressed])
async def test_following_goes_on_across_segments_restarts_and_replaced_segments(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    disk = MemoryDisk()
    seen: list[Line] = []
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    follower = Reader(HOME.directory, disk).walk()
    for _ in range(3):
        await write(log, batches=3)
        assert [entry for batch in iter(follower.next, []) for entry in batch] == entries(log.last)[
            -6:
        ]
        await log.close()
        form(disk)
        assert follower.next() == []
        for _ in range(2):
            log = open_log(disk=disk, segment_bytes_max=500, writer="another, with a longer name")
            await log.begin()
            assert follower.next() == []
            await log.close()
        log = open_log(disk=disk, segment_bytes_max=500)
        await log.begin()
    waits = iter([True, True, False])
    for line in Reader(HOME.directory, disk).follow(15, lambda: next(waits)):
        seen.append(line)
        if line.position == 18:
            await append(log, 19)
    assert [line.position for line in seen] == [16, 17, 18, 19]
    await log.close()


async def test_lines_longer_than_one_read(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    large = [b"a" * 5_000_000, b"b", b"c" * 3_000_000]
    for position, content in enumerate(large, start=1):
        log.append(position, content)
    await log.durable(3)
    assert [line.body for line in Reader(tmp_path).lines()] == large
    await log.close()


async def test_no_log_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="holds no log"):
        Reader(tmp_path / "none")
    log = open_log(tmp_path)
    reader = Reader(tmp_path)
    assert (reader.segments(), list(reader.lines()), reader.mark()) == ([], [], 0)
    follower = reader.walk()
    assert follower.next() == []
    await log.begin()
    assert follower.next() == []
    await append(log, 1)
    assert follower.next() == [(1, body(1))]
    await log.close()


def _times(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


async def test_reading_touches_no_file(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    await write(log, batches=2)
    await log.close()
    before = _times(tmp_path)
    reader = Reader(tmp_path)
    assert len(list(reader.lines())) == 4
    assert _times(tmp_path) == before
