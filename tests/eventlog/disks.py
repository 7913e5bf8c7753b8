"""A file system in memory that can fail at a chosen call and lose what was not synced."""

from errno import EIO, ENOENT
from pathlib import Path


class _File:
    def __init__(self) -> None:
        self.data = b""
        self.synced = b""
        self.private = False


class MemoryDisk:
    """Keeps names and contents as they are now, and as a power loss would leave them.

    The call numbered `fail_at` (of those that change or sync something) and every later one raises
    EIO; a failing write takes half of its bytes first.
    """

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.fail_in: str | None = None
        self.calls = 0
        self.short_writes = False
        self._files: dict[Path, _File] = {}
        self._durable: dict[Path, _File] = {}
        self._directories: set[Path] = {Path("/")}
        self._open: dict[int, _File] = {}
        self._locked: dict[int, Path] = {}
        self._fds = 100

    # -- what tests do to it

    def content(self) -> dict[Path, bytes]:
        files = self._files.items()
        return {path: file.data for path, file in files if path.name not in {"LOCK", "KEEPING"}}

    def put(self, path: Path, data: bytes) -> None:
        file = self._files.setdefault(path, _File())
        file.data = file.synced = data
        self._durable[path] = file

    def remove(self, path: Path) -> None:
        del self._files[path]

    def copy(self) -> "MemoryDisk":
        other = MemoryDisk()
        other._directories = set(self._directories)
        for path, data in self.content().items():
            other.put(path, data)
        return other

    def after_power_loss(self, *, keep_mark: bool) -> "MemoryDisk":
        """Give what is left when nothing that was not synced reached the disk."""
        other = MemoryDisk()
        other._directories = set(self._directories)
        for path, file in self._durable.items():
            kept = file.data if keep_mark and path.name == "DURABLE" else file.synced
            other.put(path, kept)
        return other

    def is_private(self, path: Path) -> bool:
        return self._files[path].private

    @property
    def open_files(self) -> int:
        return len(self._open) + len(self._locked)

    # -- what the log calls

    def _call(self, name: str) -> None:
        self.calls += 1
        if name == self.fail_in or (self.fail_at is not None and self.calls >= self.fail_at):
            raise OSError(EIO, "injected")

    def _opened(self, file: _File) -> int:
        self._fds += 1
        self._open[self._fds] = file
        return self._fds

    def names(self, directory: Path) -> list[str]:
        return [path.name for path in self._files if path.parent == directory]

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            raise FileNotFoundError(ENOENT, "no such file", str(path))
        return self._files[path]

    def size(self, path: Path) -> int:
        return len(self._file(path).data)

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        return self._file(path).data[offset : offset + size_max]

    def make_directory(self, path: Path) -> bool:
        if path in self._directories:
            return False
        self._call("mkdir")
        self._directories.add(path)
        return True

    def create(self, path: Path) -> int:
        assert path not in self._files
        self._call("create")
        self._files[path] = _File()
        return self._opened(self._files[path])

    def create_private(self, path: Path) -> int:
        fd = self.create(path)
        self._files[path].private = True
        return fd

    def open_append(self, path: Path) -> int:
        return self._opened(self._files[path])

    def open_update(self, path: Path) -> int:
        if path not in self._files:
            self._call("create")
            self._files[path] = _File()
        return self._opened(self._files[path])

    def write(self, fd: int, data: bytes | memoryview) -> int:
        file = self._open[fd]
        try:
            self._call("write")
        except OSError:
            file.data += bytes(data[: len(data) // 2])
            raise
        taken = data[: max(1, len(data) // 2)] if self.short_writes else data
        file.data += bytes(taken)
        return len(taken)

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        self._call("overwrite")
        file = self._open[fd]
        before = file.data.ljust(offset + len(data), b"\0")
        file.data = before[:offset] + data + before[offset + len(data) :]

    def sync_data(self, fd: int) -> None:
        self._call("sync_data")
        self._open[fd].synced = self._open[fd].data

    def sync_file(self, fd: int) -> None:
        self._call("sync_file")
        self._open[fd].synced = self._open[fd].data

    def sync_path(self, path: Path) -> None:
        self._call("sync_path")
        self._files[path].synced = self._files[path].data

    def sync_directory(self, path: Path) -> None:
        self._call("sync_directory")
        for name in [name for name in self._durable if name.parent == path]:
            if name not in self._files:
                del self._durable[name]
        self._durable |= {name: f for name, f in self._files.items() if name.parent == path}

    def truncate(self, fd: int, size: int) -> None:
        self._call("truncate")
        self._open[fd].data = self._open[fd].data[:size]

    def protect(self, fd: int) -> None:
        self._call("protect")

    def close(self, fd: int) -> None:
        if fd in self._locked:
            del self._locked[fd]
        else:
            del self._open[fd]

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        self._files[target] = self._files.pop(source)

    def unlink(self, path: Path) -> None:
        self._file(path)
        self._call("unlink")
        del self._files[path]

    def forget_cached(self, path: Path) -> None:
        assert path in self._files

    def lock(self, path: Path, holder: str) -> int:
        if path in self._locked.values():
            raise BlockingIOError(self._files[path].data.decode())
        self._files[path] = _File()
        self._files[path].data = holder.encode()
        self._fds += 1
        self._locked[self._fds] = path
        return self._fds
