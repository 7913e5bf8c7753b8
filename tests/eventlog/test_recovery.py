"""Cut anywhere, flip any bit: what was acknowledged is there or the start is refused."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from eventlog import LogDamaged, LogFailed, verify
from eventlog.frame import parse_record
from eventlog.mark import Mark, slot
from eventlog.tail import SECTOR_BYTES
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, append, body, entries, open_log, running, start, write

ACKNOWLEDGED = 4
APPENDED = 8
LAST = HOME.segment(1)


async def torn_log() -> MemoryDisk:
    """Two acknowledged batches of two, then one of four that was written and never acknowledged."""
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await append(log, 1, 2)
    await append(log, 3, 4)
    mark = disk.content()[HOME.mark]
    await append(log, 5, 6, 7, 8)
    left = disk.copy()
    left.put(HOME.mark, mark)
    await log.close()
    return left


def record_ends(data: bytes) -> list[int]:
    """Give where each record's line ends, behind where the header does."""
    ends = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    assert len(ends) == APPENDED + 1
    return ends


def with_last(disk: MemoryDisk, data: bytes) -> MemoryDisk:
    changed = disk.copy()
    changed.put(LAST, data)
    return changed


def assert_refused(disk: MemoryDisk) -> LogDamaged:
    before = disk.content()
    with pytest.raises(LogDamaged) as caught:
        start(disk)
    assert disk.content() == before
    assert disk.open_files == 0
    return caught.value


async def begin_and_go_on(disk: MemoryDisk, found: int) -> None:
    """Let a server take over, write, and stop; everything must then be sound."""
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=1)
    assert await all_of(log) == entries(found + 2)
    await log.close()
    assert verify(HOME.directory, disk=disk).records == found + 2
    assert start(disk) == entries(found + 2)


async def test_cut_at_every_byte() -> None:
    disk = await torn_log()
    data = disk.content()[LAST]
    ends = record_ends(data)
    acknowledged_end = ends[ACKNOWLEDGED]
    for cut in range(len(data)):
        left = with_last(disk, data[:cut])
        if cut < acknowledged_end:
            assert_refused(left)
            continue
        whole = sum(end <= cut for end in ends) - 1
        before = left.content()
        assert start(left) == entries(whole)
        assert left.content() == before


async def test_cut_at_every_byte_when_nothing_was_acknowledged() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await append(log, 1, 2)
    data = disk.content()[LAST]
    await log.close()
    disk.remove(HOME.mark)
    header_end = data.index(b"\n") + 1
    for cut in range(len(data)):
        left = with_last(disk, data[:cut])
        if cut < header_end:
            assert_refused(left)  # a segment never appears without its header
        else:
            whole = data[:cut].count(b"\n") - 1
            assert start(left) == entries(whole)
            await begin_and_go_on(left, whole)


async def test_cut_tail_is_set_aside_and_the_log_goes_on() -> None:
    disk = await torn_log()
    data = disk.content()[LAST]
    ends = record_ends(data)
    for cut in range(ends[ACKNOWLEDGED], len(data), 7):
        left = with_last(disk, data[:cut])
        whole = sum(end <= cut for end in ends) - 1
        log = open_log(disk=left)
        recovery = log.recovery
        await log.begin()
        if cut in ends:
            assert recovery is None
        else:
            assert recovery is not None
            assert recovery.quarantine is not None
            assert (recovery.file, recovery.offset) == (LAST, ends[whole])
            assert recovery.position == whole + 1
            assert left.content()[recovery.quarantine] == data[ends[whole] : cut]
            assert str(recovery.quarantine) in str(recovery)
        await log.close()
        await begin_and_go_on(left, whole)


async def test_every_subset_of_missing_sectors() -> None:
    disk = await torn_log()
    data = disk.content()[LAST]
    ends = record_ends(data)
    edges = sorted({ends[ACKNOWLEDGED], len(data), *range(0, len(data), SECTOR_BYTES)})
    edges = [edge for edge in edges if edge >= ends[ACKNOWLEDGED]]
    sectors = list(pairwise(edges))
    for chosen in range(1, 2 ** len(sectors)):
        holed = bytearray(data)
        missing = [sector for n, sector in enumerate(sectors) if chosen >> n & 1]
        for first, end in missing:
            holed[first:end] = bytes(end - first)
        whole = sum(end <= missing[0][0] for end in ends) - 1
        left = with_last(disk, bytes(holed))
        assert start(left) == entries(whole)
        await begin_and_go_on(left, whole)


