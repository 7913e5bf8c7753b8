"""Checks everything that can be checked, and changes nothing.

Checksums, positions, batches, epochs, the hash chain, the links between segments, the hash of each
sealed segment, and the durable mark. May run beside a live server.
"""

import gc
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct

from eventlog.directory import SegmentInfo
from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogError
from eventlog.frame import chain_hex, first_state
from eventlog.home import Home
from eventlog.log import Entry
from eventlog.reader import Reader
from eventlog.recovery import Recovery
from eventlog.walker import Walker


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
    processes: int = 1,
) -> Verified:
    """Read the whole log, from the first record that is there, in so many processes.

    `progress` hears how far it has come, as a position. With several processes each takes a sealed
    segment at a time, which begins with the chain's state and ends with a hash; that each segment
    continues the one before is checked first. What is found is the same. `batches` is shown the
    records, which one process alone then reads.

    Raises:
        LogDamaged: the first thing that is wrong, with its place.

    """
    reader = Reader(data_dir, disk)
    first = reader.first
    after = first - 1
    if processes > 1 and disk is None and batches is None:
        after = _verify_sealed(reader, processes, progress)
    walker = reader.walk(after, hashed=True)
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


def _verify_sealed(reader: Reader, processes: int, progress: Callable[[int], None] | None) -> int:
    """Verify all segments but the last one; give the last position in them."""
    after = reader.first - 1
    segments = reader.segments()
    # With the one before it each: its footer is what the header must continue.
    parts = [segments[max(0, index - 1) : index + 1] for index in range(len(segments) - 1)]
    # Fresh interpreters: a copy of this one could find a lock held by a thread that is not there.
    context = get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_begin_process)
    try:
        for part, sound in zip(
            parts, [pool.submit(_is_sound, reader.data_dir, part) for part in parts], strict=True
        ):
            if not sound.result():
                _walk_through(reader.data_dir, part)  # here it is told, as without processes
            footer = part[-1].footer
            assert footer is not None
            after = footer.last
            if progress is not None:
                progress(after)
    except BrokenProcessPool:
        pass  # the system has no room for them: the caller reads the rest itself
    finally:
        pool.shutdown(cancel_futures=True)
    return after


def _begin_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends them in order
    gc.disable()  # millions of lines, and not one cycle


def _is_sound(data_dir: Path, part: list[SegmentInfo]) -> bool:
    try:
        _walk_through(data_dir, part)
    except LogError:
        return False
    return True


def _walk_through(data_dir: Path, part: list[SegmentInfo]) -> None:
    """Verify the last of two segments, from its first record to its footer."""
    segment = part[-1]
    walker = Walker(
        OsDisk(),
        Home(data_dir),
        segment.header.cluster,
        segment.base - 1,
        hashed=True,
        segments=part,
    )
    while walker.next() and walker.segment is segment:
        pass
