"""Damage of every kind is named, cut only where it begins, and every byte that is cut is kept."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogDamaged, LogError, verify
from eventlog.diagnosis import Damage, Sound
from eventlog.directory import bases
from eventlog.errors import Locked, RepairRefused
from eventlog.frame import framed, header_line, parse_header
from eventlog.mark import Mark, slot
from eventlog.repair import cut, examine
from eventlog.repairs import Repair, repairs
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, all_of, entries, open_log, start, write

NOW_US = 1_795_461_256_000_000
LAST = 20


async def a_log(*, sealed: bool) -> MemoryDisk:
    """Ten segments of two records, and a snapshot now and then."""
    disk = MemoryDisk()
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=LAST // 2)
    left = disk.copy()
    await log.close()
    left = disk if sealed else left
    for position in (4, 9, 10, 11, 18):
        path = HOME.snapshots / f"{position:020d}.snap"
        left.put(path, framed(b'#snap {"position":%d}' % position))
    return left


def change(disk: MemoryDisk, base: int, how: Callable[[list[bytes]], list[bytes]]) -> None:
    path = HOME.segment(base)
    lines = disk.content()[path].splitlines(keepends=True)
    disk.put(path, b"".join(how(lines)))


def flip(at: int) -> Callable[[list[bytes]], list[bytes]]:
    def how(lines: list[bytes]) -> list[bytes]:
        line = bytearray(lines[at])
        line[len(line) // 2] ^= 1
        return [*lines[:at], bytes(line), *lines[at + 1 :]]

    return how


def flipped_record(disk: MemoryDisk) -> None:
    change(disk, 9, flip(2))


def first_record_of_a_segment(disk: MemoryDisk) -> None:
    change(disk, 11, flip(1))


def header(disk: MemoryDisk) -> None:
    change(disk, 11, flip(0))


def header_of_the_first(disk: MemoryDisk) -> None:
    change(disk, 1, flip(0))


def footer(disk: MemoryDisk) -> None:
    change(disk, 9, flip(3))


def bytes_behind_the_footer(disk: MemoryDisk) -> None:
    change(disk, 9, lambda lines: [*lines, b"more\n"])


def cut_segment(disk: MemoryDisk) -> None:
    """Once all behind it has left, this looks like an unfinished write."""
    change(disk, 9, lambda lines: [*lines[:2], lines[2][:-5]])


def swapped_records(disk: MemoryDisk) -> None:
    change(disk, 9, lambda lines: [lines[0], lines[2], lines[1], lines[3]])


def repeated_segment(disk: MemoryDisk) -> None:
    disk.put(HOME.segment(11), disk.content()[HOME.segment(9)])


def foreign_segment(disk: MemoryDisk) -> None:
    def how(lines: list[bytes]) -> list[bytes]:
        found = parse_header(lines[0][:-1])
        assert found is not None
        other = {name: getattr(found, name) for name in found.__struct_fields__}
        return [header_line(type(found)(**other | {"cluster": "c2"})), *lines[1:]]

    change(disk, 11, how)


def missing_segment(disk: MemoryDisk) -> None:
    disk.remove(HOME.segment(11))


def missing_first_segment(disk: MemoryDisk) -> None:
    disk.remove(HOME.segment(1))


def later_damage_as_well(disk: MemoryDisk) -> None:
    change(disk, 9, flip(2))
    change(disk, 13, flip(0))
    disk.remove(HOME.segment(17))


def lost_last_segment(disk: MemoryDisk) -> None:
    disk.remove(HOME.segment(19))


def lost_acknowledged_record(disk: MemoryDisk) -> None:
    change(disk, 19, lambda lines: lines[:2])


def torn_acknowledged_record(disk: MemoryDisk) -> None:
    change(disk, 19, lambda lines: [*lines[:2], lines[2][:-5]])


def lost_all(disk: MemoryDisk) -> None:
    for base in bases(disk, HOME):
        disk.remove(HOME.segment(base))


def another_history(disk: MemoryDisk) -> None:
    disk.put(HOME.mark, slot(Mark(16, b"0" * 32)))


DAMAGES: list[tuple[Callable[[MemoryDisk], None], int, str]] = [
    (flipped_record, 10, "checksum"),
    (first_record_of_a_segment, 11, "checksum"),
    (header, 11, "header cannot be read"),
    (header_of_the_first, 1, "header cannot be read"),
    (footer, 11, "checksum"),
    (bytes_behind_the_footer, 11, "behind the segment's footer"),
    (cut_segment, 10, "no footer"),
    (swapped_records, 9, "record 10 stands in its place"),
    (repeated_segment, 11, "its name says otherwise"),
    (foreign_segment, 11, "another log"),
    (missing_segment, 11, "its segment is missing"),
    (missing_first_segment, 1, "the segment with record 1 is missing"),
    (later_damage_as_well, 10, "checksum"),
    (lost_last_segment, 19, "had been acknowledged"),
    (lost_acknowledged_record, 20, "had been acknowledged"),
    (torn_acknowledged_record, 20, "had been acknowledged"),
    (lost_all, 1, "the log is missing"),
    (another_history, 16, "another history"),
]
each_damage = pytest.mark.parametrize(
    ("harm", "position", "reason"), DAMAGES, ids=[harm.__name__ for harm, _, _ in DAMAGES]
)


def repair(disk: MemoryDisk, position: int) -> Repair:
    return cut(
        HOME.directory, position, now_us=NOW_US, reason="a bad sector", user="ann", disk=disk
    )


def look(disk: MemoryDisk) -> Damage | Sound:
    return examine(HOME.directory, now_us=NOW_US, disk=disk)


def data_files(disk: MemoryDisk) -> dict[Path, bytes]:
    return {
        path: data
        for path, data in disk.content().items()
        if path.parent in (HOME.log, HOME.snapshots)
    }


def assert_nothing_is_lost(before: dict[Path, bytes], disk: MemoryDisk) -> None:
    """Every byte is where it was, or behind what is still there, in quarantine."""
    content = disk.content()
    kept = {content[path] for path in content if path.parent == HOME.quarantine}
    for path, data in before.items():
        left = content.get(path, b"")
        assert data.startswith(left)
        assert data == left or data[len(left) :] in kept, path


async def assert_goes_on(disk: MemoryDisk, last: int) -> None:
    assert verify(HOME.directory, disk=disk).last == last
    assert start(disk) == entries(last)
    snapshots = [int(path.stem) for path in disk.content() if path.parent == HOME.snapshots]
    assert all(position <= last for position in snapshots)
    log = open_log(disk=disk)
    assert log.last == last
    await log.begin()
    await write(log, batches=1)
    assert await all_of(log) == entries(last + 2)
    await log.close()
    assert verify(HOME.directory, disk=disk).last == last + 2


@each_damage
@pytest.mark.parametrize("sealed", [True, False])
async def test_damage_is_named_and_cut(
    *, harm: Callable[[MemoryDisk], None], position: int, reason: str, sealed: bool
) -> None:
    disk = await a_log(sealed=sealed)
    harm(disk)
    before = disk.content()
    files = data_files(disk)
    found = look(disk)
    assert isinstance(found, Damage)
    assert (found.position, found.last) == (position, LAST)
    assert reason in str(found.error)
    assert disk.content() == before
    for other in (position - 1, position + 1):
        with pytest.raises(RepairRefused, match=f"first damaged record is {position}"):
            repair(disk, other)
    assert disk.content() == before
    made = repair(disk, position)
    assert (made.position, made.records) == (position, LAST - position + 1)
    assert made.bytes == sum(map(len, files.values())) - sum(map(len, data_files(disk).values()))
    assert_nothing_is_lost(files, disk)
    for file in made.files:
        assert sha256(disk.content()[HOME.quarantine / file.file]).hexdigest() == file.sha256
    assert repairs(disk, HOME) == [made]
    assert disk.open_files == 0
    assert look(disk) == Sound(position - 1, None)
    with pytest.raises(RepairRefused, match="sound"):
        repair(disk, position)
    await assert_goes_on(disk, position - 1)


@each_damage
async def test_killed_at_every_call_it_is_refused_or_repaired_and_can_be_finished(
    harm: Callable[[MemoryDisk], None], position: int, reason: str
) -> None:
    disk = await a_log(sealed=False)
    harm(disk)
    await assert_can_be_finished(disk, position)


@pytest.mark.parametrize(
    ("harm", "position"), [(flipped_record, 10), (cut_segment, 10), (missing_segment, 11)]
)
async def test_so_it_is_without_a_mark(harm: Callable[[MemoryDisk], None], position: int) -> None:
    disk = await a_log(sealed=False)
    disk.remove(HOME.mark)
    harm(disk)
    await assert_can_be_finished(disk, position)


async def assert_can_be_finished(disk: MemoryDisk, position: int) -> None:
    files = data_files(disk)
    fail_at = 0
    while True:
        fail_at += 1
        failing = disk.copy()
        failing.fail_at = fail_at
        try:
            repair(failing, position)
        except OSError:
            assert failing.open_files == 0
            failing.fail_at = None
            for left in (failing, failing.after_power_loss(keep_mark=True)):
                await finish(left, files, position)
        else:
            await finish(failing.after_power_loss(keep_mark=True), files, position)
            break
    assert fail_at > 6


async def finish(disk: MemoryDisk, files: dict[Path, bytes], position: int) -> None:
    """Run the repair again, as one does who does not know how far the first came."""
    found = look(disk)
    if isinstance(found, Damage):
        assert found.position == position
        with pytest.raises(LogDamaged):
            verify(HOME.directory, disk=disk)
        repair(disk, position)
    assert_nothing_is_lost(files, disk)
    (noted,) = repairs(disk, HOME)
    content = disk.content()
    for file in noted.files:
        assert sha256(content[HOME.quarantine / file.file]).hexdigest() == file.sha256
    await assert_goes_on(disk, position - 1)


async def test_same_damage_again_is_another_repair() -> None:
    disk = await a_log(sealed=True)
    lost_last_segment(disk)
    repair(disk, 19)
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    for position in (19, 20):
        log.append(position, b'{"other":"records"}')
    await log.close()
    disk.remove(HOME.segment(19))
    again = repair(disk, 19)
    assert len(repairs(disk, HOME)) == 2
    assert again.mark_position == 20
    flipped_record(disk)
    repair(disk, 10)
    assert [one.position for one in repairs(disk, HOME)] == [19, 19, 10]


async def test_names_in_quarantine_are_never_taken_twice() -> None:
    disk = await a_log(sealed=True)
    flipped_record(disk)
    before = disk.copy()
    repair(disk, 10)
    first = {path: data for path, data in disk.content().items() if path.parent == HOME.quarantine}
    for path, data in data_files(before).items():
        disk.put(path, data)
    change(disk, 9, lambda lines: [*lines[:2], b"something else\n"])
    repair(disk, 10)
    assert first.items() <= disk.content().items()


async def test_sound_log_is_not_cut() -> None:
    disk = await a_log(sealed=False)
    before = disk.content()
    assert look(disk) == Sound(LAST, None)
    for position in (1, 10, LAST, LAST + 1):
        with pytest.raises(RepairRefused, match="sound"):
            repair(disk, position)
    path = HOME.segment(19)
    disk.put(path, before[path] + b"0000")
    torn = look(disk)
    assert isinstance(torn, Sound)
    assert torn.torn is not None
    with pytest.raises(RepairRefused, match="sound"):
        repair(disk, LAST + 1)


@pytest.mark.parametrize("meta", [b"nonsense", b'{"format":9,"cluster":"c1","created_at":1}', None])
async def test_what_no_cut_would_cure_is_not_cut(meta: bytes | None) -> None:
    disk = await a_log(sealed=True)
    if meta is None:
        disk.remove(HOME.meta)
    else:
        disk.put(HOME.meta, meta)
    await assert_no_cut(disk, HOME.meta)


async def test_segment_of_a_later_format_is_not_cut() -> None:
    disk = await a_log(sealed=True)

    def how(lines: list[bytes]) -> list[bytes]:
        found = parse_header(lines[0][:-1])
        assert found is not None
        newer: dict[str, Any] = {name: getattr(found, name) for name in found.__struct_fields__}
        return [header_line(type(found)(**newer | {"format": 2})), *lines[1:]]

    change(disk, 11, how)
    await assert_no_cut(disk, HOME.segment(11))


async def assert_no_cut(disk: MemoryDisk, file: Path) -> None:
    before = disk.content()
    found = look(disk)
    assert isinstance(found, Damage)
    assert (found.position, found.error.file) == (0, file)
    for position in (1, 11):
        with pytest.raises(RepairRefused, match="no cut would cure"):
            repair(disk, position)
    assert disk.content() == before


async def test_needs_the_lock_and_a_log() -> None:
    disk = await a_log(sealed=True)
    flipped_record(disk)
    before = disk.content()
    held = disk.lock(HOME.lock, "pid 7")
    with pytest.raises(Locked, match="pid 7"):
        look(disk)
    with pytest.raises(Locked, match="pid 7"):
        repair(disk, 10)
    disk.close(held)
    assert disk.content() == before
    with pytest.raises(LogError, match="holds no log"):
        examine(Path("/empty"), now_us=NOW_US, disk=disk)
    assert disk.names(Path("/empty")) == []


async def test_unreadable_repairs_log_is_never_overwritten() -> None:
    disk = await a_log(sealed=True)
    flipped_record(disk)
    disk.put(HOME.repairs, b"nonsense\n")
    before = disk.content()
    with pytest.raises(LogDamaged, match=r"repairs\.log"):
        repair(disk, 10)
    assert disk.content() == before


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        (missing_segment, "11"),
        (flipped_record, "9"),
        (lost_acknowledged_record, "19"),
        (header, "11"),
        (missing_first_segment, "1"),
        (lost_last_segment, "19"),
        (lost_all, "1"),
    ],
)
async def test_file_to_restore(harm: Callable[[MemoryDisk], None], name: str) -> None:
    disk = await a_log(sealed=False)
    harm(disk)
    found = look(disk)
    assert isinstance(found, Damage)
    assert found.restorable == HOME.segment(int(name))


async def test_quarantine_survives_a_power_loss_also_where_the_segment_would_not() -> None:
    disk = await a_log(sealed=False)
    flipped_record(disk)
    files = data_files(disk)
    disk._files[HOME.segment(19)].synced = b""  # as --sync none leaves it
    repair(disk, 10)
    assert_nothing_is_lost(files, disk.after_power_loss(keep_mark=True))


async def test_mark_is_lowered_and_never_raised() -> None:
    disk = await a_log(sealed=True)
    flipped_record(disk)
    lower = disk.copy()
    lower.remove(HOME.mark)
    repair(disk, 10)
    assert verify(HOME.directory, disk=disk).mark == 9
    repair(lower, 10)
    assert verify(HOME.directory, disk=lower).mark == 0