async def test_every_subset_of_missing_sectors_of_a_large_batch() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await append(log, 1)
    mark, acknowledged_end = disk.content()[HOME.mark], disk.size(LAST)
    contents = [body(1)] + [b'"%s"' % (b"%d" % n * 300) for n in range(2, 12)]
    for position, content in enumerate(contents[1:], start=2):
        log.append(position, content)
    await log.durable(11)
    left = disk.copy()
    await log.close()
    left.put(HOME.mark, mark)
    data = left.content()[LAST]
    ends = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    edges = [acknowledged_end, *range(SECTOR_BYTES, len(data), SECTOR_BYTES), len(data)]
    sectors = list(pairwise(edges))
    assert len(sectors) >= 7
    for chosen in range(1, 2 ** min(len(sectors), 10)):
        holed = bytearray(data)
        missing = [sector for n, sector in enumerate(sectors) if chosen >> n & 1]
        for first, end in missing:
            holed[first:end] = bytes(end - first)
        whole = sum(end <= missing[0][0] for end in ends) - 1
        found = start(with_last(left, bytes(holed)))
        assert [content for _, content in found] == contents[:whole]


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("sealed", [True, False])
async def test_every_flipped_bit(*, marked: bool, sealed: bool) -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=3)
    left = disk.copy()
    await log.close()
    if sealed:
        left = disk.copy()
    if not marked:
        left.remove(HOME.mark)
    harmless = 0
    for path, data in left.content().items():
        for flipped in _flips(data):
            left.put(path, flipped)
            before = left.content()
            try:
                found = start(left)
            except LogDamaged:
                pass
            else:
                assert found == entries(6), f"{path} changed and read as something else"
                assert path in (HOME.mark, HOME.meta)
                harmless += 1
            assert left.content() == before
        left.put(path, data)
    assert harmless > 0


