"""`cut`: what is damaged leaves the log, with all that stands behind it. Only when asked for.

It is a loss that the operator accepts: of every record from the first damaged one on. Nothing is
thrown away: the bytes go to ``quarantine/``, and a line in ``repairs.log`` tells of it before the
first of them is moved. A cut that was interrupted leaves a log that is refused as before, or that
is sound already; the same cut again finishes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.content import Archive
from eventlog.copy import CHUNK_BYTES, put
from eventlog.diagnosis import Cut, Damage, Progress, Sound, diagnose
from eventlog.directory import Home, bases
from eventlog.disk import Disk, OsDisk
from eventlog.errors import LogError, RepairRefused
from eventlog.frame import FORMAT, Header, header_line
from eventlog.home import base_of, read_start
from eventlog.lock import alone
from eventlog.mark import Mark, slot
from eventlog.reader import Reader
from eventlog.repairs import Quarantined, Repair, moment, note_once


def examine(
    data_dir: Path, *, now_us: int, progress: Progress | None = None, disk: Disk | None = None
) -> Damage | Sound:
    """Say what is wrong, and what a cut would take; nothing is changed.

    Raises:
        Locked: a process uses the log.

    """
    disk = disk or OsDisk()
    home = Home(data_dir)
    with held(disk, home, now_us):
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
    with held(disk, home, now_us):
        damage = diagnose(disk, home, progress)
        if not isinstance(damage, Damage):
            raise RepairRefused("the log is sound; there is nothing to cut")
        if damage.position == 0:
            raise RepairRefused(f"no cut would cure this: {damage.error}")
        if not damage.served:
            raise RepairRefused(
                "no snapshot would be left that holds what has expired, so no cut would cure this:"
                f" {damage.error}"
            )
        if damage.position != position:
            raise RepairRefused(
                f"the first damaged record is {damage.position}, so a cut is possible only there:"
                f" {damage.error}"
            )
        repair = _noted(disk, home, damage, at=moment(now_us), reason=reason, user=user)
        cluster = Reader(data_dir, disk).identity.cluster
        _carry_out(disk, home, damage, repair, cluster, now_us)
    return repair


@contextmanager
def held(disk: Disk, home: Home, now_us: int) -> Iterator[None]:
    """Hold the locks of a directory that is a log's."""
    if home.meta.name not in disk.names(home.directory) and not bases(disk, home):
        raise LogError(f"{home.directory} holds no log")
    with alone(disk, home, now_us):
        yield


def _noted(disk: Disk, home: Home, damage: Damage, *, at: str, reason: str, user: str) -> Repair:
    """Put the loss on record, unless it is there: an earlier cut was interrupted."""
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
        files=named(disk, home, damage.cuts),
    )
    return note_once(disk, home, repair)


def source(home: Home, one: Cut) -> str:
    """Give the name under which a file stands in ``repairs.log``."""
    return str(one.path.relative_to(home.directory))


def named(disk: Disk, home: Home, cuts: list[Cut]) -> list[Quarantined]:
    """Choose a free name in quarantine for each."""
    taken = set(disk.names(home.quarantine))
    files: list[Quarantined] = []
    for one in cuts:
        stem = f"{one.path.name}@{one.offset}" if one.offset else one.path.name
        number = 1
        while (name := f"{stem}.{number}.cut") in taken:
            number += 1
        files.append(Quarantined(source(home, one), one.offset, one.bytes, one.sha256, name))
    return files


def _carry_out(  # noqa: PLR0917 - one step of `cut`
    disk: Disk, home: Home, damage: Damage, repair: Repair, cluster: str, now_us: int
) -> None:
    if disk.make_directory(home.quarantine):
        disk.sync_directory(home.directory)
    names = {file.source: home.quarantine / file.file for file in repair.files}
    parts = [one for one in damage.cuts if one.offset or one.kept]
    whole = [one for one in damage.cuts if one not in parts]
    snapshots = [one for one in whole if one.path.parent == home.snapshots]
    later = [one for one in whole if one.path.parent == home.log]
    for one in parts:
        put(disk, names[source(home, one)], _bytes(disk, one.path, one.offset, one.bytes))
    # Snapshots go before the segments: none may outlive the records that it rests on.
    for group in (snapshots, later):
        move(disk, home, {one.path: names[source(home, one)] for one in group})
    for one in parts:
        _shorten(disk, home, one)
    _begin_anew(disk, home, cluster, now_us)
    if damage.mark.position >= damage.position:
        # Last: until now it says that something is missing, and a start is refused.
        kept = Mark(damage.position - 1, damage.chain)
        put(disk, home.mark, [slot(kept)] if kept.position else [])


def move(disk: Disk, home: Home, files: dict[Path, Path]) -> None:
    """Move files of one directory to quarantine."""
    for path, name in files.items():
        disk.sync_path(path)
        disk.rename(path, name)
    if files:
        disk.sync_directory(home.quarantine)  # the new names first: a crash may show both
        disk.sync_directory(next(iter(files)).parent)


def _shorten(disk: Disk, home: Home, one: Cut) -> None:
    """Leave of a segment what stands before the damage; the rest is in quarantine."""
    if not one.kept:
        put(disk, one.path, _bytes(disk, one.path, 0, one.offset))
        return
    base = base_of(one.path.name)
    assert base is not None
    archive = Archive(disk, one.path, base)
    # From here on the plain file counts.
    put(disk, home.segment(base), [archive.read(0, one.kept)])
    disk.unlink(one.path)
    disk.sync_directory(home.log)


def _begin_anew(disk: Disk, home: Home, cluster: str, now_us: int) -> None:
    """Begin a segment where the log does, when all behind `START` was cut: one must be there."""
    start = read_start(disk, home)
    if start is None or bases(disk, home):
        return
    header = Header(
        format=FORMAT,
        base=start.first,
        state=start.state,
        prev_sha256=start.prev_sha256,
        epoch=start.epoch,
        cluster=cluster,
        created_at_us=now_us,
        writer="spoolog log repair",
    )
    put(disk, home.segment(start.first), [header_line(header)])


def _bytes(disk: Disk, path: Path, offset: int, size: int) -> Iterator[bytes]:
    while size:
        chunk = disk.read(path, offset, min(size, CHUNK_BYTES))
        yield chunk
        offset += len(chunk)
        size -= len(chunk)
