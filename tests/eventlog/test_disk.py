from pathlib import Path

import pytest

from eventlog.disk import OsDisk, write_all
from tests.eventlog.disks import MemoryDisk


def test_files_are_created_once_and_only_appended_to(tmp_path: Path) -> None:
    disk, path = OsDisk(), tmp_path / "a"
    fd = disk.create(path)
    write_all(disk, fd, b"one")
    disk.sync_data(fd)
    disk.sync_file(fd)
    disk.close(fd)
    with pytest.raises(FileExistsError):
        disk.create(path)
    fd = disk.open_append(path)
    write_all(disk, fd, b"two")
    disk.truncate(fd, 5)
    disk.protect(fd)
    disk.close(fd)
    disk.forget_cached(path)
    disk.sync_path(path)
    disk.sync_directory(tmp_path)
    assert disk.read(path, 1, 100) == b"netw"
    assert disk.size(path) == 5
    disk.rename(path, tmp_path / "b")
    assert disk.names(tmp_path) == ["b"]
    disk.unlink(tmp_path / "b")
    assert disk.names(tmp_path) == disk.names(tmp_path / "none") == []


def test_overwriting_in_place(tmp_path: Path) -> None:
    disk = OsDisk()
    for data, offset in ((b"abcd", 0), (b"XY", 1)):
        fd = disk.open_update(tmp_path / "m")
        disk.overwrite(fd, data, offset)
        disk.close(fd)
    assert (tmp_path / "m").read_bytes() == b"aXYd"


def test_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    disk, path = OsDisk(), tmp_path / "LOCK"
    fd = disk.lock(path, "the first of all")
    with pytest.raises(BlockingIOError, match="the first of all"):
        disk.lock(path, "another")
    disk.close(fd)
    fd = disk.lock(path, "second")
    assert path.read_bytes() == b"second"
    disk.close(fd)


def test_short_writes_are_gone_on_with() -> None:
    disk, path = MemoryDisk(), Path("/x")
    disk.short_writes = True
    fd = disk.create(path)
    write_all(disk, fd, bytes(range(100)))
    assert disk.content()[path] == bytes(range(100))
