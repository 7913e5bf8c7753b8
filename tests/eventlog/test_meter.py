"""What the writer tells a meter of its batches."""

import pytest

from eventlog import LogFailed, SyncMode
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import open_log, write

TICK_NS = 7


class Meter:
    """Notes what it hears; its time goes on by a tick whenever it is asked."""

    def __init__(self) -> None:
        self.time_ns = 0
        self.written: list[tuple[int, int]] = []
        self.syncs: list[int] = []

    def now_ns(self) -> int:
        self.time_ns += TICK_NS
        return self.time_ns

    def wrote(self, records: int, size: int) -> None:
        self.written.append((records, size))

    def synced(self, took_ns: int) -> None:
        self.syncs.append(took_ns)


@pytest.mark.parametrize(("mode", "syncs"), [(SyncMode.ALWAYS, 3), (SyncMode.NONE, 0)])
async def test_every_batch_is_told_with_its_size_and_its_sync(mode: SyncMode, syncs: int) -> None:
    meter = Meter()
    log = open_log(disk=MemoryDisk(), sync=mode, meter=meter)
    await log.begin()
    empty = log.stat().bytes
    await write(log, batches=3, records=2)
    size = log.stat().bytes - empty
    assert [records for records, _ in meter.written] == [2, 2, 2]
    assert sum(size for _, size in meter.written) == size
    assert meter.syncs == [TICK_NS] * syncs
    await log.close()
    assert len(meter.written) == 3


async def test_a_batch_that_failed_is_not_told() -> None:
    meter, disk = Meter(), MemoryDisk()
    log = open_log(disk=disk, meter=meter)
    await log.begin()
    disk.fail_in = "sync_data"
    with pytest.raises(LogFailed):
        await write(log, batches=1)
    assert meter.syncs == []
    await log.close()
