"""The lock of a data directory: one process at a time may change what is in it.

Reading needs no lock.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from eventlog.disk import Disk
from eventlog.errors import Locked
from eventlog.home import Home, keeping


def lock(disk: Disk, home: Home, now_us: int) -> int:
    """Lock a data directory until the descriptor is closed; leave word of who holds it.

    Raises:
        Locked: another process holds it.

    """
    try:
        # Two writers would each cut and overwrite what the other acknowledged.
        return disk.lock(home.lock, _holder(now_us))
    except BlockingIOError as error:
        raise Locked(home.directory, str(error)) from error


@contextmanager
def alone(disk: Disk, home: Home, now_us: int) -> Iterator[None]:
    """Be the only process that writes to a log, and the only one that keeps it small.

    Raises:
        Locked: another one does either.

    """
    held = lock(disk, home, now_us)
    try:
        with keeping(disk, home, _holder(now_us)):
            yield
    finally:
        disk.close(held)


def _holder(now_us: int) -> str:
    since = datetime.fromtimestamp(now_us // 1_000_000, UTC).isoformat()
    return f"pid {os.getpid()} on host {socket.gethostname()}, since {since}"
