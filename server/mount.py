"""Which file system a directory is on, and whether a log may live there.

A network file system may grant one lock to two servers, and may tell of a sync what has not reached
a disk; there the log cannot keep its promises. Linux only: elsewhere nothing is known or refused.
"""

import re
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")
_SHARED: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "ncpfs"})
_FLEETING: Final = frozenset({"tmpfs", "ramfs"})
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


class UnsafeFileSystem(Exception):
    """The data directory is on a file system that cannot keep a log's promises."""


def kind_of(directory: Path, mounts: str) -> str | None:
    """Give the type of the file system that holds a directory, of those in ``/proc/self/mounts``."""
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        mounted = Path(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), point))
        depth = len(mounted.parts)
        # Of two mounts on one point the later one covers the earlier.
        if directory.is_relative_to(mounted) and (best is None or depth >= best[0]):
            best = (depth, kind)
    return None if best is None else best[1]


def check(data_dir: Path, mounts_file: Path = MOUNTS) -> str | None:
    """Give a warning about where the data directory stands, if there is one.

    Raises:
        UnsafeFileSystem: no log may live there.

    """
    if not mounts_file.exists():
        return None
    mounts = mounts_file.read_text(encoding="utf-8", errors="surrogateescape")
    kind = kind_of(data_dir.resolve(), mounts)
    if kind in _SHARED:
        raise UnsafeFileSystem(
            f"{data_dir} is on a network file system ({kind}), where neither the lock nor a sync can"
            " be relied on; use a local disk"
        )
    if kind in _FLEETING:
        return f"{data_dir} is on a {kind}, in memory: a reboot loses everything, synced or not"
    return None
