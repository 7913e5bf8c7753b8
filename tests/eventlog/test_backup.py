"""A backup is a log of the same or an earlier position at every moment, and never loses records."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogDamaged, LogError, Reader, verify
from eventlog.backup import Archived, archive
from eventlog.compressed import compress_log
from eventlog.errors import BackupRefused, Locked
from eventlog.frame import framed
from eventlog.home import Home, bases, keeping, segment_path
from eventlog.retention import expire
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, a_clock, all_of, append, entries, open_log, start, write
from tests.eventlog.test_kill import APPENDER, ROOT

THERE = Home(Path("/backup"))
NOW_US = 1_795_461_256_000_000
SECRET = HOME.directory / "secret"
Happen = Callable[[MemoryDisk], None]


def back_up(disk: MemoryDisk, target: Path = THERE.directory, **options: Any) -> Archived:
    return archive(
        HOME.directory, target, now_us=NOW_US, private=("secret", "api-key"), disk=disk, **options
    )


def content(disk: MemoryDisk, home: Home) -> dict[str, bytes]:
    return {
        str(path.relative_to(home.directory)): data
        for path, data in disk.content().items()
        if path.is_relative_to(home.directory)
    }


async def grown(disk: MemoryDisk, batches: int, *, close: bool = False) -> MemoryDisk:
    """Let a writer go on; give the disk as it is while it runs, or after its clean end."""
    log = open_log(disk=disk, segment_bytes_max=500)
    await log.begin()
    await write(log, batches)
    left = disk.copy()
    await log.close()
    return disk.copy() if close else left


async def a_log(batches: int = 7, *, close: bool = False) -> MemoryDisk:
    disk = await grown(MemoryDisk(), batches, close=close)
    disk.put(SECRET, b"00ff\n")
    return disk


def positions(disk: MemoryDisk, home: Home) -> int:
    """Give the last position of a log that must be sound."""
    return verify(home.directory, disk=disk).last


def position_or_none(disk: MemoryDisk, home: Home) -> int:
    """Give the last position of a sound log; 0 when there is none yet."""
    if home.meta in disk.content():
        return positions(disk, home)
    with pytest.raises(LogError, match="holds no log"):
        Reader(home.directory, disk)
    return 0


@pytest.mark.parametrize("close", [True, False])
async def test_backup_holds_all_and_can_be_served(*, close: bool) -> None:
    disk = await a_log(close=close)
    before = content(disk, HOME)
    made = back_up(disk)
    assert content(disk, HOME) == before
    copy = content(disk, THERE)
    mark = copy.pop("DURABLE")
    before.pop("DURABLE")
    assert copy == before
    assert disk.is_private(THERE.directory / "secret")
    assert not disk.is_private(THERE.meta)
    assert (made.position, made.segments_kept) == (14, 0)
    assert made.segments_copied == len(bases(disk, HOME))
    assert made.bytes == sum(map(len, (copy[name] for name in copy if name.startswith("log/"))))
    found = verify(THERE.directory, disk=disk)
    assert (found.last, found.mark, found.chain_hex) == (14, 14, made.chain)
    assert len(mark) == 64
    assert disk.open_files == 0
    assert start(disk, THERE.directory) == entries(14)
    log = open_log(THERE.directory, disk=disk)
    await log.begin()
    await append(log, 15)
    assert await all_of(log) == entries(15)
    await log.close()


async def test_second_backup_copies_what_is_new() -> None:
    disk = await a_log(batches=7)
    first = back_up(disk)
    sealed = first.segments_copied - 1
    assert back_up(disk).segments_kept == sealed
    disk = await grown(disk, batches=5, close=True)
    second = back_up(disk)
    assert (second.position, second.segments_kept) == (24, sealed)
    assert second.bytes < first.bytes
    assert positions(disk, THERE) == 24
    third = back_up(disk)
    assert (third.segments_copied, third.bytes) == (0, 0)
    assert third.segments_kept == len(bases(disk, HOME))


async def test_truncated_backup_is_noticed() -> None:
    disk = await a_log()
    back_up(disk)
    disk.remove(THERE.segment(bases(disk, THERE)[-1]))
    with pytest.raises(LogDamaged, match="had been acknowledged"):
        verify(THERE.directory, disk=disk)
    back_up(disk)  # and it is made whole from the log
    assert positions(disk, THERE) == 14


async def test_records_of_an_unfinished_write_are_left_out() -> None:
    disk = await a_log()
    last = HOME.segment(bases(disk, HOME)[-1])
    disk.put(last, disk.content()[last] + b"0000")
    assert back_up(disk).position == 14
    assert positions(disk, THERE) == 14


async def test_empty_log() -> None:
    disk = MemoryDisk()
    await open_log(disk=disk).close()
    assert back_up(disk).position == 0
    assert positions(disk, THERE) == 0
    log = open_log(disk=disk)
    await log.begin()  # a segment without a record
    assert (back_up(disk).position, bases(disk, THERE)) == (0, [])
    await log.close()


def flip(disk: MemoryDisk, path: Path, at: int) -> None:
    data = bytearray(disk.content()[path])
    data[at] ^= 1
    disk.put(path, bytes(data))


@pytest.mark.parametrize("number", [-3, -2, -1])
async def test_damaged_source_stops_it_and_leaves_the_backup(number: int) -> None:
    disk = await a_log(batches=2)
    back_up(disk)
    disk = await grown(disk, batches=7)
    copy = content(disk, THERE)
    path = HOME.segment(bases(disk, HOME)[number])
    assert path.name not in {Path(name).name for name in copy}
    for at in range(0, disk.size(path), 13):
        left = disk.copy()
        flip(left, path, at)
        with pytest.raises(LogDamaged) as caught:
            back_up(left, check=True)
        assert caught.value.file.parent == HOME.log
        assert left.open_files == 0
        now = content(left, THERE)
        assert all(now[name].startswith(data) for name, data in copy.items())
        assert now["DURABLE"] == copy["DURABLE"]
        assert positions(left, THERE) >= 4


async def test_lost_end_of_the_source_is_damage() -> None:
    disk = await a_log()
    disk.remove(HOME.segment(bases(disk, HOME)[-1]))
    with pytest.raises(LogDamaged, match="had been acknowledged"):
        back_up(disk)


async def test_check_finds_and_heals_what_has_rotted() -> None:
    disk = await a_log()
    back_up(disk)
    flip(disk, THERE.segment(1), 300)
    assert back_up(disk).segments_copied == 1  # the active one
    with pytest.raises(LogDamaged):
        verify(THERE.directory, disk=disk)
    assert back_up(disk, check=True).segments_copied == 2
    assert positions(disk, THERE) == 14


@pytest.mark.parametrize("cut", [0, 30, 300, -1])
async def test_broken_copy_is_made_anew(cut: int) -> None:
    disk = await a_log()
    back_up(disk)
    for base in bases(disk, THERE):
        left = disk.copy()
        path = THERE.segment(base)
        left.put(path, left.content()[path][:cut])
        assert back_up(left).position == 14
        assert positions(left, THERE) == 14


async def test_refused_places_stay_untouched() -> None:
    disk = await a_log()
    other = open_log(Path("/other"), disk=disk, new_cluster_id=lambda: "c2")
    await other.begin()
    await append(other, 1)
    await other.close()
    disk.put(Path("/odd/log") / THERE.segment(1).name, b"x")
    before = disk.content()
    for place, why in [
        ("/data", "the data directory itself"),
        ("/data/backup", "the data directory itself"),
        ("/other", "another log"),
        ("/odd", "holds segments"),
    ]:
        with pytest.raises(BackupRefused, match=why):
            back_up(disk, Path(place))
        assert disk.content() == before


async def test_backup_that_is_served_is_refused() -> None:
    disk = await a_log()
    back_up(disk)
    log = open_log(THERE.directory, disk=disk)
    before = disk.content()
    with pytest.raises(Locked):
        back_up(disk)
    assert disk.content() == before
    await log.begin()
    await write(log, batches=1)
    await log.close()
    await assert_loss_refused(disk, "rolled back, or the backup was served|ends before")
    with pytest.raises(LogError, match="holds no log"):
        archive(Path("/nothing"), Path("/new"), now_us=NOW_US, disk=disk)


async def test_backup_that_was_begun_by_a_server_which_died_is_refused() -> None:
    disk = await a_log()
    back_up(disk)
    log = open_log(THERE.directory, disk=disk)
    await log.begin()
    left = disk.copy()  # sealed here, and a segment without a record behind it
    await log.close()
    await assert_loss_refused(left, "which are not the log's")


async def test_what_a_crash_left_unfinished_is_removed() -> None:
    disk = await a_log()
    for path in (THERE.segment(99), THERE.snapshots / f"{9:020d}.snap", THERE.log / "notes"):
        disk.put(path.with_name(path.name + ".tmp"), b"x")
    back_up(disk)
    assert [name for name in content(disk, THERE) if name.endswith(".tmp")] == ["log/notes.tmp"]


async def assert_loss_refused(disk: MemoryDisk, why: str) -> None:
    before = disk.content()
    with pytest.raises(BackupRefused, match=why):
        back_up(disk)
    assert disk.content() == before
    assert disk.open_files == 0


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("batches", range(1, 7))
async def test_log_that_was_rolled_back_does_not_overwrite_the_backup(
    *, batches: int, marked: bool
) -> None:
    full = await a_log(batches=7)
    back_up(full)
    if not marked:
        full.remove(THERE.mark)
    short = await grown(MemoryDisk(), batches=batches)
    for name, data in content(full, THERE).items():
        short.put(THERE.directory / name, data)
    await assert_loss_refused(short, "the log ends before: it was rolled back")
    # And it went on from there: other records stand where the backup's do.
    log = open_log(disk=short, segment_bytes_max=500)
    await log.begin()
    while log.last < 20:
        log.append(log.last + 1, b'{"another":"history"}')
        await log.durable(log.last)
    await log.close()
    await assert_loss_refused(short, "not the log's")


async def test_log_that_lost_what_lies_between_is_refused() -> None:
    disk = await a_log(batches=7)
    back_up(disk)
    for base in bases(disk, THERE)[2:]:
        disk.remove(THERE.segment(base))
    disk.remove(THERE.mark)
    held = positions(disk, THERE)
    for base in bases(disk, HOME)[:3]:
        disk.remove(HOME.segment(base))
    begin = bases(disk, HOME)[0]
    assert begin > held + 1
    before = disk.content()
    with pytest.raises(LogError):
        back_up(disk)
    assert disk.content() == before


@pytest.mark.parametrize("keep_mark", [True, False])
@pytest.mark.parametrize("first", [0, 3])
async def test_killed_at_every_call_it_is_a_log_and_can_be_made_again(
    *, keep_mark: bool, first: int
) -> None:
    disk = await a_log(batches=max(first, 1))
    if first:
        back_up(disk)
    disk = await grown(disk, batches=6)
    disk.put(HOME.snapshots / f"{4:020d}.snap", framed(b'#snap {"position":4}') + b"x")
    held = position_or_none(disk, THERE)
    last = positions(disk, HOME)
    fail_at = 0
    while True:
        fail_at += 1
        failing = disk.copy()
        failing.fail_at = fail_at
        try:
            back_up(failing)
        except OSError:
            assert failing.open_files == 0
        else:
            left = failing.after_power_loss(keep_mark=keep_mark)
            assert position_or_none(left, THERE) == last
            break
        failing.fail_at = None
        for left in (failing, failing.after_power_loss(keep_mark=keep_mark)):
            assert held <= position_or_none(left, THERE) <= last
            assert back_up(left).position == last
            assert positions(left, THERE) == last
            assert [name for name in content(left, THERE) if name.endswith(".tmp")] == []
    assert fail_at > 40


def snap(disk: MemoryDisk, position: int, *, data: bytes | None = None) -> None:
    text = framed(b'#snap {"position":%d}' % position) + b"x" * position
    disk.put(HOME.snapshots / f"{position:020d}.snap", text if data is None else data)


async def test_newest_two_snapshots_that_the_copy_reaches() -> None:
    disk = await a_log()
    for position in (2, 6, 10, 99):
        snap(disk, position)
    disk.put(HOME.snapshots / f"{12:020d}.snap.tmp", b"unfinished")
    assert back_up(disk).snapshots == 2
    names = [name for name in content(disk, THERE) if name.startswith("snapshots/")]
    assert names == [f"snapshots/{position:020d}.snap" for position in (6, 10)]
    snap(disk, 14)
    assert back_up(disk).snapshots == 2
    assert sorted(name for name in content(disk, THERE) if name.startswith("snapshots/")) == [
        f"snapshots/{position:020d}.snap" for position in (10, 14)
    ]
    snap(disk, 14, data=b"nonsense")
    with pytest.raises(LogDamaged, match="header"):
        back_up(disk)


class Meanwhile(MemoryDisk):
    """A disk on which something happens to the log just before the look with this number."""

    def __init__(self, content: dict[Path, bytes], look: int, happen: Happen) -> None:
        super().__init__()
        for path, data in content.items():
            self.put(path, data)
        self.looks_left = look
        self.happen = happen

    def _look(self, path: Path) -> None:
        if path.parent == HOME.log:
            self.looks_left -= 1
            if not self.looks_left:
                self.happen(self)

    def read(self, path: Path, offset: int, size_max: int) -> bytes:
        self._look(path)
        return super().read(path, offset, size_max)

    def size(self, path: Path) -> int:
        self._look(path)
        return super().size(path)


def compressing(disk: MemoryDisk) -> None:
    compress_log(disk, HOME, "c1", keep=0)


def expiring(disk: MemoryDisk) -> None:
    expire(disk, HOME, "c1", before=9, covered=1 << 62)


def expiring_and_compressing(disk: MemoryDisk) -> None:
    expiring(disk)
    compressing(disk)


@pytest.mark.parametrize("happen", [compressing, expiring, expiring_and_compressing])
@pytest.mark.parametrize("already", [0, 10])
async def test_segments_that_are_compressed_or_expire_meanwhile_are_looked_for_again(
    happen: Happen, already: int
) -> None:
    disk = await a_log(max(1, already // 2))
    if already:
        back_up(disk)
    content = (await grown(disk, batches=7)).content()
    last = positions(disk, HOME)
    look = 0
    while True:
        look += 1
        left = Meanwhile(content, look, happen)
        made = back_up(left)
        done = left.looks_left > 0
        left.looks_left = 0
        found = verify(THERE.directory, disk=left)
        assert found.last == made.position == last
        assert found.first == 1 or not already
        assert_one_form(left)
        if done:
            break
    assert look > 30


def assert_one_form(disk: MemoryDisk) -> None:
    names = [name.split(".")[0] for name in disk.names(THERE.log) if name[0].isdigit()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("check", [True, False])
async def test_compressed_segments_are_copied_as_they_are(*, check: bool) -> None:
    disk = await a_log()
    compressing(disk)
    files = [name for name in content(disk, HOME) if name.endswith(".zst")]
    assert len(files) > 2
    made = back_up(disk)
    assert made.position == positions(disk, THERE) == 14
    here, there = content(disk, HOME), content(disk, THERE)
    assert [there[name] for name in files] == [here[name] for name in files]
    assert made.bytes == sum(len(there[name]) for name in there if name.startswith("log/"))
    assert back_up(disk, check=check).segments_copied == 1  # the active one
    assert start(disk, THERE.directory) == entries(14)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("at_source", [True, False])
async def test_other_form_in_the_backup_stays_the_only_one(*, at_source: bool, check: bool) -> None:
    disk = await a_log()
    back_up(disk)
    compress_log(disk, HOME if at_source else THERE, "c1", keep=0)
    before = content(disk, THERE)
    assert back_up(disk, check=check).segments_copied == 1
    assert content(disk, THERE) == before
    for base in bases(disk, THERE)[:-1]:  # what has rotted gives way to the form of the source
        left = disk.copy()
        flip(left, segment_path(left, THERE, base), 150)
        assert back_up(left, check=True).segments_copied == 2
        assert segment_path(left, THERE, base).name == segment_path(left, HOME, base).name
        assert positions(left, THERE) == 14
        assert_one_form(left)


async def test_rotted_compressed_segment_stops_it() -> None:
    disk = await a_log()
    compressing(disk)
    path = HOME.archive(3)
    for at in range(0, disk.size(path), 7):
        left = disk.copy()
        flip(left, path, at)
        with pytest.raises(LogDamaged) as caught:
            back_up(left)
        assert caught.value.file == path
        assert position_or_none(left, THERE) <= 2


@pytest.mark.parametrize("keep_mark", [True, False])
@pytest.mark.parametrize("rotted", [True, False])
@pytest.mark.parametrize("at_source", [True, False])
async def test_killed_while_a_form_takes_the_place_of_the_other(
    *, keep_mark: bool, rotted: bool, at_source: bool
) -> None:
    disk = await a_log(batches=3)
    back_up(disk)
    disk = await grown(disk, batches=4)  # what was the last segment of the copy is whole now
    compress_log(disk, HOME if at_source else THERE, "c1", keep=0)
    if rotted:
        flip(disk, segment_path(disk, THERE, 1), 150)
    fail_at, last = 0, positions(disk, HOME)
    failed = True
    while failed:
        fail_at += 1
        failing = disk.copy()
        failing.fail_at = fail_at
        try:
            back_up(failing, check=rotted)
            failed = False
        except OSError:
            assert failing.open_files == 0
        failing.fail_at = None
        for left in (failing, failing.after_power_loss(keep_mark=keep_mark)):
            if not rotted:
                assert position_or_none(left, THERE) >= 6
            assert back_up(left, check=rotted).position == last
            assert positions(left, THERE) == last
            assert_one_form(left)


async def test_backup_keeps_what_expires_and_a_new_one_begins_where_the_log_does() -> None:
    disk = await a_log()
    back_up(disk)
    expiring(disk)
    disk = await grown(disk, batches=2)
    new = Path("/new")
    for target, first in ((THERE.directory, 1), (new, 9)):
        assert back_up(disk, target).position == 18
        assert back_up(disk, target).position == 18
        found = verify(target, disk=disk)
        assert (found.first, found.last) == (first, 18)
        assert (Home(target).start in disk.content()) == (first > 1)
    # The log was restored from the older backup: what the new one does not begin with stays out.
    for name in list(content(disk, HOME)):
        disk.remove(HOME.directory / name)
    for name, data in content(disk, THERE).items():
        disk.put(HOME.directory / name, data)
    names = disk.names(new / "log")
    assert back_up(disk, new).position == 18
    assert disk.names(new / "log") == names


async def test_what_belongs_to_processes_is_not_copied() -> None:
    disk = await a_log()
    snap(disk, 4)
    left_out = [HOME.snapshots / "LOCK", HOME.snapshots / "4.tmp", HOME.keeping, HOME.lock]
    left_out += [HOME.log / "START.tmp", HOME.directory / "meta.tmp", HOME.directory / "notes"]
    for path in left_out:
        disk.put(path, b"mine")
    back_up(disk)
    assert all(b"mine" not in disk._files[path].data for path in disk._files if is_there(path))


def is_there(path: Path) -> bool:
    return path.is_relative_to(THERE.directory)


async def test_backup_that_is_tidied_is_refused() -> None:
    disk = await a_log()
    back_up(disk)
    with keeping(disk, THERE, "pid 7"), pytest.raises(Locked, match="pid 7"):
        back_up(disk)
    assert disk.open_files == 0


async def test_file_that_is_gone_for_good_ends_it() -> None:
    disk = await a_log()
    disk.fail_in = "create"
    with pytest.raises(OSError, match="injected"):
        back_up(disk)


async def test_progress_hears_of_every_byte() -> None:
    heard: list[tuple[int, int]] = []
    made = back_up(await a_log(), progress=lambda done, of: heard.append((done, of)))
    assert heard[-1] == (made.bytes, made.bytes)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


# -- on real files, beside a writer


@contextmanager
def appending(data_dir: Path) -> Iterator[Callable[[], int]]:
    """Run a writer; the function gives the last position that it told of."""
    with subprocess.Popen(
        [sys.executable, str(APPENDER), str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    ) as process:
        out = process.stdout
        assert out is not None
        try:
            yield lambda: int(out.readline())
        finally:
            process.kill()
            out.read()


def test_beside_a_running_writer(tmp_path: Path) -> None:
    source, kept = tmp_path / "data", tmp_path / "kept"
    with appending(source) as told:
        for number in range(12):
            position = told()
            for target in (kept, tmp_path / f"new-{number}"):
                mark = Reader(source).mark()
                assert mark >= position
                made = archive(source, target, now_us=NOW_US)
                found = verify(target)
                assert found.last == found.mark == made.position >= mark
                assert found.chain_hex == made.chain
                for _ in range(30):
                    told()
    assert len(bases_of(kept)) > 3
    made = archive(source, kept, now_us=NOW_US)
    assert made.segments_kept > 3
    assert made.position == verify(source).last


def bases_of(directory: Path) -> list[str]:
    return [path.name for path in (directory / "log").iterdir()]


async def test_modes_of_files(tmp_path: Path) -> None:
    log = open_log(tmp_path / "data", clock=a_clock())
    await log.begin()
    await write(log, batches=1)
    await log.close()
    (tmp_path / "data" / "secret").write_text("x")
    archive(tmp_path / "data", tmp_path / "b", now_us=NOW_US, private=["secret"])
    assert (tmp_path / "b" / "secret").stat().st_mode & 0o777 == 0o600
    assert Home(tmp_path / "b").segment(1).stat().st_mode & 0o222 == 0


async def test_backup_never_knows_more_than_a_power_loss_leaves() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk, sync="none")
    await log.begin()
    await write(log, batches=3)
    assert positions(disk.after_power_loss(keep_mark=True), HOME) == 0
    assert back_up(disk).position == 6
    assert positions(disk.after_power_loss(keep_mark=True), HOME) == 6
    await log.close()
