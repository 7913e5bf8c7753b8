"""Checks everything that can be checked, and changes nothing.

Checksums, positions, batches, epochs, the hash chain, the links between segments, the hash of each
sealed segment, and the durable mark. May run beside a live server.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from eventlog.disk import Disk
from eventlog.frame import chain_hex, first_state
from eventlog.log import Entry
from eventlog.reader import Reader
from eventlog.recovery import Recovery


class Verified(Struct, frozen=True):
    """What a sound log consists of."""

    cluster: str
    first: int
    """the first position that is there; those before have expired and cannot be checked"""
    records: int
    segments: int
    bytes: int
    last: int
    chain_hex: str
    """the chain at the last record; keep a copy elsewhere, and a rewritten log shows"""
    epochs: list[int]
    mark: int
    torn: Recovery | None
    """an unfinished last write, which the next start sets aside"""


def verify(
    data_dir: Path,
    *,
    progress: Callable[[int], None] | None = None,
    batches: Callable[[list[Entry]], None] | None = None,
    disk: Disk | None = None,
) -> Verified:
    """Read the whole log, from the first record that is there.

    `progress` hears the position reached after each batch; `batches` is shown the records.

    Raises:
        LogDamaged: the first thing that is wrong, with its place.

    """
    reader = Reader(data_dir, disk)
    first = reader.first
    walker = reader.walk(first - 1, hashed=True)
    while batch := walker.next():
        if batches is not None:
            batches(batch)
        if progress is not None:
            progress(batch[-1][0])
    segments = reader.segments()
    cluster = reader.identity.cluster
    cursor, segment = walker.cursor, walker.segment
    last = 0 if cursor is None else cursor.position
    state = first_state(cluster) if cursor is None else cursor.state
    return Verified(
        cluster=cluster,
        first=first,
        records=max(0, last - first + 1),
        segments=len(segments),
        bytes=sum(segment.bytes for segment in segments),
        last=last,
        chain_hex=chain_hex(state).decode(),
        epochs=sorted({segment.header.epoch for segment in segments}),
        mark=walker.mark.position,
        torn=None if segment is None else Recovery.of(segment.path, walker.torn),
    )
