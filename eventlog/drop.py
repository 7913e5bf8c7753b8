"""`drop_before`: damaged history leaves the log, where a snapshot holds what it came to.

Nothing of the state is lost, only what could be told of the past. The log begins behind the damage
from then on, as if all before had expired. The loss is on record before ``START`` is written, which
is the one step that cures; only then are the files moved to ``quarantine/``. The same call again
finishes what was interrupted.
"""

from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from eventlog.copy import put
from eventlog.diagnosis import Cut, Damage, Progress, diagnose, snapshots_before, whole_segments
from eventlog.directory import SegmentInfo, describe
from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogDamaged, OtherHistory, RepairRefused, SnapshotDamaged
from eventlog.frame import Start, chain_hex, start_line
from eventlog.home import Home, all_bases, base_of, bases, read_start
from eventlog.reader import Reader
from eventlog.repair import held, move, named
from eventlog.repairs import Repair, moment, note_once, repairs
from eventlog.snapshots import Snapshot, SnapshotStore, newest_sound
from eventlog.walker import Walker


class Droppable(Struct, frozen=True):
    """History that may be dropped: all before `start`."""

    start: Start
    snapshot: Snapshot
    """it holds what the history came to"""
    first: int
    """the first record that would be dropped"""
    cuts: list[Cut]

    @property
    def records(self) -> int:
        """How many records would be dropped."""
        return self.start.first - self.first

    @property
    def bytes(self) -> int:
        """How many bytes would be moved out of the log."""
        return sum(cut.bytes for cut in self.cuts)


def droppable(disk: Disk, home: Home, damage: Damage) -> Droppable | None:
    """Say what may be dropped to be rid of this damage; None when no snapshot covers it."""
    damaged = None if damage.missing is None else base_of(damage.missing.name)
    if damaged is None and damage.error.file.parent == home.log:
        damaged = base_of(damage.error.file.name)
    if damage.position == 0 or damaged is None or isinstance(damage.error, OtherHistory):
        return None
    later = [base for base in bases(disk, home) if base > damaged]
    if not later:
        return None
    cluster = Reader(home.directory, disk).identity.cluster
    try:
        behind = describe(disk, home, later[0], cluster)
    except LogDamaged:
        return None
    snapshot = _covering(disk, home, cluster, behind)
    if snapshot is None:
        return None
    begun = read_start(disk, home)
    gone = [base for base in all_bases(disk, home) if base < behind.base]
    return Droppable(
        start=Start(
            first=behind.base,
            state=behind.header.state,
            prev_sha256=behind.header.prev_sha256,
            epoch=behind.header.epoch,
        ),
        snapshot=snapshot,
        first=1 if begun is None else begun.first,
        cuts=[
            *whole_segments(disk, home, gone),
            # From these the log can be folded no more.
            *snapshots_before(disk, home, behind.base - 1),
        ],
    )


def _covering(disk: Disk, home: Home, cluster: str, behind: SegmentInfo) -> Snapshot | None:
    """Find a sound snapshot of the history that goes on in a segment, which reaches up to it."""
    store = SnapshotStore(home.directory, cluster, disk)
    passed_over: list[SnapshotDamaged] = []
    for snapshot in newest_sound(store, passed_over.append):
        if snapshot.position < behind.base - 1:
            break
        # A snapshot that cannot be reached because of later damage does not vouch.
        with suppress(LogDamaged):
            if _state_at(disk, home, behind, snapshot.position) == snapshot.head.state:
                return snapshot
    return None


def _state_at(disk: Disk, home: Home, behind: SegmentInfo, position: int) -> str | None:
    """Give the hash chain's state at a position, taken from the segment's header and verified on."""
    if position == behind.base - 1:
        return behind.header.state
    walker = Walker(
        disk, home, behind.header.cluster, behind.base - 1, hashed=True, segments=[behind]
    )
    while walker.cursor is not None and walker.cursor.position < position:
        if not walker.next(position):
            return None
    return None if walker.cursor is None else walker.cursor.state.hex()


def drop_before(
    data_dir: Path,
    position: int,
    *,
    now_us: int,
    reason: str,
    user: str,
    progress: Progress | None = None,
    disk: Disk | None = None,
) -> Repair:
    """Drop the history before `position`, which must begin the segment behind the damage.

    Raises:
        RepairRefused: there is no damage before it, or no snapshot covers it; nothing was changed.
        Locked: a process uses the log; likewise.

    """
    disk = disk or OsDisk()
    home = Home(data_dir)
    with held(disk, home, now_us):
        repair = unfinished(disk, home)
        if repair is None or repair.position != position:
            repair = _noted(disk, home, position, moment(now_us), reason, user, progress)
        _move_all(disk, home, repair)
    return repair


def unfinished(disk: Disk, home: Home) -> Repair | None:
    """Give the last repair, if it dropped history and was killed before it moved all of it."""
    start, noted = read_start(disk, home), repairs(disk, home)[-1:]
    if start is None or not noted or (noted[0].kind, noted[0].position) != ("drop", start.first):
        return None
    return noted[0] if _to_move(disk, home, noted[0]) else None


def _noted(  # noqa: PLR0917 - one step of `drop_before`
    disk: Disk,
    home: Home,
    position: int,
    at: str,
    reason: str,
    user: str,
    progress: Progress | None,
) -> Repair:
    """Put the loss on record, and say where the log begins."""
    damage = diagnose(disk, home, progress)
    if not isinstance(damage, Damage):
        raise RepairRefused("the log is sound; there is nothing to drop")
    found = droppable(disk, home, damage)
    if found is None:
        raise RepairRefused(
            f"no sound snapshot covers the damage, so that history is needed: {damage.error}"
        )
    if found.start.first != position:
        raise RepairRefused(
            f"the damage ends before {found.start.first}, so history is dropped only up to there:"
            f" {damage.error}"
        )
    repair = Repair(
        kind="drop",
        at=at,
        position=position,
        records=found.records,
        bytes=found.bytes,
        chain=chain_hex(bytes.fromhex(found.start.state)).decode(),
        mark_position=damage.mark.position,
        mark_chain=damage.mark.chain.decode(),
        reason=reason,
        damage=damage.error.reason,
        user=user,
        files=named(disk, home, found.cuts),
    )
    repair = note_once(disk, home, repair)
    # A power loss must not take what the log rests on from now on.
    disk.sync_path(found.snapshot.path)
    disk.sync_directory(home.snapshots)
    put(disk, home.start, [start_line(found.start)])
    return repair


def _to_move(disk: Disk, home: Home, repair: Repair) -> dict[Path, Path]:
    there = {
        directory / name
        for directory in (home.log, home.snapshots)
        for name in disk.names(directory)
    }
    files = {home.directory / one.source: home.quarantine / one.file for one in repair.files}
    return {path: name for path, name in files.items() if path in there}


def _move_all(disk: Disk, home: Home, repair: Repair) -> None:
    if disk.make_directory(home.quarantine):
        disk.sync_directory(home.directory)
    files = _to_move(disk, home, repair)
    for directory in (home.log, home.snapshots):
        move(disk, home, {path: name for path, name in files.items() if path.parent == directory})
