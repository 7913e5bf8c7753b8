"""Walks verified records across segments, from a position to the end and on as the log grows.

The one reader of segment files: replay, followers, tools, recovery and verification all walk with
it. It takes no lock, changes nothing and holds no file open, so it may run beside the writer.
"""

from bisect import bisect_right
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Final

from msgspec import Struct, structs

from eventlog.content import Content
from eventlog.cursor import Cursor
from eventlog.directory import Home, SegmentInfo, bases, load_segment, read_mark, read_start, survey
from eventlog.disk import Disk
from eventlog.errors import LogDamaged, LogExpired, OtherHistory
from eventlog.frame import chain_hex, parse_record
from eventlog.log import BATCH_RECORDS_MAX, Entry
from eventlog.places import Places
from eventlog.tail import damage_in_tail

READ_BYTES: Final = 256 * 1024
"""at a time: more would leave the processor's cache, and memory would be mapped anew each time"""
_RECORD_BYTES: Final = 256
"""When fewer records are wanted, fewer bytes are read: so many for each."""


class Torn(Struct, frozen=True):
    """An unfinished last write: bytes behind the last good record that nobody was told about."""

    offset: int
    bytes: int
    position: int
    """of the first record that is lost"""


class Walker:
    """A place in the log.

    `hashed` also checks every sealed segment against the hash in its footer; it needs to start at
    a segment's first record. With `places`, it begins at the nearest of them, and notes others as
    it goes, at most every `records_max` records, which is also how many it gives at a time. With
    `segments`, which must follow one another, it begins in them without a look at the others. It
    ends at `until`, whether or not that is there.

    Where the log begins later because records have expired, `after` must say so: `LogExpired`.
    """

    cursor_type: ClassVar[type[Cursor]] = Cursor

    def __init__(
        self,
        disk: Disk,
        home: Home,
        cluster: str,
        after: int,
        *,
        hashed: bool = False,
        places: Places | None = None,
        records_max: int = BATCH_RECORDS_MAX,
        segments: list[SegmentInfo] | None = None,
        until: int | None = None,
    ) -> None:
        self._disk = disk
        self._home = home
        self._cluster = cluster
        self._after = after
        self._until = until
        self._places = places
        self._records_max = records_max
        self._read_bytes = min(READ_BYTES, _RECORD_BYTES * records_max)
        # Read before any record, so that all up to the mark must be there to be read.
        self.mark, self.mark_slot = read_mark(disk, home)
        self.segments = survey(disk, home, cluster) if segments is None else segments
        self.segment: SegmentInfo | None = None
        self._content: Content | None = None
        self.cursor: Cursor | None = None
        self.torn: Torn | None = None
        self._before: SegmentInfo | None = None
        self.content_hash = sha256() if hashed else None
        """of the segment up to the place that was reached"""
        self._proven = self.mark.position
        """the last position that must be there"""
        self._data = memoryview(b"")
        """of which `_lines` are the lines; what is hashed need not be put together again"""
        self._lines: list[bytes] = []
        self.raw: list[bytes] = []
        """the lines of what `next` gave last"""
        self.raw_offset = 0
        """of the first of them"""
        if self.segments:
            if after + 1 < self.segments[0].base:
                raise LogExpired(self.segments[0].base)
            index = bisect_right(self.segments, after + 1, key=lambda segment: segment.base) - 1
            self._before = self.segments[index - 1] if index else None
            self._enter(self.segments[index])
            self._leap()
        elif self.mark.position:
            reason = f"the log is missing; the durable mark is {self.mark.position}"
            raise LogDamaged(home.segment(1), 0, 1, 1, reason)

    @property
    def path(self) -> Path:
        """The file that the last records were read from."""
        return self._bytes().path

    @property
    def chain(self) -> str:
        """The hash chain's head there, hex, as a record carries it; empty without a segment."""
        return "" if self.cursor is None else chain_hex(self.cursor.state).decode()

    def _leap(self) -> None:
        """Begin at the nearest place before what is wanted."""
        if self._places is None or self.content_hash is not None:
            return
        cursor = self._cursor()
        place = self._places.before(cursor.header.base, self._after)
        if place is not None:
            cursor.enter(place)

    def next(self, upto: int | None = None) -> list[Entry]:
        """Give the next verified records; none when there is no more for now.

        With `upto`, nothing behind that position is given, and everything up to it must be there.

        Raises:
            LogExpired: they were removed on demand.
            LogDamaged: what is stored is not what was written.

        """
        self.torn = None
        self._proven = max(self.mark.position, upto or 0)
        while self.cursor is not None or self._enter_next():
            room = self._room(upto)
            if room <= 0 or (not self._lines and not self._fill()):
                break
            if self._lines:
                entries = self._take(room)
                if entries is not None:
                    return entries
        return []

    def _room(self, upto: int | None) -> int:
        """Give how many records may be taken before an end is reached."""
        ends = [end - self._cursor().position for end in (upto, self._until) if end is not None]
        return min(self._records_max, *ends) if ends else self._records_max

    def _damage(self, reason: str) -> LogDamaged:
        """Describe damage at the place that was reached."""
        cursor = self._cursor()
        return LogDamaged(
            self._bytes().path,
            cursor.offset,
            cursor.line,
            cursor.position + 1,
            reason,
            last_good=cursor.last_good(),
        )

    def _cursor(self) -> Cursor:
        assert self.cursor is not None
        return self.cursor

    def _segment(self) -> SegmentInfo:
        assert self.segment is not None
        return self.segment

    def _bytes(self) -> Content:
        assert self._content is not None
        return self._content

    def _enter(self, segment: SegmentInfo) -> None:
        batch = self.cursor.batch if self.cursor else 0
        self.segment = segment
        self._content = Content(self._disk, self._home, segment.base)
        self.cursor = self.cursor_type(segment.header, segment.header_bytes, batch)
        if self.content_hash is not None:
            self.content_hash = sha256(self._content.read(0, segment.header_bytes))
        if self.mark.position == self.cursor.position:
            self._compare_mark(chain_hex(self.cursor.state))

    def _enter_next(self) -> bool:
        """Go on to the segment behind this one, if there is one by now."""
        base = 1 if self.cursor is None else self.cursor.position + 1
        if base not in bases(self._disk, self._home):
            return False
        previous = self.segment
        if previous is not None and self.cursor is not None:
            previous = structs.replace(previous, footer=self.cursor.footer)
        segment = load_segment(self._disk, self._home, base, self._cluster, previous)
        self._before = previous
        self._enter(segment)
        return True

    def _fill(self) -> bool:
        """Read more lines; tell whether there may be more to take."""
        cursor = self._cursor()
        if not cursor.records and self._was_replaced():
            cursor = self._cursor()
        data = self._read_lines(cursor)
        end = data.rfind(b"\n")
        if end >= 0 and cursor.footer is None:
            self._data = memoryview(data)
            self._lines = data[:end].split(b"\n")
            return True
        if cursor.footer is not None:
            return self._leave(data)
        if self._is_last():
            self._end(data)
            return False
        # The writer sealed this segment and began the next since it was read: read it again.
        if self._read_lines(cursor) == data:
            raise self._damage("the segment has no footer, though it is not the last")
        return True

    def _leave(self, data: bytes) -> bool:
        """Go from a sealed segment to the next; tell whether there is one."""
        if data:
            raise self._damage("bytes stand behind the segment's footer")
        if self._enter_next():
            return True
        if self._is_last():
            self._end(b"")
            return False
        if self._enter_next():  # it has appeared since the first look
            return True
        start = read_start(self._disk, self._home)
        if start is not None and self._cursor().position + 1 < start.first:
            raise LogExpired(start.first)
        raise self._damage("its segment is missing")

    def _was_replaced(self) -> bool:
        """Look again at a segment without records: a new writer puts its own in its place."""
        segment = self._segment()
        if segment.sealed or segment.compressed:
            return False  # it holds records
        fresh = load_segment(self._disk, self._home, segment.base, self._cluster, self._before)
        if fresh.header == segment.header:
            return False
        self._enter(fresh)
        return True

    def _read_lines(self, cursor: Cursor) -> bytes:
        """Read at least one whole line, if there is one."""
        content, offset = self._bytes(), cursor.offset
        try:
            size = content.near(offset, self._read_bytes)
            data = content.read(offset, size)
            while len(data) == size and b"\n" not in data:
                size *= 4
                data = content.read(offset, size)
        except LogDamaged as damaged:
            raise self._damage(damaged.reason) from damaged
        return data

    def _is_last(self) -> bool:
        return max(bases(self._disk, self._home), default=0) <= self._segment().base

    def _take(self, room: int) -> list[Entry] | None:
        """Verify lines and give their records; None when there are none, but more lines may follow."""
        cursor = self._cursor()
        first, offset = cursor.position + 1, cursor.offset
        entries: list[Entry] = []
        lines = self._lines[:room]
        taken = cursor.take(lines, entries)
        if not taken:
            return None if self._stumble(lines[0]) else []
        if self._places is not None:
            self._places.note(cursor.header.base, cursor.place())
        self._lines = self._lines[taken:]
        lines = lines[:taken]
        self._note(lines, first, offset)
        return self._give(lines, entries, first, offset)

    def _give(
        self, lines: list[bytes], entries: list[Entry], first: int, offset: int
    ) -> list[Entry] | None:
        """Leave out what stands before the place that was asked for; None when that is all."""
        skip = max(0, self._after - first + 1)
        self.raw = lines[skip:]
        self.raw_offset = offset + sum(len(line) + 1 for line in lines[:skip])
        return entries[skip:] or None

    def _note(self, lines: list[bytes], first: int, offset: int) -> None:
        if self.content_hash is not None:
            size = self._cursor().offset - offset
            self.content_hash.update(self._data[:size])
            self._data = self._data[size:]
        index = self.mark.position - first
        if 0 <= index < len(lines):
            record = parse_record(lines[index])
            assert record is not None
            self._compare_mark(record.chain, offset + sum(len(line) + 1 for line in lines[:index]))

    def _compare_mark(self, chain: bytes, offset: int = 0) -> None:
        if self.mark.position and chain != self.mark.chain:
            position = self.mark.position
            raise OtherHistory(
                self._segment().path,
                offset,
                max(1, position - self._segment().base + 2),
                position,
                f"the durable mark at record {position} has chain"
                f" {self.mark.chain.decode('ascii', 'replace')}: this is another history",
            )

    def _stumble(self, line: bytes) -> bool:
        """Take a line that is no good record: the footer, behind which it goes on, or the bad end."""
        cursor = self._cursor()
        if cursor.seal(line, self.content_hash.hexdigest() if self.content_hash else None):
            self._lines = self._lines[1:]
            if self._lines:
                raise self._damage("a line stands behind the segment's footer")
            return True
        self._lines = []
        if not self._is_last():
            raise self._damage(cursor.objection(line))
        self._end(self._bytes().read(cursor.offset, self._bytes().size()))
        return False

    def _end(self, tail: bytes) -> None:
        """Judge what stands behind the last good line of the last segment."""
        cursor = self._cursor()
        if not tail:
            if cursor.position < self._proven:
                raise self._damage(
                    f"the log ends before it, but {self._proven} had been acknowledged"
                )
            return
        reason = damage_in_tail(tail, cursor.offset, cursor.position + 1, self._proven)
        if reason is not None:
            first, _, _ = tail.partition(b"\n")
            raise self._damage(f"{cursor.objection(first)}; {reason}")
        self.torn = Torn(cursor.offset, len(tail), cursor.position + 1)
