"""Files that appear whole or not at all, and are durable when they do.

A file is written under another name in its own directory, synced, and renamed. What is written, and
in which order files must appear, is the caller's.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from eventlog.disk import Disk, write_all
from eventlog.errors import LogDamaged, LogExpired
from eventlog.home import Home

CHUNK_BYTES: Final = 1024 * 1024
UNFINISHED: Final = ".tmp"
"""how the other name ends; what a crash leaves under one is of no use to anybody"""

Progress = Callable[[int, int], None]
"""hears how many bytes were copied, and of how many"""
T = TypeVar("T")


def put(
    disk: Disk,
    path: Path,
    chunks: Iterable[bytes],
    *,
    private: bool = False,
    protected: bool = False,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write a file, in place of any that has its name.

    `check` is given what was written, and the file gets its name only when that raises nothing.
    """
    temporary = path.with_name(path.name + UNFINISHED)
    if temporary.name in disk.names(path.parent):
        disk.unlink(temporary)  # left by a crash before the rename below
    fd = disk.create_private(temporary) if private else disk.create(temporary)
    try:
        for chunk in chunks:
            write_all(disk, fd, chunk)
        if protected:
            disk.protect(fd)
        disk.sync_file(fd)  # the name must never show less than the whole file
    finally:
        disk.close(fd)
    if check is not None:
        disk.forget_cached(temporary)  # what is compared is what the device has, where it can be
        check(temporary)
    disk.rename(temporary, path)
    # What appears next may rely on this one: a crash must not take the earlier of two names.
    disk.sync_directory(path.parent)


def chunks_of(disk: Disk, path: Path) -> Iterator[bytes]:
    """Read a whole file, piece by piece."""
    offset = 0
    while chunk := disk.read(path, offset, CHUNK_BYTES):
        yield chunk
        offset += len(chunk)


def copy_figures(disk: Disk, source: Home, target: Home, position: int) -> None:
    """Copy what goes with a snapshot, before it, if that is there."""
    path = source.figures(position)
    if path.name in disk.names(source.snapshots):
        put(disk, target.figures(position), chunks_of(disk, path))


def until_steady(disk: Disk, directories: Iterable[Path], copy: Callable[[], T]) -> T:
    """Copy; look again when a file of these has gone meanwhile: compressed, expired, pruned."""
    directories = tuple(directories)
    while True:
        listed = _listing(disk, directories)
        try:
            return copy()
        except (FileNotFoundError, LogDamaged, LogExpired):
            if listed <= _listing(disk, directories):
                raise


def _listing(disk: Disk, directories: Iterable[Path]) -> set[Path]:
    return {
        directory / name
        for directory in directories
        for name in disk.names(directory)
        if not name.endswith(UNFINISHED)
    }


def sweep(disk: Disk, directory: Path) -> None:
    """Remove what crashes left unfinished of files that are named by a position."""
    for name in disk.names(directory):
        if name.endswith(UNFINISHED) and name[:1].isdigit():
            disk.unlink(directory / name)
