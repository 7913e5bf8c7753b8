"""All that is counted over time as plain values, and a file of them beside each snapshot.

A server that counted from its snapshot on would show nothing just after a start, when somebody looks.
So the process that makes a snapshot counts what it folds, with the very code of the server, going on
from the file beside the snapshot before, and a start goes on from the newest one. These figures are a
fold of the log like the snapshot itself: after a crash they are as right as after a clean end, no
record is read twice for them, and they are there when the port opens. To count the last day anew at
each start would take as long as the day's records, and know nothing of the jobs of before. What is
kept is all there is, so the figures are those of a server that never stopped.

``<data>/snapshots/<position>.figures`` is the CRC-32 of the rest, then MessagePack in Zstandard. It
names the snapshot that it goes with, and may be missing or removed at any time: one that is not there,
or not as it was written, only makes the figures begin with the snapshot.
"""

import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar
from zlib import crc32

from msgspec import MsgspecError, Struct, field, msgpack
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from eventlog import Snapshot
from eventlog.copy import chunks_of, put
from eventlog.disk import Disk
from eventlog.home import Home
from server.failures import Failures
from server.rings import Ring

RINGS_MAX: Final = 1_000
FORMAT: Final = f"1 {sys.byteorder}"
_CRC_BYTES: Final = 4

K = TypeVar("K")


class Rings(Struct, Generic[K]):
    """Rings by what they count; of more than a thousand those where something happened last."""

    forgot_us: int
    """Up to when there may be a past that was forgotten of what is not here."""
    rings: dict[K, Ring] = field(default_factory=dict)

    def since_us(self, key: K) -> int:
        """Give the moment from which on a ring is whole, whether there is one or not."""
        ring = self.rings.get(key)
        return self.forgot_us if ring is None else ring.since_us

    def make_room(self, at_us: int) -> None:
        """Keep only three quarters if no further one has room."""
        if len(self.rings) >= RINGS_MAX:
            newest = sorted(self.rings.items(), key=lambda one: one[1].number)
            self.rings = dict(newest[RINGS_MAX // 4 :])
            self.forgot_us = at_us


class Figures(Struct):
    """What was counted from `since_us` on: by organization, by organization and queue, and failures."""

    since_us: int
    orgs: Rings[str]
    queues: Rings[tuple[str, str]]
    failures: Failures = field(default_factory=Failures)

    @classmethod
    def since(cls, since_us: int) -> "Figures":
        """Give figures in which nothing was counted yet."""
        return cls(since_us, Rings(since_us), Rings(since_us))


class _Kept(Struct):
    """The figures of a snapshot; `state` is the hash chain's there."""

    format: str
    position: int
    state: str
    figures: Figures


def _bytes_of(numbers: Any) -> bytes:
    assert isinstance(numbers, array)
    return numbers.tobytes()


def _numbers_of(_: type, data: Any) -> Any:
    return array("I", data)


_encode: Final = msgpack.Encoder(enc_hook=_bytes_of).encode
_decode: Final = msgpack.Decoder(_Kept, dec_hook=_numbers_of).decode


def write(disk: Disk, home: Home, figures: Figures, position: int, state: str) -> None:
    """Write what goes with the snapshot of a position, which may come to be only afterwards."""
    data = ZstdCompressor().compress(_encode(_Kept(FORMAT, position, state, figures)))
    disk.make_directory(home.snapshots)
    put(disk, home.figures(position), [crc32(data).to_bytes(_CRC_BYTES, "big"), data])


def read(
    disk: Disk, home: Home, snapshot: Snapshot | None, on_damaged: Callable[[str], None]
) -> Figures | None:
    """Read what goes with a snapshot; `on_damaged` hears why what is there cannot be used."""
    if snapshot is None:
        return None
    path, head = home.figures(snapshot.position), snapshot.head
    try:
        kept = _unpacked(disk, path)
    except FileNotFoundError:
        return None
    if kept is None or (kept.format, kept.position, kept.state) != (
        FORMAT,
        head.position,
        head.state,
    ):
        on_damaged(f"{path} cannot be used: figures of before the snapshot are not known")
        return None
    return kept.figures


def _unpacked(disk: Disk, path: Path) -> _Kept | None:
    data = b"".join(chunks_of(disk, path))
    if crc32(data[_CRC_BYTES:]).to_bytes(_CRC_BYTES, "big") != data[:_CRC_BYTES]:
        return None
    try:
        return _decode(ZstdDecompressor().decompress(data[_CRC_BYTES:]))
    except (ZstdError, MsgspecError, ValueError):  # another version's
        return None
