"""Verifies the lines of one segment in order: the hot loop of every reader.

A line is good when its checksum holds, its position is the next one, its epoch is the segment's,
its batch does not go back, and it continues the hash chain. Here are bytes and counters only; where
lines come from, and what a bad one means, is said elsewhere.
"""

from binascii import hexlify
from contextlib import suppress
from hashlib import sha256
from zlib import crc32

from eventlog.frame import (
    CRC_BYTES,
    Footer,
    Header,
    RecordFields,
    chain_hex,
    number,
    parse_footer,
    parse_record,
    unframed,
)
from eventlog.log import Entry
from eventlog.places import Place

_FIELD_SPACES = 4


class Cursor:
    """How far a segment has been verified."""

    __slots__ = (
        "_batch_text",
        "_epoch_text",
        "batch",
        "footer",
        "header",
        "last_offset",
        "line",
        "offset",
        "position",
        "state",
    )

    def __init__(self, header: Header, header_bytes: int, batch: int = 0) -> None:
        self.header = header
        self.footer: Footer | None = None
        self.position = header.base - 1
        self.state = bytes.fromhex(header.state)
        self.batch = batch
        self.offset = header_bytes
        """of the next line"""
        self.line = 2
        """number of the next line"""
        self.last_offset = 0
        """of the last good line; 0 when it was not read here"""
        self._batch_text = b"%d" % batch
        self._epoch_text = b"%d" % header.epoch

    def enter(self, place: Place) -> None:
        """Go on from a place in this segment, as if all before it had been verified here."""
        self.position, self.offset, self.state, self.batch = place
        self._batch_text = b"%d" % self.batch
        self.line = 2 + self.records

    def place(self) -> Place:
        """Give the place that was reached."""
        return Place(self.position, self.offset, self.state, self.batch)

    @property
    def records(self) -> int:
        """How many records of the segment have been verified."""
        return self.position - self.header.base + 1

    def take(self, lines: list[bytes], out: list[Entry]) -> int:
        """Verify lines up to the first that is no good record; give how many were good."""
        position = self.position
        state = self.state
        epoch_text = self._epoch_text
        with suppress(ValueError):  # too few fields, after a checksum that holds by chance
            for line in lines:
                rest = line[CRC_BYTES:]
                head = b"%d " % (position + 1)
                if line[:CRC_BYTES] != b"%08x " % crc32(rest) or not rest.startswith(head):
                    break
                _, batch, epoch, chain, body = rest.split(b" ", _FIELD_SPACES)
                following = sha256(state + head + body).digest()
                if hexlify(following[:16]) != chain or epoch != epoch_text:
                    break
                if batch != self._batch_text and not self._new_batch(batch, position + 1):
                    break
                state = following
                position += 1
                out.append((position, body))
        taken = position - self.position
        if taken:
            self._advance(lines[:taken] if taken < len(lines) else lines)
            self.position = position
            self.state = state
        return taken

    def _new_batch(self, text: bytes, position: int) -> bool:
        batch = number(text)
        if batch is None or not self.batch < batch <= position:
            return False
        self.batch = batch
        self._batch_text = text
        return True

    def _advance(self, lines: list[bytes]) -> None:
        size = sum(map(len, lines)) + len(lines)
        self.last_offset = self.offset + size - len(lines[-1]) - 1
        self.offset += size
        self.line += len(lines)

    def seal(self, line: bytes, sha256_hex: str | None) -> bool:
        """Take the line as the segment's footer, if it is the right one."""
        footer = parse_footer(line)
        if footer is None or footer != self._expected_footer(sha256_hex or footer.sha256):
            return False
        self._advance([line])
        self.footer = footer
        return True

    def _expected_footer(self, sha256_hex: str) -> Footer | None:
        if not self.records:
            return None
        return Footer(
            records=self.records,
            first=self.header.base,
            last=self.position,
            bytes=self.offset,
            state=self.state.hex(),
            sha256=sha256_hex,
        )

    def objection(self, line: bytes) -> str:
        """Say what is wrong with a line that was not taken."""
        rest = unframed(line)
        if rest is None:
            return f"its checksum does not match ({_checksums(line)})"
        if rest.startswith(b"#"):
            return "the segment's footer does not match what stands before it"
        record = parse_record(line)
        return "the line has the form of no record" if record is None else self._misfit(record)

    def _misfit(self, record: RecordFields) -> str:
        if record.position != self.position + 1:
            return f"record {record.position} stands in its place"
        if record.epoch != self.header.epoch:
            return f"it is of epoch {record.epoch}, its segment of epoch {self.header.epoch}"
        if not self.batch <= record.batch <= record.position:
            return f"its batch is {record.batch} after batch {self.batch}"
        return "the hash chain breaks here"

    def last_good(self) -> str:
        """Say where the last good record stands."""
        if not self.records:
            return f"{self.position}, before this segment"
        chain = chain_hex(self.state).decode()
        where = f"at byte {self.last_offset}" if self.last_offset else f"up to byte {self.offset}"
        return f"{self.position} {where}, chain {chain}"


def _checksums(line: bytes) -> str:
    stored = line[: CRC_BYTES - 1].decode("ascii", "backslashreplace")
    return f"stored {stored}, computed {crc32(line[CRC_BYTES:]):08x}"
