"""`cut`: what is damaged leaves the log, with all that stands behind it. Only when asked for.

It is a loss that the operator accepts: of every record from the first damaged one on. Nothing is
thrown away: the bytes go to ``quarantine/``, and a line in ``repairs.log`` tells of it before the
first of them is moved. A cut that was interrupted leaves a log that is refused as before, or that
is sound already; the same cut again finishes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.copy import CHUNK_BYTES, put
from eventlog.diagnosis import Cut, Damage, Progress, Sound, diagnose
from eventlog.directory import Home, bases
from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogError, RepairRefused
from eventlog.lock import lock
from eventlog.mark import Mark, slot
from eventlog.repairs import Quarantined, Repair, moment, note, repairs


def examine(
    data_dir: Path, *, now_us: int, progress: Progress | None = None, disk: Disk | None = None
) -> Damage | Sound:
    """Say what is wrong, and what a cut would take; nothing is changed.

    Raises:
        Locked: a process uses the log.

    """
    disk = disk or OsDisk()
    home = Home(data_dir)
    with _held(disk, home, now_us):
        return diagnose(disk, home, progress)


def cut(
    data_dir: Path,
    position: int,
    *,
    now_us: int,
    reason: str,
    user: str,
    progress: Progress | None = None,
    disk: Disk | None = None,
) -> Repair:
    """Cut the log where it is damaged, which must be at `position`.

    Raises:
        RepairRefused: the first damage is not there, or there is none; nothing was changed.
        Locked: a process uses the log; likewise.

    """
    disk = disk or OsDisk()
    home = Home(data_dir)
    with _held(disk, home, now_us):
        damage = diagnose(disk, home, progress)
        if not isinstance(damage, Damage):
            raise RepairRefused("the log is sound; there is nothing to cut")
        if damage.position == 0:
            raise RepairRefused(f"no cut would cure this: {damage.error}")
        if damage.position != position:
            raise RepairRefused(
                f"the first damaged record is {damage.position}, so a cut is possible only there:"
                f" {damage.error}"
            )
        repair = _noted(disk, home, damage, at=moment(now_us), reason=reason, user=user)
        _carry_out(disk, home, damage, repair)
    return repair


@contextmanager
def _held(disk: Disk, home: Home, now_us: int) -> Iterator[None]:
    """Hold the lock of a directory that is a log's."""
    if home.meta.name not in disk.names(home.directory) and not bases(disk, home):
        raise LogError(f"{home.directory} holds no log")
    held = lock(disk, home, now_us)
    try:
        yield
    finally:
        disk.close(held)


def _noted(disk: Disk, home: Home, damage: Damage, *, at: str, reason: str, user: str) -> Repair:
    """Put the loss on record, unless it is there: an earlier cut was interrupted."""
    last = repairs(disk, home)[-1:]
    if last and _goes_on(last[0], home, damage):
        return last[0]
    repair = Repair(
        at=at,
        position=damage.position,
        records=damage.records,
        bytes=damage.bytes,
        chain=damage.chain.decode(),
        mark_position=damage.mark.position,
        mark_chain=damage.mark.chain.decode(),
        reason=reason,
        damage=damage.error.reason,
        user=user,
        files=list(_named(disk, home, damage.cuts)),
    )
    note(disk, home, repair)
    return repair


def _goes_on(repair: Repair, home: Home, damage: Damage) -> bool:
    """Tell whether the damage is what an interrupted repair has left."""
    same = (repair.position, repair.chain, repair.mark_position, repair.mark_chain) == (
        damage.position,
        damage.chain.decode(),
        damage.mark.position,
        damage.mark.chain.decode(),
    )
    known = {(file.source, file.offset, file.sha256) for file in repair.files}
    return same and all(
        (_source(home, one), one.offset, one.sha256) in known for one in damage.cuts
    )


def _source(home: Home, one: Cut) -> str:
    return str(one.path.relative_to(home.directory))


def _named(disk: Disk, home: Home, cuts: list[Cut]) -> Iterator[Quarantined]:
    """Choose a free name in quarantine for each."""
    taken = set(disk.names(home.quarantine))
    for one in cuts:
        stem = f"{one.path.name}@{one.offset}" if one.offset else one.path.name
        number = 1
        while (name := f"{stem}.{number}.cut") in taken:
            number += 1
        yield Quarantined(_source(home, one), one.offset, one.bytes, one.sha256, name)


def _carry_out(disk: Disk, home: Home, damage: Damage, repair: Repair) -> None:
    if disk.make_directory(home.quarantine):
        disk.sync_directory(home.directory)
    names = {file.source: home.quarantine / file.file for file in repair.files}
    parts = [one for one in damage.cuts if one.offset]
    snapshots = [one for one in damage.cuts if one.path.parent == home.snapshots]
    later = [one for one in damage.cuts if one.path.parent == home.log and not one.offset]
    for one in parts:
        put(disk, names[_source(home, one)], _bytes(disk, one.path, one.offset, one.bytes))
    # Snapshots go before the segments: none may outlive the records that it rests on.
    for group in (snapshots, later):
        for one in group:
            disk.sync_path(one.path)
            disk.rename(one.path, names[_source(home, one)])
        if group:
            disk.sync_directory(home.quarantine)  # the new names first: a crash may show both
            disk.sync_directory(group[0].path.parent)
    for one in parts:
        put(disk, one.path, _bytes(disk, one.path, 0, one.offset))
    if damage.mark.position >= damage.position:
        # Last: until now it says that something is missing, and a start is refused.
        kept = Mark(damage.position - 1, damage.chain)
        put(disk, home.mark, [slot(kept)] if kept.position else [])


def _bytes(disk: Disk, path: Path, offset: int, size: int) -> Iterator[bytes]:
    while size:
        chunk = disk.read(path, offset, min(size, CHUNK_BYTES))
        yield chunk
        offset += len(chunk)
        size -= len(chunk)
