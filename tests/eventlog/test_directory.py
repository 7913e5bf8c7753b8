from pathlib import Path

import pytest

from eventlog import LogDamaged
from eventlog.directory import Home, bases, initialise, read_identity, survey, survey_around
from eventlog.disk import OsDisk
from eventlog.frame import framed
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, open_log, running


def test_other_names_are_no_segments() -> None:
    disk = MemoryDisk()
    for name in ("1.log", f"{7:020}.log", f"{7:020}.tmp", "²" * 20 + ".log", f"{3:020}.log", "x"):
        disk.put(HOME.log / name, b"")
    assert bases(disk, HOME) == [3, 7]


def test_directories_are_made_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    for _ in range(2):
        initialise(OsDisk(), home)
        assert home.log.is_dir()
    assert read_identity(OsDisk(), home) is None


async def test_unknown_formats_ask_for_another_version() -> None:
    disk = await running()
    data = disk.content()[HOME.meta]
    disk.put(HOME.meta, data.replace(b'"format":1', b'"format":2'))
    with pytest.raises(LogDamaged, match=r"format 2 is unknown\n  Use a version"):
        open_log(disk=disk)


async def test_segment_of_an_unknown_format_asks_for_another_version() -> None:
    disk = await running()
    header, newline, rest = disk.content()[HOME.segment(1)].partition(b"\n")
    newer = header[9:].replace(b'"format":1', b'"format":2')
    disk.put(HOME.segment(1), framed(newer)[:-1] + newline + rest)
    with pytest.raises(LogDamaged, match=r"format 2 \(written by spoolog\) is unknown"):
        open_log(disk=disk)


async def test_each_link_is_checked() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    segments = survey(disk, HOME, "c1")
    assert [segment.base for segment in segments] == [1, 3, 5, 7]
    with pytest.raises(LogDamaged, match="belongs to another log"):
        survey(disk, HOME, "c2")
    gap = disk.copy()
    gap.remove(HOME.segment(3))
    with pytest.raises(LogDamaged, match="the segment with record 3 is missing") as caught:
        survey(gap, HOME, "c1")
    assert (caught.value.file, caught.value.position) == (HOME.segment(3), 3)
    renamed = disk.copy()
    renamed.put(HOME.segment(9), disk.content()[HOME.segment(7)])
    with pytest.raises(LogDamaged, match="its name says otherwise"):
        survey(renamed, HOME, "c1")
    unsealed = disk.copy()
    unsealed.put(HOME.segment(3), disk.content()[HOME.segment(3)][:-9])
    with pytest.raises(LogDamaged, match="has no readable footer") as caught:
        survey(unsealed, HOME, "c1")
    whole = disk.content()[HOME.segment(3)]
    damage, footer = caught.value, whole.rindex(b"\n", 0, -1) + 1
    assert (damage.file, damage.offset, damage.line) == (HOME.segment(3), footer, 4)
    headless = disk.copy()
    headless.put(HOME.segment(7), disk.content()[HOME.segment(7)][5:])
    with pytest.raises(LogDamaged, match="header cannot be read"):
        survey(headless, HOME, "c1")


async def test_two_segments_are_enough_to_find_a_record() -> None:
    disk = await running(batches=4, segment_bytes_max=500)
    whole = survey(disk, HOME, "c1")
    for position, expected in ((1, whole[:1]), (2, whole[:1]), (3, whole[:2]), (8, whole[2:])):
        assert survey_around(disk, HOME, "c1", position) == expected
    disk.put(HOME.segment(1), b"nothing that is looked at")
    assert survey_around(disk, HOME, "c1", 6) == whole[1:3]
    with pytest.raises(LogDamaged, match="header cannot be read"):
        survey_around(disk, HOME, "c1", 4)
    disk.remove(HOME.segment(1))
    with pytest.raises(LogDamaged, match="its segment is missing"):
        survey_around(disk, HOME, "c1", 2)
