"""Makes a snapshot: the one before and the segments sealed since become the next.

Meant for a process of its own beside the server, which never pauses for it. Nothing is locked but
the snapshots, and nothing else is written. What it folds it counts as well: each snapshot has its
figures over time beside it. When to make one is ``server.snapshotter``'s.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct

from eventlog import Reader, SegmentInfo, Snapshot, SnapshotHead, SnapshotStore
from eventlog.directory import state_between
from eventlog.disk import Disk, OsDisk
from eventlog.home import Home, keeping
from eventlog.snapshots import FORMAT, KEPT
from projections.digest import digest
from projections.events import decode
from projections.fold import refold
from projections.snapshot import dump, load
from projections.state import State
from server import figures
from server.clock import monotonic_us
from server.ids import process_name
from server.series import Series, going_on
from spoolog import restore

Progress = Callable[[int, int], None]


class Made(Struct, frozen=True):
    """The newest snapshot, and how it came to be: `folded` records were read for it."""

    position: int
    digest: str
    bytes: int
    created_at_us: int
    folded: int
    elapsed_us: int
    removed: list[str]
    passed_over: list[str]


class Differs(Exception):
    """A snapshot, read back, adds up to something else than what was written into it."""


def make(
    data_dir: Path,
    *,
    now_us: int,
    writer: str,
    keep: int = KEPT,
    progress: Progress | None = None,
    disk: Disk | None = None,
) -> Made | None:
    """Bring the snapshots up to the last sealed segment; None when nothing is sealed yet.

    `now_us` is the time that it will tell, in microseconds since the Unix epoch. Killed at any
    moment, it leaves the older snapshots as they are.

    Raises:
        Locked: another process makes one, or tidies the log.
        LogDamaged, LogError, Undecodable: the log cannot be folded.
        Differs: the snapshot does not hold what was folded; it was not kept.

    """
    disk = disk or OsDisk()
    reader = Reader(data_dir, disk)
    store = SnapshotStore(data_dir, reader.identity.cluster, disk)
    with keeping(disk, Home(data_dir), process_name()):
        segments = _durable_segments(reader, disk)
        return _brought_up(disk, reader, segments, store, now_us, writer, keep, progress)


def keep(data_dir: Path, state: State, *, now_us: int, writer: str) -> Snapshot:
    """Keep a state that is at hand as a snapshot; a segment must end at its position.

    Nothing is pruned.

    Raises:
        Locked: another process makes one, or tidies the log.
        Differs: the snapshot does not hold the state; it was not kept.

    """
    reader = Reader(data_dir)
    cluster = reader.identity.cluster
    with keeping(OsDisk(), Home(data_dir), process_name()):
        head = _head(cluster, reader.state_after(state.position), state, now_us, writer)
        store = SnapshotStore(data_dir, cluster)
        return store.write(head, dump(state.tables), partial(_verify, head.digest))


def _durable_segments(reader: Reader, disk: Disk) -> list[SegmentInfo]:
    """Describe the segments, the last one as the device has it.

    Its footer may not be synced yet, or its sync may have failed. A crash would take it away from
    under a snapshot, which then looked like one of another history.
    """
    segments = reader.segments()
    last = segments[-1] if segments else None
    if last is None or not last.sealed:
        return segments  # a segment only follows one whose footer was synced
    disk.sync_path(last.path)
    disk.forget_cached(last.path)
    return [segment for segment in reader.segments() if segment.base <= last.base]


def _brought_up(  # noqa: PLR0917 - one step of `make`
    disk: Disk,
    reader: Reader,
    segments: list[SegmentInfo],
    store: SnapshotStore,
    now_us: int,
    writer: str,
    keep: int,
    progress: Progress | None,
) -> Made | None:
    began_us = monotonic_us()
    target = max((part.footer.last for part in segments if part.footer), default=0)
    if target == 0:
        return None
    restored = restore.newest(store, partial(state_between, segments), last=target)
    state, snapshot, passed_over = restored.state, restored.snapshot, restored.passed_over
    del restored
    folded = target - state.position
    if snapshot is None or folded:
        home = Home(reader.data_dir)
        kept = figures.read(disk, home, snapshot, passed_over.append)
        series = going_on(state, kept, now_us)
        _fold(reader, state, target, series, progress)
        chain = state_between(segments, state.position)
        head = _head(reader.identity.cluster, chain, state, now_us, writer)
        # First, so that no start finds the snapshot without them.
        figures.write(disk, home, series.figures, head.position, head.state)
        lines = dump(state.tables)
        del state, series, kept  # one at a time: the next is what is read back
        snapshot = store.write(head, lines, partial(_verify, head.digest))
    return Made(
        position=target,
        digest=snapshot.head.digest,
        bytes=snapshot.bytes,
        created_at_us=snapshot.head.created_at_us,
        folded=folded,
        elapsed_us=monotonic_us() - began_us,
        removed=[path.name for path in store.prune(keep)],
        passed_over=passed_over,
    )


def _fold(
    reader: Reader, state: State, target: int, series: Series, progress: Progress | None
) -> None:
    walker = reader.walk(state.position)
    while batch := walker.next(target):
        for position, body in batch:
            record = decode(position, body)
            series.count_replayed(record)
            refold(state, record)
        if progress is not None:
            progress(state.position, target)


def _head(cluster: str, chain: str | None, state: State, now_us: int, writer: str) -> SnapshotHead:
    assert chain is not None, "a snapshot ends where a segment ends"
    return SnapshotHead(
        format=FORMAT,
        position=state.position,
        state=chain,
        digest=digest(state),
        cluster=cluster,
        created_at_us=now_us,
        writer=writer,
    )


def _verify(expected: str, lines: Iterator[bytes]) -> None:
    if digest(State(load(lines))) != expected:
        raise Differs
