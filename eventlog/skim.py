"""Passes over records fast: only those whose bytes hold what is looked for are given.

Every line on the way must have its checksum and its position, and every segment must continue the
one before. What is left out is the hash chain, which costs most: a record that was damaged is still
met, one that was forged together with its checksum is not. For that there is ``eventlog.verify``.
"""

from collections.abc import Callable
from typing import ClassVar
from zlib import crc32

from msgspec import Struct

from eventlog import seek
from eventlog.cursor import Cursor
from eventlog.directory import Home
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.frame import CRC_BYTES, parse_footer
from eventlog.log import Entry
from eventlog.walker import Walker


class Sieve(Struct, frozen=True):
    """Bytes to look for: a record must hold one of each group. Without groups every record does."""

    groups: tuple[tuple[bytes, ...], ...] = ()

    def passes(self, text: bytes) -> bool:
        """Whether one of each group is there."""
        return all(any(needle in text for needle in group) for group in self.groups)

    def kept(self, lines: list[bytes]) -> list[int]:
        """Give which of the lines hold what is looked for."""
        if self.groups and not self.passes(b"\n".join(lines)):
            return []  # most often, and at the speed of memory
        match self.groups:
            case ():
                return list(range(len(lines)))
            case ((needle,),):
                return [index for index, line in enumerate(lines) if needle in line]
            case _:
                return [index for index, line in enumerate(lines) if self.passes(line)]


class Glance(Cursor):
    """Checks checksums and positions only. The chain's state is what the edges of segments say."""

    __slots__ = ()

    def take(self, lines: list[bytes], out: list[Entry]) -> int:  # type: ignore[explicit-override]  # noqa: ARG002 - bodies are cut out of few of them
        """Check lines up to the first that is no good record; give how many were good."""
        position = self.position
        for line in lines:
            following = position + 1
            if not line.startswith(b"%08x %d " % (crc32(line[CRC_BYTES:]), following)):
                break
            position = following
        taken = position - self.position
        if taken:
            self._advance(lines[:taken] if taken < len(lines) else lines)
            self.position = position
        return taken

    def seal(self, line: bytes, sha256_hex: str | None) -> bool:  # type: ignore[explicit-override]
        """Take the line as the segment's footer, if it fits; the next header must continue it."""
        footer = parse_footer(line)
        if footer is not None:
            self.state = bytes.fromhex(footer.state)
        return super().seal(line, sha256_hex)

    def last_good(self) -> str:  # type: ignore[explicit-override]
        """Say where the last good record stands; its chain was not computed."""
        return super().last_good().partition(",")[0]


class Skimmer(Walker):
    """A place in the log, from which only records are given that pass a sieve."""

    cursor_type: ClassVar[type[Cursor]] = Glance

    def __init__(
        self,
        disk: Disk,
        home: Home,
        cluster: str,
        after: int,
        sieve: Sieve,
        *,
        until: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._sieve = sieve
        self._progress = progress
        self.offsets: list[int] = []
        """where each line of `raw` stands"""
        super().__init__(disk, home, cluster, after, until=until)

    def _leap(self) -> None:  # type: ignore[explicit-override]
        cursor, after = self._cursor(), self._after
        footer = self._segment().footer
        try:
            end = self._bytes().size() if footer is None else footer.bytes
        except LogDamaged:
            return  # whoever reads on meets it
        content, begin = self._bytes(), cursor.place()
        cursor.enter(seek.before(content, begin, end, lambda record: record.position > after))

    def _give(  # type: ignore[explicit-override]
        self,
        lines: list[bytes],
        entries: list[Entry],  # noqa: ARG002 - see `Glance.take`
        first: int,
        offset: int,
    ) -> list[Entry] | None:
        if self._progress is not None:
            self._progress(first + len(lines) - 1)
        skip = max(0, self._after - first + 1)
        kept = [index for index in self._sieve.kept(lines) if index >= skip]
        if not kept:
            return None
        self.raw = [lines[index] for index in kept]
        self.offsets = []
        at = 0
        for index in kept:
            offset += sum(map(len, lines[at:index])) + index - at
            at = index
            self.offsets.append(offset)
        return [(first + index, lines[index]) for index in kept]
