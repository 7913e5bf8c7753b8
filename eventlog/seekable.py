"""The container of a compressed segment: bytes to bytes, no file handle, nothing of the log.

It is Zstandard's seekable format: independent frames one behind the other, and a table of their
sizes in a skippable frame at the end, so that any zstd tool gives the whole content and a reader
here reads any part. Frames hold at most `FRAME_BYTES_MAX` of content and carry a checksum of it.
What was not written by `frames` raises `Broken`, whatever the library thinks of it.
"""

from collections.abc import Iterable, Iterator
from struct import Struct as Packing
from struct import iter_unpack
from typing import Final, NamedTuple

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, get_frame_parameters

FRAME_BYTES_MAX: Final = 1024 * 1024
_LEVEL: Final = 3
_ENTRY: Final = Packing("<II")
"""of the table: size of a frame, length of its content"""
_TABLE_HEAD: Final = Packing("<II")
_TABLE_MAGIC: Final = 0x184D2A5E
_TABLE_END: Final = Packing("<IBI")
TABLE_END_BYTES: Final = _TABLE_END.size
_END_MAGIC: Final = 0x8F92EAB1


class Broken(Exception):
    """These are not the bytes that were written."""


class Frame(NamedTuple):
    """Where a frame stands in the file, and where its content stands in the whole content."""

    at: int
    size: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where its content ends."""
        return self.offset + self.length


def frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give the bytes of the file: a frame for each piece of content, then the table."""
    compressor = ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    table = bytearray()
    for piece in pieces:
        assert 0 < len(piece) <= FRAME_BYTES_MAX
        frame = compressor.compress(piece)
        table += _ENTRY.pack(len(frame), len(piece))
        yield frame
    count = len(table) // _ENTRY.size
    head = _TABLE_HEAD.pack(_TABLE_MAGIC, len(table) + TABLE_END_BYTES)
    yield head + bytes(table) + _TABLE_END.pack(count, 0, _END_MAGIC)


def table_bytes(end: bytes) -> int:
    """Give the length of the table from its last bytes."""
    if len(end) != TABLE_END_BYTES:
        raise Broken("it is too short to be a compressed segment")
    count, descriptor, magic = _TABLE_END.unpack(end)
    if magic != _END_MAGIC or descriptor:
        raise Broken("it does not end with a table of its frames")
    return _TABLE_HEAD.size + int(count) * _ENTRY.size + TABLE_END_BYTES


def parse_table(table: bytes, file_bytes: int) -> list[Frame]:
    """Read the table, which must account for every byte of the file."""
    head = _TABLE_HEAD.pack(_TABLE_MAGIC, len(table) - _TABLE_HEAD.size)
    if not table.startswith(head):
        raise Broken("the table of its frames cannot be read")
    found: list[Frame] = []
    at = offset = 0
    for size, length in iter_unpack("<II", table[len(head) : -TABLE_END_BYTES]):
        if not 0 < length <= FRAME_BYTES_MAX:
            raise Broken("the table of its frames is wrong")
        found.append(Frame(at, size, offset, length))
        at += size
        offset += length
    if not found or at + len(table) != file_bytes:
        raise Broken("its frames are not as long as their table says")
    return found


def content_of(data: bytes, frame: Frame, decompressor: ZstdDecompressor) -> bytes:
    """Decompress one frame."""
    try:
        # First what it claims to be: a length that was changed must not claim the memory.
        claim = get_frame_parameters(data)
        if claim.content_size != frame.length or not claim.has_checksum:
            raise Broken("a frame is not the one that its table names")
        return decompressor.decompress(data, allow_extra_data=False)
    except ZstdError as error:
        raise Broken(f"it cannot be decompressed ({error})") from error
