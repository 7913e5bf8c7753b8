"""One record somewhere in a segment, without reading what stands before it.

Only its checksum is compared, not the hash chain: good for finding one's way, not for what is told.
"""

from typing import Final

from eventlog.content import Content
from eventlog.directory import SegmentInfo
from eventlog.frame import parse_record
from eventlog.log import Entry

_READ_BYTES: Final = 16 * 1024


def glimpse(content: Content, segment: SegmentInfo, offset: int) -> Entry | None:
    """Give the first whole record at or behind an offset; None when no sound one follows there."""
    start = max(offset, segment.header_bytes) - 1  # a line begins behind a newline
    size = _READ_BYTES
    while True:
        data = content.read(start, size)
        begin = data.find(b"\n") + 1
        end = data.find(b"\n", begin) if begin else -1
        if end >= 0:
            record = parse_record(data[begin:end])
            return None if record is None else (record.position, record.body)
        if len(data) < size:
            return None
        size *= 4
