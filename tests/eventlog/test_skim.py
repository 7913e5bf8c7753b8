from collections.abc import Callable
from typing import Any

import pytest

from eventlog import LogDamaged, LogExpired, Reader, Sieve, seek
from eventlog.frame import framed, parse_record
from eventlog.retention import expire
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, compressed, open_log, plain, running, write

FORMS = pytest.mark.parametrize("form", [plain, compressed])


@pytest.fixture(autouse=True, params=[None, 1], ids=["as it is", "bisected to the end"])
def near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        monkeypatch.setattr(seek, "NEAR_BYTES", request.param)
        monkeypatch.setattr(seek, "_LOOK_BYTES", 16)


def names(*positions: int) -> Sieve:
    return Sieve((tuple(b'"j%d"' % position for position in positions),))


@FORMS
async def test_what_passes_is_what_a_full_reading_gives(
    form: Callable[[MemoryDisk], MemoryDisk],
) -> None:
    reader = Reader(HOME.directory, form(await running(batches=5, segment_bytes_max=500)))
    whole = list(reader.lines())
    for after in range(12):
        for until in range(after, 13):
            assert list(reader.skim(after, Sieve(), until=until)) == whole[after:until]
            assert list(reader.lines(after, until=until)) == whole[after:until]
            kept = [line for line in whole[after:until] if line.position in {2, 7, 10}]
            assert list(reader.skim(after, names(2, 7, 10), until=until)) == kept
    assert list(reader.skim(0, Sieve((*names(2, 7).groups, (b'"j7"', b'"v"'))))) == [
        line for line in whole if line.position in {2, 7}
    ]
    assert list(reader.skim(0, Sieve((*names(2).groups, *names(7).groups)))) == []


@FORMS
async def test_first_record_behind_something(form: Callable[[MemoryDisk], MemoryDisk]) -> None:
    disk = form(await running(batches=5, segment_bytes_max=500))
    reader = Reader(HOME.directory, disk)
    for wanted in range(1, 12):
        assert reader.first_where(lambda position, _, w=wanted: position >= w) == wanted
    assert reader.first_where(lambda _, body: body.endswith(b'"j9"}]}') or b"j10" in body) == 9
    assert reader.first_where(lambda *_: False) == 11


async def test_first_record_of_logs_without_one() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    reader = Reader(HOME.directory, disk)
    assert reader.first_where(lambda *_: False) == 1
    assert list(reader.skim(0, Sieve())) == []
    await log.close()


async def test_progress_tells_of_records_that_do_not_pass() -> None:
    reader = Reader(HOME.directory, await running(batches=5, segment_bytes_max=500))
    heard: list[int] = []
    assert list(reader.skim(0, names(99), progress=heard.append)) == []
    assert heard[-1] == 10


async def test_expired_records_are_told() -> None:
    disk = await running(batches=5, segment_bytes_max=500)
    expire(disk, HOME, "c1", before=5, covered=4)
    reader = Reader(HOME.directory, disk)
    with pytest.raises(LogExpired):
        next(reader.skim(0, Sieve()))
    assert [line.position for line in reader.skim(4, names(2, 7))] == [7]
    assert reader.first_where(lambda *_: True) == 5


async def test_damage_is_met_in_records_that_would_not_have_passed() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    for path, content in disk.content().items():
        if path.parent != HOME.log:
            continue
        for offset in range(len(content)):
            changed = bytearray(content)
            changed[offset] ^= 2
            disk.put(path, bytes(changed))
            with pytest.raises(LogDamaged) as damaged:
                list(Reader(HOME.directory, disk).skim(0, names(99)))
            assert damaged.value.file == path
        disk.put(path, content)


@pytest.mark.parametrize("change", ["gone", "twice", "swapped"])
async def test_lines_that_changed_places_are_damage(change: str) -> None:
    disk = await running(batches=4)
    path = HOME.segment(1)
    lines = disk.content()[path].splitlines(keepends=True)
    lines[3:5] = {"gone": [lines[4]], "twice": [lines[3], lines[3]], "swapped": lines[4:2:-1]}[
        change
    ]
    disk.put(path, b"".join(lines))
    found: list[Any] = []
    with pytest.raises(LogDamaged, match="stands in its place") as damaged:
        found.extend(Reader(HOME.directory, disk).skim(0, Sieve()))
    assert damaged.value.position == (4 if change == "twice" else 3)
    assert "chain" not in damaged.value.last_good


async def test_unfinished_last_write_ends_it_silently() -> None:
    disk = await running(batches=2)
    disk.remove(HOME.mark)
    data = disk.content()[HOME.segment(1)]
    disk.put(HOME.segment(1), data[:-5])
    assert [line.position for line in Reader(HOME.directory, disk).skim(0, Sieve())] == [1, 2, 3]


async def test_line_that_was_forged_into_no_record_is_damage_when_it_passes() -> None:
    disk = await running(batches=2)
    content = disk.content()[HOME.segment(1)]
    line = content.splitlines(keepends=True)[2]
    record = parse_record(line[:-1])
    assert record is not None
    disk.put(HOME.segment(1), content.replace(line, framed(b"2 x")))
    with pytest.raises(LogDamaged, match="form of no record"):
        list(Reader(HOME.directory, disk).skim(0, Sieve()))


async def test_lines_longer_than_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seek, "NEAR_BYTES", 1)
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    large = [b"a" * 300_000, b"b", b"c" * 2_000_000, b"d"]
    for position, content in enumerate(large, start=1):
        log.append(position, content)
    await log.durable(4)
    reader = Reader(HOME.directory, disk)
    for after in range(5):
        assert [line.body for line in reader.skim(after, Sieve())] == large[after:]
        assert reader.first_where(lambda position, _, a=after: position > a) == after + 1
    await log.close()


async def test_skimming_beside_a_writer_goes_on_over_segments() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=3)
    found = Reader(HOME.directory, disk).skim(0, Sieve())
    assert next(found).position == 1
    await write(log, batches=3)
    assert [line.position for line in found] == list(range(2, 13))
    await log.close()
