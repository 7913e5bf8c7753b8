"""The mark in the file ``DURABLE``: up to where the log is known to have been synced.

Two slots of 64 bytes are overwritten in turn, so that one is whole at every moment. The mark is
not synced itself: it is a lower bound, and a missing or broken one is never an error.
"""

from typing import Final

from msgspec import Struct

from eventlog.disk import Disk
from eventlog.frame import framed, unframed

SLOT_BYTES: Final = 64
_SLOTS: Final = 2
_POSITION_DIGITS: Final = 20
_CHAIN_DIGITS: Final = 32


class Mark(Struct, frozen=True):
    """A position that was durable, and the chain there."""

    position: int
    chain: bytes


NO_MARK: Final = Mark(0, b"")


def slot(mark: Mark) -> bytes:
    """Write a mark as the bytes of a slot."""
    return framed(b"%020d %b" % (mark.position, mark.chain))[:-1] + b" \n"


def parse_slots(data: bytes) -> tuple[Mark, int]:
    """Give the highest valid mark and the slot it stands in."""
    marks = [_parse(data[at : at + SLOT_BYTES]) for at in range(0, _SLOTS * SLOT_BYTES, SLOT_BYTES)]
    return max(zip(marks, range(_SLOTS), strict=True), key=lambda found: found[0].position)


def _parse(data: bytes) -> Mark:
    if len(data) != SLOT_BYTES or not data.endswith(b" \n"):
        return NO_MARK
    rest = unframed(data[:-2])
    if rest is None:
        return NO_MARK
    position, _, chain = rest.partition(b" ")
    if len(position) != _POSITION_DIGITS or not position.isdigit() or len(chain) != _CHAIN_DIGITS:
        return NO_MARK
    return Mark(int(position), chain)


class MarkFile:
    """The open mark file of the writer."""

    def __init__(self, disk: Disk, fd: int, newest_slot: int) -> None:
        self._disk = disk
        self._fd = fd
        self._slot = newest_slot

    def advance(self, mark: Mark) -> None:
        """Note that everything up to the mark has been synced."""
        self._slot = (self._slot + 1) % _SLOTS  # a torn overwrite leaves the other slot whole
        self._disk.overwrite(self._fd, slot(mark), self._slot * SLOT_BYTES)

    def close(self) -> None:
        """Close the file."""
        self._disk.close(self._fd)
