"""The lock of a data directory: one process at a time may change what is in it.

Reading needs no lock.
"""

import os
import socket
from datetime import UTC, datetime

from eventlog.directory import Home
from eventlog.disk import Disk
from eventlog.errors import Locked


def lock(disk: Disk, home: Home, now_us: int) -> int:
    """Lock a data directory until the descriptor is closed; leave word of who holds it.

    Raises:
        Locked: another process holds it.

    """
    since = datetime.fromtimestamp(now_us // 1_000_000, UTC).isoformat()
    holder = f"pid {os.getpid()} on host {socket.gethostname()}, since {since}"
    try:
        # Two writers would each cut and overwrite what the other acknowledged.
        return disk.lock(home.lock, holder)
    except BlockingIOError as error:
        raise Locked(home.directory, str(error)) from error
