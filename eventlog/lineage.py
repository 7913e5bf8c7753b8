"""Whether one log goes on from another: the same records up to the end of the older one.

The hash chain at one position vouches for everything before it, so one record is compared. Nothing
is changed here.
"""

from bisect import bisect_right

from eventlog.directory import Home, SegmentInfo, bases, read_mark, survey_around
from eventlog.disk import Disk
from eventlog.errors import BackupRefused, LogDamaged
from eventlog.frame import chain_hex, parse_record
from eventlog.mark import NO_MARK, Mark
from eventlog.walker import Walker


def last_held(disk: Disk, home: Home, cluster: str) -> Mark:
    """Give the last record that a log is known to hold, by its mark or by its last segment."""
    mark = read_mark(disk, home)[0]
    last = max(bases(disk, home), default=None)
    if last is None:
        return mark
    try:
        end = _end_of(disk, home, cluster, last)
    except LogDamaged:
        return mark
    return max(mark, end, key=lambda one: one.position)


def end_of_sealed(segment: SegmentInfo) -> Mark:
    """Give the last record of a sealed segment."""
    assert segment.footer is not None
    return Mark(segment.footer.last, chain_hex(bytes.fromhex(segment.footer.state)))


def _end_of(disk: Disk, home: Home, cluster: str, base: int) -> Mark:
    segments = survey_around(disk, home, cluster, base)
    if segments[-1].sealed:
        return end_of_sealed(segments[-1])
    walker = Walker(disk, home, cluster, base - 1, segments=segments)
    while walker.next():
        pass
    assert walker.cursor is not None
    return Mark(walker.cursor.position, chain_hex(walker.cursor.state))


def chain_at(
    disk: Disk, home: Home, cluster: str, segments: list[SegmentInfo], position: int
) -> bytes | None:
    """Give the chain after the record at `position`; None when the log does not reach it.

    Raises:
        LogDamaged: the segment that should hold it is.

    """
    if position == 0:
        return NO_MARK.chain
    index = bisect_right(segments, position, key=lambda segment: segment.base) - 1
    if index < 0:
        begins_behind = segments and segments[0].base == position + 1
        return chain_hex(bytes.fromhex(segments[0].header.state)) if begins_behind else None
    footer = segments[index].footer
    if footer is not None and footer.last == position:
        return end_of_sealed(segments[index]).chain
    walker = Walker(disk, home, cluster, position - 1, segments=segments)
    if not walker.next():
        return None
    record = parse_record(walker.raw[0])
    assert record is not None  # it has been verified
    return record.chain


def refuse_loss(
    disk: Disk, log: Home, cluster: str, segments: list[SegmentInfo], backup: Home
) -> None:
    """Refuse a backup that holds records which the log with these segments does not.

    Raises:
        BackupRefused: it does.

    """
    held = last_held(disk, backup, cluster)
    found = chain_at(disk, log, cluster, segments, held.position)
    begin = segments[0].base if segments else 1
    here = {segment.base for segment in segments}
    same_segments = all(base in here or base < begin for base in bases(disk, backup))
    if same_segments and found == held.chain:
        return
    if found is not None:
        why = "which are not the log's: it was rolled back, or the backup was served"
    elif held.position < begin:
        why = f"and the log begins at {begin}: what lies between is gone"
    else:
        why = "and the log ends before: it was rolled back"
    raise BackupRefused(
        f"{backup.directory} holds records up to {held.position}, {why};"
        " make a backup in another directory"
    )
