"""Small logs to try things on, and the start that a server would make of them."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from eventlog import Entry, FileLog, Reader
from eventlog.compressed import compress_log
from eventlog.directory import Home
from eventlog.disk import Disk
from tests.eventlog.disks import MemoryDisk

HOME = Home(Path("/data"))


def a_clock() -> Callable[[], int]:
    moments = count(1_795_461_256_000_000, 1_000)
    return lambda: next(moments)


def open_log(directory: Path = HOME.directory, **options: Any) -> FileLog:
    return FileLog.open(directory, **{"clock": a_clock(), "new_cluster_id": lambda: "c1"} | options)


def body(position: int) -> bytes:
    return b'{"v":1,"events":[{"type":"job.created","job":"j%d"}]}' % position


async def append(log: FileLog, *positions: int) -> None:
    """Append as one batch and wait for it."""
    for position in positions:
        log.append(position, body(position))
    await log.durable(positions[-1])


async def write(log: FileLog, batches: int, records: int = 2) -> None:
    for _ in range(batches):
        first = log.last + 1
        await append(log, *range(first, first + records))


def start(disk: Disk, directory: Path = HOME.directory) -> list[Entry]:
    """Open a log and read all of it, as a server does before it changes anything."""
    log = open_log(directory, disk=disk)
    try:
        found = [entry for batch in Reader(directory, disk).entries() for entry in batch]
        assert len(found) == log.last
        return found
    finally:
        assert log._lock is not None
        disk.close(log._lock)


def entries(last: int) -> list[Entry]:
    return [(position, body(position)) for position in range(1, last + 1)]


async def running(batches: int = 3, records: int = 2, **options: Any) -> MemoryDisk:
    """Give the disk under a log as a crash of the process would leave it."""
    disk = MemoryDisk()
    log = open_log(disk=disk, **options)
    await log.begin()
    await write(log, batches, records)
    left = disk.copy()
    await log.close()
    return left


async def all_of(log: FileLog, after: int = 0) -> list[Entry]:
    return [entry async for batch in log.read(after) for entry in batch]


def plain(disk: MemoryDisk) -> MemoryDisk:
    """Leave a log as it was written."""
    return disk


def compressed(disk: MemoryDisk) -> MemoryDisk:
    """Compress every segment of a log but the last."""
    compress_log(disk, HOME, "c1", keep=0)
    assert disk.names(HOME.log).count(f"{1:020}.log.zst") == 1
    return disk
