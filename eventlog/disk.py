"""Every call the log makes to a file system, as one small protocol, and the real one.

Nothing else in this room touches a file, so a simulated disk can take this place. What a call is
for (which crash it guards against) is said where it is made.
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol

_MODE = 0o640
_MODE_PRIVATE = 0o600
_MODE_SEALED = 0o440
LOCK_TEXT_BYTES_MAX = 500


class Disk(Protocol):
    """A file system. Every method may raise OSError."""

    def names(self, directory: Path) -> list[str]:
        """Give the names in a directory; none when it does not exist."""
        ...

    def size(self, path: Path) -> int:
        """Give a file's length."""
        ...

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        """Read up to `size_max` bytes; fewer only at the end of the file."""
        ...

    def make_directory(self, path: Path) -> bool:
        """Make a directory; tell whether it is new."""
        ...

    def create(self, path: Path) -> int:
        """Create a file that must not exist, for appending."""
        ...

    def create_private(self, path: Path) -> int:
        """Create such a file that nobody but its owner may read."""
        ...

    def open_append(self, path: Path) -> int:
        """Open an existing file for appending."""
        ...

    def open_update(self, path: Path) -> int:
        """Open a file for overwriting in place; create it when missing."""
        ...

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Append; give how many bytes were taken, which may be fewer."""
        ...

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        """Write in place."""
        ...

    def sync_data(self, fd: int) -> None:
        """Make a file's content and length durable."""
        ...

    def sync_file(self, fd: int) -> None:
        """Make a file durable with all that describes it."""
        ...

    def sync_path(self, path: Path) -> None:
        """Make a file durable that is not open, whoever wrote it."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        ...

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        ...

    def protect(self, fd: int) -> None:
        """Take away the permission to write."""
        ...

    def close(self, fd: int) -> None:
        """Close a file, which makes nothing durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name at once, replacing what had it."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file's name."""
        ...

    def forget_cached(self, path: Path) -> None:
        """Drop what is cached of a file and clean, so that the next read asks the device."""
        ...

    def lock(self, path: Path, holder: str) -> int:
        """Lock a file for as long as the descriptor is open, and leave the holder's name in it.

        Raises:
            BlockingIOError: it is locked; the text of the holder is its first argument.

        """
        ...


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Append all of it: a nearly full disk takes a part and says so only by the count."""
    view = memoryview(data)
    while view:
        view = view[disk.write(fd, view) :]


class OsDisk:
    """The file system of this machine."""

    def names(self, directory: Path) -> list[str]:
        """Give the names in a directory; none when it does not exist."""
        try:
            return [path.name for path in directory.iterdir()]
        except FileNotFoundError:
            return []

    def size(self, path: Path) -> int:
        """Give a file's length."""
        return path.stat().st_size

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        """Read up to `size_max` bytes; fewer only at the end of the file."""
        fd = os.open(path, os.O_RDONLY)
        try:
            data = os.pread(fd, size_max, offset)
            while len(data) < size_max:
                more = os.pread(fd, size_max - len(data), offset + len(data))
                if not more:
                    break
                data += more
            return data
        finally:
            os.close(fd)

    def make_directory(self, path: Path) -> bool:
        """Make a directory; tell whether it is new."""
        if path.is_dir():
            return False
        path.mkdir(mode=0o750)
        return True

    def create(self, path: Path) -> int:
        """Create a file that must not exist, for appending."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, _MODE)

    def create_private(self, path: Path) -> int:
        """Create such a file that nobody but its owner may read."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, _MODE_PRIVATE)

    def open_append(self, path: Path) -> int:
        """Open an existing file for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND)

    def open_update(self, path: Path) -> int:
        """Open a file for overwriting in place; create it when missing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT, _MODE)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Append; give how many bytes were taken, which may be fewer."""
        return os.write(fd, data)

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        """Write in place."""
        os.pwrite(fd, data, offset)

    def sync_data(self, fd: int) -> None:
        """Make a file's content and length durable."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            self.sync_file(fd)

    def sync_file(self, fd: int) -> None:
        """Make a file durable with all that describes it."""
        if hasattr(fcntl, "F_FULLFSYNC"):
            # On macOS fsync leaves the data in the drive's cache, which a power loss empties.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        else:
            os.fsync(fd)

    def sync_path(self, path: Path) -> None:
        """Make a file durable that is not open, whoever wrote it."""
        fd = os.open(path, os.O_RDONLY)
        try:
            self.sync_file(fd)
        finally:
            os.close(fd)

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(fd, size)

    def protect(self, fd: int) -> None:
        """Take away the permission to write."""
        os.fchmod(fd, _MODE_SEALED)

    def close(self, fd: int) -> None:
        """Close a file, which makes nothing durable."""
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name at once, replacing what had it."""
        source.rename(target)

    def unlink(self, path: Path) -> None:
        """Remove a file's name."""
        path.unlink()

    def forget_cached(self, path: Path) -> None:
        """Drop what is cached of a file and clean, so that the next read asks the device."""
        if hasattr(os, "posix_fadvise"):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)

    def lock(self, path: Path, holder: str) -> int:
        """Lock a file for as long as the descriptor is open, and leave the holder's name in it."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, holder.encode(), 0)
        except BlockingIOError:
            text = os.pread(fd, LOCK_TEXT_BYTES_MAX, 0).decode(errors="replace").strip()
            os.close(fd)
            raise BlockingIOError(text) from None
        except OSError:
            os.close(fd)
            raise
        return fd
