"""What the processes beside the server do: make snapshots, compress, let the oldest records expire.

Each does its work in one go, at any change that the server makes to the disk, and may be killed at
any change of its own, alone or with the server. Only a disk that fails may keep one from its work.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

from eventlog import LogError, Reader, SnapshotStore
from eventlog.home import Home
from server import housekeeping, snapshotting
from tests.faults.ledger import Violation
from tests.faults.simdisk import PowerCut, SimDisk

_CHANGES_MAX = 14


class Killed(PowerCut):
    """A process stops here; the machine goes on."""


class Tidying:
    """The processes beside the server, one at a time, and what they came to."""

    def __init__(self, rng: Random, data_dir: Path) -> None:
        self.snapshots = self.compressed = self.expired = 0
        self._rng = rng
        self._data_dir = data_dir

    def choose(self) -> str:
        """Say what is to be done next."""
        return self._rng.choices(("snapshot", "compress", "expire"), (5, 3, 2))[0]

    def run(self, kind: str, disk: SimDisk, now_us: int, *, in_danger: bool) -> None:
        """Do it; one in danger is killed on the way.

        Raises:
            Violation: it should have been possible.

        """
        disk.on_change = None
        if in_danger:
            at_a_change(disk, self._rng.randint(1, _CHANGES_MAX), kill)
        try:
            self._do(kind, disk, now_us)
        except Killed:
            pass
        except (OSError, LogError) as error:
            if not disk.has_failed:
                raise Violation(f"{kind} cannot be done: {error}") from error
        finally:
            if in_danger:
                disk.on_change = None

    def _do(self, kind: str, disk: SimDisk, now_us: int) -> None:
        if Home(self._data_dir).meta.name not in disk.names(self._data_dir):
            return  # the first start was cut short before there was a log
        if kind == "snapshot":
            self._snapshot(disk, now_us)
        elif kind == "compress":
            keep = self._rng.choice((0, 1, 3))
            self.compressed += len(housekeeping.compress(self._data_dir, keep=keep, disk=disk))
        else:
            self._expire(disk)

    def _snapshot(self, disk: SimDisk, now_us: int) -> None:
        made = snapshotting.make(self._data_dir, now_us=now_us, writer="simulated", disk=disk)
        if made is None:
            return
        if made.passed_over and not disk.has_failed:
            raise Violation(f"a snapshot is damaged: {made.passed_over}")
        self.snapshots += made.folded > 0

    def _expire(self, disk: SimDisk) -> None:
        store = SnapshotStore(self._data_dir, Reader(self._data_dir, disk).identity.cluster, disk)
        before = housekeeping.covered_position(store) + 1
        gone = housekeeping.expire(self._data_dir, before=before, disk=disk)
        self.expired += len(gone.segments)


def at_a_change(disk: SimDisk, number: int, act: Callable[[], None]) -> None:
    """Do something when the disk is about to be changed for that time from now on."""
    left = number

    def on_change(_name: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            disk.on_change = None
            act()

    disk.on_change = on_change


def kill() -> None:
    """End the process that has called the disk."""
    raise Killed
