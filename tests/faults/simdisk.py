"""A file system in memory that keeps what is durable apart from what is only cached.

Content is durable after a sync of its file, a name after a sync of its directory, nothing before.
A failed sync leaves the pages clean and unwritten: readable until `forget_cached`, and no later
sync writes them. Names are not like that: a journal that cannot be written keeps them pending.

Calls can be made to fail, by number and kind, and the power can be cut before one. What a crash may
leave of the state that `freeze` gives is said in `tests.faults.crashes`. The text of LOCK means
nothing, so it never survives.
"""

from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path

from msgspec import Struct, field

LOCK_NAME = "LOCK"


class PowerCut(BaseException):
    """The machine stops here: no handler of errors runs."""


class Change(Struct, frozen=True):
    """A write at an offset or, without data, a cut there."""

    offset: int
    data: bytes | None

    def apply(self, content: bytes) -> bytes:
        """Give the content behind this change; a gap before it is zero."""
        if self.data is None:
            return content[: self.offset]
        before = content[: self.offset].ljust(self.offset, b"\0")
        return before + self.data + content[self.offset + len(self.data) :]


class File(Struct, eq=False):
    """One file: `data` is what a read gives; `pending` and `lost` are not in `durable`."""

    data: bytes = b""
    durable: bytes = b""
    pending: list[Change] = field(default_factory=list)
    """will be made durable by the next sync"""
    lost: list[Change] = field(default_factory=list)
    """a sync failed with them: no sync writes them any more, though some may be on the disk"""


class NameChange(Struct, frozen=True):
    """A name that came (`node`) or went, or both at once."""

    gone: str | None
    name: str | None
    node: "File | Directory | None"

    def apply(self, names: "dict[str, File | Directory]") -> None:
        """Carry it out."""
        if self.gone is not None:
            names.pop(self.gone, None)
        if self.name is not None and self.node is not None:
            names[self.name] = self.node


class Directory(Struct, eq=False):
    """One directory: names as they are now, as they are durable, and the way between."""

    names: "dict[str, File | Directory]" = field(default_factory=dict)
    durable: "dict[str, File | Directory]" = field(default_factory=dict)
    pending: list[NameChange] = field(default_factory=list)

    def change(self, gone: str | None, name: str | None, node: "File | Directory | None") -> None:
        """Change names, in the cache for now."""
        change = NameChange(gone, name, node)
        change.apply(self.names)
        self.pending.append(change)

    def put(self, name: str, node: "File | Directory") -> None:
        """Have a name that is durable from the beginning."""
        self.names[name] = self.durable[name] = node


class Fault(Struct, frozen=True):
    """The call with this number fails; when `sticky`, so does every later one that changes a thing.

    With errno 0 it is a write that takes only a part of its bytes and says so.
    """

    call: int
    errno: int
    sticky: bool = False


