"""A file that grows under another name until it is whole.

What is written goes to ``FILE.part``, which takes the name ``FILE`` only when it is complete and on
disk, so that whoever finds ``FILE`` finds all of it. Nothing here knows what is written.
"""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from tools.output import Misuse


class Tail(Struct, frozen=True):
    """The last whole row of a file: its bytes, and where it ends."""

    row: bytes
    end: int


def part_of(target: Path) -> Path:
    """Give the name under which a file grows."""
    return target.with_name(target.name + ".part")


def refuse_leftover(target: Path, *, resumable: bool) -> None:
    """Refuse to write over what an export before this one left.

    Raises:
        Misuse: there is something, or there is no such directory.

    """
    if not target.absolute().parent.is_dir():
        raise Misuse(f"{target.parent} is no directory")
    part = part_of(target)
    if part.exists():
        choice = "go on with --resume, or delete it" if resumable else "delete it"
        raise Misuse(f"{part} is left of an earlier export; {choice}")


def begin(target: Path) -> BinaryIO:
    """Open the part of a new file.

    Raises:
        Misuse: another export left one, or the place cannot be written.

    """
    try:
        file = part_of(target).open("xb")
    except OSError as reason:
        raise Misuse(f"{part_of(target)}: {reason.strerror}") from reason
    _hold(file, part_of(target))
    return file


def resume(target: Path, *, quoted: bool) -> tuple[BinaryIO, Tail | None]:
    """Open the part that an earlier run left, cut behind its last whole row.

    Raises:
        Misuse: another process is writing it.

    """
    file = part_of(target).open("r+b")
    _hold(file, part_of(target))
    tail = _last_row(file, quoted=quoted)
    end = 0 if tail is None else tail.end
    file.truncate(end)
    file.seek(end)
    return file, tail


def finish(target: Path) -> None:
    """Give a complete part its name."""
    part = part_of(target)
    with part.open("rb") as file:
        os.fsync(file.fileno())  # the name must never stand for less than all of it
    part.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _hold(file: BinaryIO, path: Path) -> None:
    try:
        # Two writers would each spoil the other's rows.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        file.close()
        raise Misuse(f"{path} is being written by another process") from held


def _last_row(file: BinaryIO, *, quoted: bool) -> Tail | None:
    """Read through to the last whole row: only a reader from the start knows what is in quotes."""
    found: Tail | None = None
    row: list[bytes] = []
    offset = 0
    inside = False
    for line in file:
        row.append(line)
        offset += len(line)
        if quoted and line.count(b'"') % 2:
            inside = not inside
        if not inside and line.endswith(b"\n"):
            found = Tail(b"".join(row), offset)
            row = []
    return found
