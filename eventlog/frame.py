r"""One line of the log and its fields: bytes to bytes, no file handle, no history.

A line is ``<crc32 8 hex> <rest>\n``; the rest is a record, a header or a footer, as the room's
docstring shows. Functions that take a line take it without its newline and answer None for
anything that was not written by the functions here; they raise nothing.
"""

from binascii import hexlify
from hashlib import sha256
from typing import Annotated, Final, TypeVar
from zlib import crc32

from msgspec import Meta, MsgspecError, Struct, field, json

FORMAT: Final = 1
CRC_BYTES: Final = 9
"""the checksum and the space behind it"""
_NUMBER_DIGITS_MAX: Final = 19
_HEADER_MARK: Final = b"#seg "
_FOOTER_MARK: Final = b"#end "
_START_MARK: Final = b"#start "

Count = Annotated[int, Meta(ge=1)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
LinkHash = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class Header(Struct, frozen=True):
    """The first line of a segment: where it starts and what it continues."""

    format: int
    base: Count
    """the first position"""
    state: Hash
    """the hash chain's state before it"""
    prev_sha256: LinkHash
    """the hash in the footer of the segment before; empty for the first"""
    epoch: Count
    cluster: str
    created_at_us: Annotated[int, Meta(ge=0)] = field(name="created_at")
    writer: str = ""


class Footer(Struct, frozen=True):
    """The last line of a sealed segment: what stands before it."""

    records: Count
    first: Count
    last: Count
    bytes: Count
    """the length of the file before this line"""
    state: Hash
    """the hash chain's state after the last record"""
    sha256: Hash
    """of the file before this line"""


class Start(Struct, frozen=True):
    """Where a log begins whose oldest segments have expired: what its first segment continues."""

    first: Count
    """the first position that is there"""
    state: Hash
    """the hash chain's state before it"""
    prev_sha256: Hash
    """the hash in the footer of the last segment that has expired"""
    epoch: Count
    """of that segment"""


class RecordFields(Struct, frozen=True):
    """A record line taken apart. The checksum was right; nothing else was checked."""

    position: int
    batch: int
    epoch: int
    chain: bytes
    body: bytes


def first_state(cluster: str) -> bytes:
    """Give the state that the hash chain of a cluster starts from."""
    return sha256(cluster.encode()).digest()


def next_state(state: bytes, position: int, body: bytes) -> bytes:
    """Continue the hash chain by one record. Batch and epoch are left out: they are the writer's."""
    return sha256(b"%b%d %b" % (state, position, body)).digest()


def chain_hex(state: bytes) -> bytes:
    """Give the part of the chain's state that a record carries."""
    return hexlify(state[:16])


def framed(rest: bytes) -> bytes:
    """Make a line, with its newline."""
    return b"%08x %b\n" % (crc32(rest), rest)


def unframed(line: bytes) -> bytes | None:
    """Give what stands behind a right checksum."""
    rest = line[CRC_BYTES:]
    return rest if line[:CRC_BYTES] == b"%08x " % crc32(rest) else None


def record_line(position: int, batch: int, epoch: int, state: bytes, body: bytes) -> bytes:
    """Frame a record; `state` is the chain's state after it."""
    rest = b"%d %d %d %b %b" % (position, batch, epoch, hexlify(state[:16]), body)
    return b"%08x %b\n" % (crc32(rest), rest)


def header_line(header: Header) -> bytes:
    """Frame a segment's header."""
    return framed(_HEADER_MARK + json.encode(header))


def footer_line(footer: Footer) -> bytes:
    """Frame a segment's footer."""
    return framed(_FOOTER_MARK + json.encode(footer))


def start_line(start: Start) -> bytes:
    """Frame the beginning of a log."""
    return framed(_START_MARK + json.encode(start))


def parse_header(line: bytes) -> Header | None:
    """Read a header line."""
    return _parse(line, _HEADER_MARK, Header)


def parse_footer(line: bytes) -> Footer | None:
    """Read a footer line."""
    return _parse(line, _FOOTER_MARK, Footer)


def parse_start(line: bytes) -> Start | None:
    """Read the line of a log's beginning."""
    return _parse(line, _START_MARK, Start)


def parse_record(line: bytes) -> RecordFields | None:
    """Read a record line."""
    rest = unframed(line)
    if rest is None:
        return None
    fields = rest.split(b" ", 4)
    if len(fields) != 5:  # noqa: PLR2004
        return None
    position, batch, epoch = (number(text) for text in fields[:3])
    if position is None or batch is None or epoch is None:
        return None
    return RecordFields(position, batch, epoch, fields[3], fields[4])


def number(text: bytes) -> int | None:
    """Read a positive number in the one way it is written: no sign, no zero in front."""
    if len(text) > _NUMBER_DIGITS_MAX or not text.isdigit() or text.startswith(b"0"):
        return None
    return int(text)


T = TypeVar("T", Header, Footer, Start)


def _parse(line: bytes, mark: bytes, kind: type[T]) -> T | None:
    rest = unframed(line)
    if rest is None or not rest.startswith(mark):
        return None
    try:
        return json.decode(rest[len(mark) :], type=kind)
    except (MsgspecError, ValueError, RecursionError):
        return None