class SimDisk:
    """Implements `eventlog.disk.Disk`."""

    def __init__(self, root: Directory | None = None) -> None:
        self.root = root or Directory()
        self.calls = 0
        self.fault: Fault | None = None
        self.cut_at: int | None = None
        """the number of the call before which the power is cut"""
        self.space: int | None = None
        """bytes that all files together may have"""
        self.on_change: Callable[[str], None] | None = None
        """is called before each call that changes or syncs something"""
        self.names_of_calls: list[str] = []
        self._directories: dict[str, Directory] = {}
        self._open: dict[int, File] = {}
        self._locks: dict[int, str] = {}
        self._find_directories("", self.root)

    def _find_directories(self, path: str, directory: Directory) -> None:
        self._directories[path or "/"] = directory
        for name, node in directory.names.items():
            if isinstance(node, Directory):
                self._find_directories(f"{path}/{name}", node)

    # -- what tests do to it

    @classmethod
    def holding(cls, tree: dict[str, bytes | None]) -> "SimDisk":
        """Give a disk with these files, all durable; None is a directory."""
        disk = cls()
        for text, content in sorted(tree.items()):
            parent, _, name = text.rpartition("/")
            directory = disk._directories[parent or "/"]
            if content is None:
                disk._directories[text] = made = Directory()
                directory.put(name, made)
            else:
                directory.put(name, File(content, content))
        return disk

    def tree(self) -> dict[str, bytes | None]:
        """Give all directories and files as they read now, but not LOCK."""
        found: dict[str, bytes | None] = {}
        for path, directory in self._directories.items():
            if path != "/":
                found[path] = None
            for name, node in directory.names.items():
                if isinstance(node, File) and name != LOCK_NAME:
                    found[f"{path.rstrip('/')}/{name}"] = node.data
        return found

    def killed(self) -> "SimDisk":
        """Give the disk as the next process finds it: the cache is as it was, nothing is open."""
        self._open.clear()
        self._locks.clear()
        return SimDisk(self.root)

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return len(self._open) + len(self._locks)

    # -- faults

    @property
    def has_failed(self) -> bool:
        """Whether a call may have failed by now."""
        return self.fault is not None and self.calls >= self.fault.call

    def heal(self) -> None:
        """Take back everything that was to go wrong, and whatever waits for a change."""
        self.fault = self.cut_at = self.on_change = None

    def _call(self, name: str, *, changes: bool = True) -> None:
        self.calls += 1
        if self.cut_at is not None and self.calls >= self.cut_at:
            raise PowerCut
        if changes and self.on_change is not None:
            self.on_change(name)
        self.names_of_calls.append(name)
        fault = self.fault
        if fault is not None and fault.errno and self._hits(fault, changes=changes):
            raise OSError(fault.errno, "injected")

    def _hits(self, fault: Fault, *, changes: bool) -> bool:
        return self.calls == fault.call or (fault.sticky and changes and self.calls > fault.call)

    def _room(self, size: int) -> int:
        """Give how many of `size` further bytes there is room for."""
        if self.space is None:
            return size
        files = (node for one in self._directories.values() for node in one.names.values())
        used = sum(len(node.data) for node in files if isinstance(node, File))
        return max(0, min(size, self.space - used))

    # -- finding

    def _place(self, path: Path) -> tuple[Directory, str]:
        parent, _, name = str(path).rpartition("/")
        try:
            return self._directories[parent or "/"], name
        except KeyError:
            raise FileNotFoundError(str(path)) from None

    def _file(self, path: Path) -> File:
        directory, name = self._place(path)
        node = directory.names.get(name)
        if not isinstance(node, File):
            raise FileNotFoundError(str(path))
        return node

    def _opened(self, file: File) -> int:
        fd = 3
        while fd in self._open or fd in self._locks:
            fd += 1
        self._open[fd] = file
        return fd

    # -- what the log calls

    def names(self, directory: Path) -> list[str]:
        self._call("names", changes=False)
        found = self._directories.get(str(directory))
        return [] if found is None else list(found.names)

    def size(self, path: Path) -> int:
        self._call("size", changes=False)
        return len(self._file(path).data)

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        self._call("read", changes=False)
        return self._file(path).data[offset : offset + size_max]

    def make_directory(self, path: Path) -> bool:
        if str(path) in self._directories:
            return False
        self._call("make_directory")
        parent, name = self._place(path)
        self._directories[str(path)] = made = Directory()
        parent.change(None, name, made)
        return True

    def create(self, path: Path) -> int:
        self._call("create")
        directory, name = self._place(path)
        if name in directory.names:
            raise FileExistsError(str(path))
        file = File()
        directory.change(None, name, file)
        return self._opened(file)

    def open_append(self, path: Path) -> int:
        self._call("open_append", changes=False)
        return self._opened(self._file(path))

    def open_update(self, path: Path) -> int:
        directory, name = self._place(path)
        if name not in directory.names:
            return self.create(path)
        self._call("open_update", changes=False)
        return self._opened(self._file(path))

    def write(self, fd: int, data: bytes | memoryview) -> int:
        file = self._open[fd]
        taken = bytes(data)
        try:
            self._call("write")
        except OSError:
            self._append(file, taken[: len(taken) // 2])  # and some of it arrived all the same
            raise
        fault = self.fault
        if fault is not None and not fault.errno and self._hits(fault, changes=True):
            taken = taken[: max(1, len(taken) // 2)]
        taken = taken[: self._room(len(taken))]
        if not taken and len(data):
            raise OSError(ENOSPC, "no room")
        self._append(file, taken)
        return len(taken)

    def _append(self, file: File, data: bytes) -> None:
        if data:
            self._change(file, Change(len(file.data), data))

    def _change(self, file: File, change: Change) -> None:
        file.data = change.apply(file.data)
        file.pending.append(change)

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        self._call("overwrite")
        file = self._open[fd]
        further = max(0, offset + len(data) - len(file.data))
        if self._room(further) < further:
            raise OSError(ENOSPC, "no room")
        self._change(file, Change(offset, data))

    def truncate(self, fd: int, size: int) -> None:
        self._call("truncate")
        self._change(self._open[fd], Change(size, None))

    def _sync(self, name: str, file: File) -> None:
        try:
            self._call(name)
        except OSError:
            file.lost += file.pending  # clean from now on, and never written
            file.pending.clear()
            raise
        for change in file.pending:
            file.durable = change.apply(file.durable)
        file.pending.clear()

    def sync_data(self, fd: int) -> None:
        self._sync("sync_data", self._open[fd])

    def sync_file(self, fd: int) -> None:
        self._sync("sync_file", self._open[fd])

    def sync_path(self, path: Path) -> None:
        self._sync("sync_path", self._file(path))

    def sync_directory(self, path: Path) -> None:
        self._call("sync_directory")
        directory = self._directories[str(path)]
        for change in directory.pending:
            change.apply(directory.durable)
        directory.pending.clear()

    def protect(self, fd: int) -> None:
        self._call("protect")

    def close(self, fd: int) -> None:
        if fd in self._locks:
            del self._locks[fd]
        else:
            del self._open[fd]

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        directory, name = self._place(source)
        assert self._place(target)[0] is directory, "the log renames within a directory"
        directory.change(name, target.name, self._file(source))

    def unlink(self, path: Path) -> None:
        self._call("unlink")
        directory, name = self._place(path)
        self._file(path)
        directory.change(name, None, None)

    def forget_cached(self, path: Path) -> None:
        """Only clean pages go; the length that the file had stays, as a hole."""
        self._call("forget_cached", changes=False)
        file = self._file(path)
        if file.lost:
            size = len(file.data)
            file.data = file.durable
            for change in file.pending:
                file.data = change.apply(file.data)
            file.data = file.data.ljust(size, b"\0")
            file.lost.clear()

    def lock(self, path: Path, holder: str) -> int:
        self._call("lock", changes=False)
        directory, name = self._place(path)
        if str(path) in self._locks.values():
            node = self._file(path)
            raise BlockingIOError(node.data.decode())
        directory.names[name] = File(holder.encode())
        fd = self._opened(File())
        del self._open[fd]
        self._locks[fd] = str(path)
        return fd
