"""Snapshot files: whole or not there, damage is noticed, the older one is still good."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from eventlog import Snapshot, SnapshotDamaged, SnapshotHead, SnapshotStore
from eventlog.snapshots import newest_sound
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME

LINES = [b'{"jobs":2}', b"job 1", "job 2 ß ü".encode(), b""]


def head(position: int = 7, **fields: object) -> SnapshotHead:
    made = SnapshotHead(
        format=1,
        position=position,
        state="ab" * 32,
        digest="d1",
        cluster="c1",
        created_at_us=1_795_461_256_000_000,
        writer="test",
    )
    return structs.replace(made, **fields)


def a_store(disk: MemoryDisk) -> SnapshotStore:
    disk.make_directory(HOME.directory)
    return SnapshotStore(HOME.directory, "c1", disk)


def sound(lines: Iterator[bytes]) -> None:
    assert list(lines) == LINES


def fresh(*positions: int) -> tuple[MemoryDisk, SnapshotStore]:
    disk = MemoryDisk()
    store = a_store(disk)
    for position in positions:
        store.write(head(position), LINES, sound)
    return disk, store


def usable(store: SnapshotStore) -> list[tuple[int, list[bytes]]]:
    damaged: list[SnapshotDamaged] = []
    return [(one.position, list(store.lines(one))) for one in newest_sound(store, damaged.append)]


def test_what_was_written_is_read_back() -> None:
    disk, store = fresh(7)
    written = store.open(7)
    assert written.head == head(7)
    store.check(written)
    assert list(store.lines(written)) == LINES
    assert store.positions() == [7]
    assert disk.names(store.directory) == ["00000000000000000007.snap"]
    assert disk.open_files == 0


def test_the_end_says_what_stands_before_it() -> None:
    disk, store = fresh(7)
    *_, end = disk.read(store.open(7).path, 0, 10_000).splitlines()
    assert b'#end {"lines":4,"bytes":' in end


@pytest.mark.parametrize("lines", [[], [b""], [b"x" * 3_000_000, b"y"]])
def test_any_lines(lines: list[bytes]) -> None:
    store = a_store(MemoryDisk())

    def same(found: Iterator[bytes]) -> None:
        assert list(found) == lines

    store.check(store.write(head(), lines, same))


def test_the_newest_are_kept() -> None:
    _, store = fresh(3, 20, 100)
    assert store.positions() == [100, 20, 3]
    assert [path.name for path in store.prune(2)] == ["00000000000000000003.snap"]
    assert [position for position, _ in usable(store)] == [100, 20]


def test_it_gets_its_name_only_when_it_was_found_good() -> None:
    disk, store = fresh(3)

    def refuse(lines: Iterator[bytes]) -> None:
        assert list(lines) == LINES
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        store.write(head(9), LINES, refuse)
    assert store.positions() == [3]
    store.write(head(9), LINES, sound)
    assert store.positions() == [9, 3]
    assert disk.open_files == 0


def test_every_call_may_fail_and_the_older_one_stays() -> None:
    disk, store = fresh(3)
    before = disk.calls
    store.write(head(9), LINES, sound)
    calls = disk.calls - before
    assert calls >= 5
    for fail_at in range(1, calls + 1):
        disk, store = fresh(3)
        disk.fail_at = disk.calls + fail_at
        with pytest.raises(OSError, match="injected"):
            store.write(head(9), LINES, sound)
        assert disk.open_files == 0
        for left in (disk.copy(), disk.after_power_loss(keep_mark=True)):
            again = a_store(left)
            assert usable(again) in ([(3, LINES)], [(9, LINES), (3, LINES)])
            if 9 not in again.positions():
                again.write(head(9), LINES, sound)
            assert usable(again) == [(9, LINES), (3, LINES)]
            assert len(left.names(again.directory)) == 2


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    disk, store = fresh(3, 9)
    path = store.open(9).path
    data = disk.read(path, 0, 100_000)
    flips = (
        data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    )
    cuts = (data[:size] for size in range(len(data)))
    more = (data + data[-1:], data + b"x\n", data.replace(b"job 1\n", b"job 1\njob 1\n"))
    tried = 0
    for changed in (*flips, *cuts, *more):
        disk.put(path, changed)
        damaged: list[SnapshotDamaged] = []
        assert [one.position for one in newest_sound(store, damaged.append)] == [3]
        assert [one.file for one in damaged] == [path]
        assert path.name in str(damaged[0])
        tried += 1
    assert tried > 9 * len(data)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format": 2}, "its format 2 is unknown"),
        ({"cluster": "c2"}, "it belongs to another log"),
        ({"position": 8}, "its name says otherwise"),
    ],
)
def test_a_foreign_one_is_passed_over(fields: dict[str, object], reason: str) -> None:
    disk, store = fresh(3)
    other = MemoryDisk()
    foreign = SnapshotStore(HOME.directory, "c2", other).write(
        head(**{"position": 9} | fields), LINES, sound
    )
    disk.put(store.directory / "00000000000000000009.snap", other.read(foreign.path, 0, 10_000))
    with pytest.raises(SnapshotDamaged, match=reason):
        store.open(9)
    assert [position for position, _ in usable(store)] == [3]


def test_other_files_are_no_snapshots() -> None:
    disk, store = fresh(3)
    for name in ("x.snap", "0000000000000000000٣.snap", "00000000000000000009.snapshot", "LOCK"):
        disk.put(store.directory / name, b"")
    assert store.positions() == [3]


def test_on_a_real_disk(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, "c1")
    written = store.write(head(7), LINES, sound)
    assert isinstance(written, Snapshot)
    assert written.bytes == written.path.stat().st_size
    assert list(store.lines(store.open(7))) == LINES
    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        store.open(8)