def _flips(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        for bit in range(8):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


async def test_deleted_repeated_and_swapped_lines() -> None:
    disk = await torn_log()
    disk.remove(HOME.mark)
    lines = disk.content()[LAST].splitlines(keepends=True)
    for at in range(1, APPENDED):
        deleted = lines[:at] + lines[at + 1 :]
        repeated = [*lines[:at], lines[at], *lines[at:]]
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        for changed in (deleted, repeated, swapped):
            assert_refused(with_last(disk, b"".join(changed)))


async def test_header_without_or_in_place_of_records() -> None:
    disk = await torn_log()
    lines = disk.content()[LAST].splitlines(keepends=True)
    assert_refused(with_last(disk, b"".join(lines[1:])))
    assert_refused(with_last(disk, lines[0] + b"".join(lines)))
    assert_refused(with_last(disk, b""))


async def test_another_line_with_a_right_checksum() -> None:
    disk = await torn_log()
    disk.remove(HOME.mark)
    lines = disk.content()[LAST].splitlines(keepends=True)
    other = await torn_log_of("c2")
    foreign = other.content()[LAST].splitlines(keepends=True)
    for at in range(1, APPENDED + 1):
        changed = [*lines[:at], foreign[at], *lines[at + 1 :]]
        assert "hash chain" in str(assert_refused(with_last(disk, b"".join(changed))))


async def torn_log_of(cluster: str) -> MemoryDisk:
    return await running(batches=4, new_cluster_id=lambda: cluster)


async def test_segments_dropped_swapped_or_foreign() -> None:
    disk = await running(batches=6, segment_bytes_max=500)
    other = await running(batches=6, segment_bytes_max=500, new_cluster_id=lambda: "c2")
    segments = [path for path in disk.content() if path.parent == HOME.log]
    assert len(segments) >= 4
    for path, following in pairwise(segments):
        dropped, swapped, foreign = disk.copy(), disk.copy(), disk.copy()
        dropped.remove(path)
        assert_refused(dropped)
        swapped.put(path, disk.content()[following])
        swapped.put(following, disk.content()[path])
        assert_refused(swapped)
        foreign.put(path, other.content()[path])
        assert "another log" in str(assert_refused(foreign))
    last = disk.copy()
    last.remove(segments[-1])
    assert "had been acknowledged" in str(assert_refused(last))


async def test_mark_of_another_history() -> None:
    disk = await running()
    disk.put(HOME.mark, slot(Mark(6, b"0" * 32)))
    assert "another history" in str(assert_refused(disk))
    disk.put(HOME.mark, slot(Mark(7, b"0" * 32)))
    assert "had been acknowledged" in str(assert_refused(disk))
    for path in [path for path in disk.content() if path.parent == HOME.log]:
        disk.remove(path)
    assert "missing" in str(assert_refused(disk))


async def test_missing_or_broken_mark_is_no_error() -> None:
    disk = await running()
    for data in (b"", b"x", bytes(128), b"\xff" * 1000):
        disk.put(HOME.mark, data)
        assert start(disk) == entries(6)
        await begin_and_go_on(disk.copy(), 6)


async def test_report_names_the_place() -> None:
    disk = await running()
    data = disk.content()[LAST]
    lines = data.splitlines(keepends=True)
    offset = sum(map(len, lines[:3]))
    record = parse_record(lines[2][:-1])
    assert record is not None
    damage = assert_refused(with_last(disk, data[: offset + 70] + b"X" + data[offset + 71 :]))
    assert (damage.file, damage.offset, damage.line, damage.position) == (LAST, offset, 4, 3)
    text = str(damage)
    assert f"{LAST} byte {offset} (line 4): record 3 is damaged" in text
    assert "it had been acknowledged (the durable mark is 6)" in text
    assert f"last good record: 2 at byte {len(lines[0]) + len(lines[1])}" in text
    assert record.chain.decode() in text
    assert f"stored {lines[3][:8].decode()}, computed " in text
    assert "nothing was changed" in text


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\xfe\n",
        b"9" * 9000 + b"\n",
        b"\r\n",
        b"00000000 \n",
        b"00000000 #end {}\n",
        b"{}\n" * 9,
    ],
)
async def test_arbitrary_bytes_are_damage(junk: bytes) -> None:
    disk = await running()
    disk.remove(HOME.mark)
    data = disk.content()[LAST]
    assert_refused(with_last(disk, data + junk))
    assert_refused(with_last(disk, junk + data))
    disk.put(HOME.meta, junk)
    assert_refused(disk)


async def test_missing_meta_is_damage_once_there_are_segments() -> None:
    disk = await running()
    disk.remove(HOME.meta)
    assert "meta.json" in str(assert_refused(disk))


async def test_crash_between_copy_and_cut_copies_again() -> None:
    disk = await torn_log()
    left = with_last(disk, disk.content()[LAST][:-3])
    left.put(HOME.quarantine / f"{LAST.stem}@1.1.torn", b"of another place")
    for _ in range(2):
        await _die_in(left, "truncate")
        assert start(left) == entries(7)
    kept = [path.name for path in left.content() if path.parent == HOME.quarantine]
    assert len(kept) >= 3
    await begin_and_go_on(left, 7)


async def _die_in(disk: MemoryDisk, call: str) -> None:
    """Let a start die in a call of that name."""
    disk.fail_in = call
    log = open_log(disk=disk)
    with pytest.raises(LogFailed, match="Input/output error"):
        await log.begin()
    await log.close()
    disk.fail_in = None


async def test_real_disk_torn_tail(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await log.begin()
    await write(log, batches=2)
    path = log._home.segment(1)
    data, mark = path.read_bytes(), slot(Mark(2, b"0" * 32))
    await log.close()
    path.chmod(0o640)
    path.write_bytes(data[:-5])
    chain = parse_record(data.splitlines()[2])
    assert chain is not None
    (tmp_path / "DURABLE").write_bytes(slot(Mark(2, chain.chain)))
    assert mark
    log = open_log(tmp_path)
    await log.begin()
    assert log.recovery is not None
    assert log.recovery.quarantine is not None
    assert log.recovery.quarantine.read_bytes() == data.splitlines()[4][:-4]
    await write(log, batches=1)
    assert await all_of(log) == entries(5)
    await log.close()
    assert verify(tmp_path).records == 5
