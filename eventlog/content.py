"""The bytes of one segment as they were written, whether it stands there plain or compressed.

Offsets and lengths are those of the plain file. A segment may be compressed by another process at
any moment: whoever finds the plain file gone goes on in the compressed one at the same offset.
"""

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from zstandard import ZstdDecompressor

from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.home import EDGE_BYTES, Home, segment_path
from eventlog.seekable import (
    TABLE_END_BYTES,
    Broken,
    Frame,
    content_of,
    parse_table,
    table_bytes,
)

T = TypeVar("T")


class Plain:
    """A segment as it was written; it may be growing."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self.path = path

    def file_bytes(self) -> int:
        """Give how long the file is."""
        return self.size()

    def size(self) -> int:
        """Give how long the segment is."""
        return self._disk.size(self.path)

    def read(self, offset: int, size_max: int) -> bytes:
        """Read up to `size_max` bytes; fewer only at the end."""
        return self._disk.read(self.path, offset, size_max)

    def near(self, offset: int, size_max: int) -> int:  # noqa: ARG002 - any part costs the same
        """Give how much to read at an offset at a time."""
        return size_max

    def head(self) -> bytes:
        """Read the first line, at least."""
        return self.read(0, EDGE_BYTES)

    def tail(self) -> bytes:
        """Read the last line, at least."""
        return self.read(max(0, self.size() - EDGE_BYTES), EDGE_BYTES)


class Archive:
    """A compressed segment: the header in a frame of its own, then records, then the footer."""

    def __init__(self, disk: Disk, path: Path, base: int) -> None:
        self._disk = disk
        self.path = path
        self._base = base
        self._file_bytes = disk.size(path)
        try:
            self._frames = self._table()
        except Broken as broken:
            raise self._damage(0, broken) from broken
        self._decompressor = ZstdDecompressor()
        self._held = -1
        """index of the frame whose content is held; lines are read from it one after another"""
        self._content = b""

    def _table(self) -> list[Frame]:
        start = max(0, self._file_bytes - EDGE_BYTES)
        end = self._disk.read(self.path, start, EDGE_BYTES)
        size = table_bytes(end[-TABLE_END_BYTES:])
        if size > self._file_bytes:
            raise Broken("the table of its frames is longer than the file")
        if size > len(end):
            end = self._disk.read(self.path, self._file_bytes - size, size)
        return parse_table(end[-size:], self._file_bytes)

    def file_bytes(self) -> int:
        """Give how long the file is."""
        return self._file_bytes

    def size(self) -> int:
        """Give how long the segment is."""
        return self._frames[-1].end

    def read(self, offset: int, size_max: int) -> bytes:
        """Read up to `size_max` bytes; fewer only at the end.

        Raises:
            LogDamaged: they cannot be read as they were written.

        """
        parts: list[bytes] = []
        end = min(offset + size_max, self.size())
        while offset < end:
            index = self._index(offset)
            start = self._frames[index].offset
            parts.append(self._content_of(index)[offset - start : end - start])
            offset += len(parts[-1])
        return b"".join(parts)

    def near(self, offset: int, size_max: int) -> int:
        """Give how much to read at an offset at a time: a damaged frame hides no sound one."""
        if offset >= self.size():
            return size_max
        return min(size_max, self._frames[self._index(offset)].end - offset)

    def head(self) -> bytes:
        """Read the first line."""
        return self._content_of(0)

    def tail(self) -> bytes:
        """Read the last line."""
        return self._content_of(len(self._frames) - 1)

    def _index(self, offset: int) -> int:
        return bisect_right(self._frames, offset, key=lambda frame: frame.offset) - 1

    def _content_of(self, index: int) -> bytes:
        if index != self._held:
            frame = self._frames[index]
            data = self._disk.read(self.path, frame.at, frame.size)
            try:
                self._content = content_of(data, frame, self._decompressor)
            except Broken as broken:
                raise self._damage(frame.offset, broken) from broken
            self._held = index
        return self._content

    def _damage(self, offset: int, broken: Broken) -> LogDamaged:
        return LogDamaged(self.path, offset, 1, self._base, str(broken))


class Content:
    """A segment to be read, wherever it stands at the moment. One thread at a time uses it."""

    def __init__(self, disk: Disk, home: Home, base: int) -> None:
        self._disk = disk
        self._home = home
        self._base = base
        self._form: Plain | Archive | None = None

    def _found(self) -> Plain | Archive:
        path = segment_path(self._disk, self._home, self._base)
        if path == self._home.segment(self._base):
            return Plain(self._disk, path)
        return Archive(self._disk, path, self._base)

    def _ask(self, question: Callable[[Plain | Archive], T]) -> T:
        while True:
            try:
                self._form = self._form or self._found()
                return question(self._form)
            except FileNotFoundError:
                self._form = None  # compressed meanwhile, or gone, which the next look tells

    @property
    def path(self) -> Path:
        """The file in which it was found last."""
        return self._ask(lambda form: form.path)

    def file_bytes(self) -> int:
        """Give how long that file is."""
        return self._ask(lambda form: form.file_bytes())

    def size(self) -> int:
        """Give how long the segment is."""
        return self._ask(lambda form: form.size())

    def read(self, offset: int, size_max: int) -> bytes:
        """Read up to `size_max` bytes; fewer only at the end."""
        return self._ask(lambda form: form.read(offset, size_max))

    def near(self, offset: int, size_max: int) -> int:
        """Give how much to read at an offset at a time."""
        return self._ask(lambda form: form.near(offset, size_max))

    def head(self) -> bytes:
        """Read the first line, at least."""
        return self._ask(lambda form: form.head())

    def tail(self) -> bytes:
        """Read the last line, at least."""
        return self._ask(lambda form: form.tail())
