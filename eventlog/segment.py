"""The segment that is being written: create it, append to it, seal it.

Every step that a crash could interrupt says what that crash would leave behind. Reading is
elsewhere; so is the decision when to seal.
"""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.directory import Home
from eventlog.disk import Disk, write_all
from eventlog.frame import Footer, Header, footer_line, header_line

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


class ActiveSegment:
    """An open segment. One thread uses it."""

    def __init__(self, disk: Disk, fd: int, path: Path, header: Header) -> None:
        self._disk = disk
        self._fd = fd
        self.path = path
        self.header = header
        self.offset = 0
        self._open = True
        self._hash = sha256()

    @classmethod
    def create(cls, disk: Disk, home: Home, header: Header) -> "ActiveSegment":
        """Begin a segment. It appears under its name only with a durable header.

        It takes the place of a segment with the same base, which must hold no record.
        """
        path = home.segment(header.base)
        temporary = path.with_suffix(".tmp")
        if temporary.name in disk.names(home.log):
            disk.unlink(temporary)  # left by a crash before the rename below
        segment = cls(disk, disk.create(temporary), path, header)
        try:
            segment.write(header_line(header))
            # A crash must not leave the name without its header: such a file is damage.
            disk.sync_file(segment._fd)
            disk.rename(temporary, path)
            # A crash must not lose the name once a record in the file was acknowledged.
            disk.sync_directory(home.log)
        except OSError:
            segment.close()
            raise
        return segment

    @classmethod
    def reopen(
        cls, disk: Disk, path: Path, header: Header, size: int, content_hash: "Hash"
    ) -> "ActiveSegment":
        """Open what an earlier process left, up to `size`, to seal it and for nothing else."""
        segment = cls(disk, disk.open_append(path), path, header)
        segment.offset = size
        segment._hash = content_hash.copy()
        return segment

    def cut(self) -> None:
        """Cut the file at the offset that was given to `reopen`."""
        self._disk.truncate(self._fd, self.offset)
        # A crash must not bring the cut bytes back behind what is appended from now on.
        self._disk.sync_data(self._fd)

    def write(self, data: bytes) -> None:
        """Append."""
        write_all(self._disk, self._fd, data)
        self.offset += len(data)
        self._hash.update(data)

    def sync(self) -> None:
        """Make everything written durable."""
        # A power loss must not take a record that was acknowledged.
        self._disk.sync_data(self._fd)

    def seal(self, last: int, state: bytes) -> str:
        """Write the footer, which ends the segment for good; give the hash that it holds."""
        footer = Footer(
            records=last - self.header.base + 1,
            first=self.header.base,
            last=last,
            bytes=self.offset,
            state=state.hex(),
            sha256=self._hash.hexdigest(),
        )
        self.write(footer_line(footer))
        # The next segment must never exist without this footer: a reader takes that for damage.
        self._disk.sync_data(self._fd)
        self._disk.protect(self._fd)
        self.close()
        return footer.sha256

    def close(self) -> None:
        """Close the file, once."""
        if self._open:
            self._open = False
            self._disk.close(self._fd)
