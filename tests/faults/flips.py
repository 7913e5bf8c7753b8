"""Changes stored bytes one bit at a time, for any directory and any check of it.

The check says itself what it expects of a flip. Here it is only seen to that it changed nothing, and
that the next flip begins with what was there before.
"""

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

BITS = 8


class Flip(Struct, frozen=True):
    """One bit of one file."""

    path: Path
    offset: int
    bit: int


def flipped(
    directory: Path,
    check: Callable[[Path, Flip], None],
    *,
    names: Callable[[Path], bool] = lambda _: True,
    every: int = 1,
) -> int:
    """Check a directory under every flip, or each of `every` many; give how many there were.

    `names` says which files are flipped; all of them must be as they were after each check.
    """
    content = contents(directory)
    flips = [flip for path in content if names(path) for flip in _flips(path, content[path])]
    for flip in flips[::every]:
        whole = content[flip.path]
        byte = bytes([whole[flip.offset] ^ 1 << flip.bit])
        content[flip.path] = whole[: flip.offset] + byte + whole[flip.offset + 1 :]
        _put(flip, byte)
        check(directory, flip)
        assert contents(directory) == content, f"the check has changed something: {flip}"
        _put(flip, whole[flip.offset : flip.offset + 1])
        content[flip.path] = whole
    return len(flips[::every])


def contents(directory: Path) -> dict[Path, bytes]:
    """Give all files below a directory with their bytes, but not the lock."""
    found = (Path(where) / name for where, _, names in os.walk(directory) for name in names)
    return {path: path.read_bytes() for path in sorted(found) if path.name != "LOCK"}


def _flips(path: Path, content: bytes) -> list[Flip]:
    return [Flip(path, offset, bit) for offset in range(len(content)) for bit in range(BITS)]


def _put(flip: Flip, byte: bytes) -> None:
    fd = os.open(flip.path, os.O_WRONLY)
    try:
        os.pwrite(fd, byte, flip.offset)
    finally:
        os.close(fd)
