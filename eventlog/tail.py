"""Torn or damaged: what a bad end of the last segment is. A pure decision over bytes.

Only an interrupted last write may be cut without asking, because nobody was told about it. It
must lie above the durable mark, no later line may prove that it had been synced, and it must show
physical evidence: the file ends inside a line, or a whole sector was never written. The log is text
without NUL, so an unwritten sector is certain to show. Anything else is damage.
"""

import re
from typing import Final

from eventlog.frame import parse_footer, parse_record, unframed

SECTOR_BYTES: Final = 512
_PIECES: Final = re.compile(rb"[\n\0]+")


def damage_in_tail(tail: bytes, offset: int, position: int, mark: int) -> str | None:
    """Say why the bad tail of the last segment is damage; None when it is a torn last write.

    `tail` is everything from the first bad byte, at `offset` of the file, to its end; `position` is
    the record that should stand there; `mark` is the last one known to have been durable.
    """
    if mark >= position:
        return f"it had been acknowledged (the durable mark is {mark})"
    first, newline, _ = tail.partition(b"\n")
    if newline and unframed(first) is not None:
        return "the line is whole but does not belong here"
    if parse_footer(tail) is not None:
        return None  # only its newline is missing: nothing bad stands before it
    for piece in _PIECES.split(tail):
        why = _proof_of_sync(piece, position)
        if why is not None:
            return why
    if not _is_interrupted(tail, offset):
        return "the line is complete, so this is no interrupted write"
    return None


def _proof_of_sync(line: bytes, position: int) -> str | None:
    """Say how a readable later line proves that the record at `position` was durable.

    Order alone proves nothing: the sectors of one write reach the disk in any order.
    """
    record = parse_record(line)
    if record is not None and record.batch > position:
        return f"record {record.position} behind it was written after it had been synced"
    if parse_footer(line) is not None:
        return "the segment was sealed after it had been synced"
    return None


def _is_interrupted(tail: bytes, offset: int) -> bool:
    if not tail.endswith(b"\n"):
        last = tail[tail.rfind(b"\n") + 1 :]
        # A whole line and one more byte is a line whose newline was changed.
        return unframed(last[:-1]) is None
    return _has_unwritten_sector(tail, offset)


def _has_unwritten_sector(tail: bytes, offset: int) -> bool:
    start = 0
    end = SECTOR_BYTES - offset % SECTOR_BYTES
    while start < len(tail):
        if not tail[start:end].strip(b"\0"):
            return True
        start, end = end, end + SECTOR_BYTES
    return False
