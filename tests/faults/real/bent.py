"""The `spoolog` command with a clock and a disk that a test bends while it runs.

``python -m tests.faults.real.bent serve …`` reads its orders from the memory that `Control` shares
with the test; the path of its file is in BENT_CONTROL.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Final

_FIELDS: Final = ("offset_ns", "frozen_ns", "sync_delay_ms", "sync_held", "syncs")
_NUMBER: Final = struct.Struct("<q")
_LOOK_SECS: Final = 0.002


class Control:
    """A few numbers that both processes see.

    `offset_ns` is added to the time, or `frozen_ns` is the time; a sync takes `sync_delay_ms`
    longer, and not before `sync_held` is 0; `syncs` counts them.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_NUMBER.size * len(_FIELDS)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, name: str) -> int:
        return int(_NUMBER.unpack_from(self._memory, _FIELDS.index(name) * _NUMBER.size)[0])

    def __setitem__(self, name: str, value: int) -> None:
        _NUMBER.pack_into(self._memory, _FIELDS.index(name) * _NUMBER.size, value)

    def close(self) -> None:
        self._memory.close()


def main() -> None:
    """Bend clock and disk, then run the command as ever."""
    from eventlog.disk import OsDisk  # noqa: PLC0415 - the test imports Control alone
    from server import clock  # noqa: PLC0415
    from tools.cli import main as spoolog  # noqa: PLC0415

    control = Control(Path(os.environ["BENT_CONTROL"]))
    real_sync = OsDisk.sync_data

    def time_ns() -> int:
        return (
            control["frozen_ns"]
            or time.clock_gettime_ns(time.CLOCK_REALTIME) + control["offset_ns"]
        )

    def sync_data(disk: OsDisk, fd: int) -> None:
        time.sleep(control["sync_delay_ms"] / 1_000)
        while control["sync_held"]:
            time.sleep(_LOOK_SECS)
        control["syncs"] += 1
        real_sync(disk, fd)

    clock.time = SimpleNamespace(time_ns=time_ns, monotonic_ns=time.monotonic_ns)  # type: ignore[assignment]
    OsDisk.sync_data = sync_data  # type: ignore[method-assign]
    spoolog()


if __name__ == "__main__":
    main()
