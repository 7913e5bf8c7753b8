"""What is kept of the tree is right or does not count, and is kept before the records go."""

from collections.abc import Callable

import pytest
from msgspec import structs

from eventlog import LogDamaged, verify
from eventlog.backup import archive
from eventlog.checkpoint import Checkpoint
from eventlog.compressed import compress_log
from eventlog.errors import CheckpointDiffers, HashesMissing, TreeRefuted
from eventlog.fork import fork
from eventlog.merkle import build, leaf_hash, root, verifies_consistency
from eventlog.recount import Recount
from eventlog.repair import cut
from eventlog.retention import expire
from eventlog.tree import extent, leaf_bytes, leaves
from eventlog.treefile import read_pieces, write_pieces
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import (
    HOME,
    body,
    compressed,
    entries,
    open_log,
    plain,
    running,
    write,
)
from tests.eventlog.notes import SIGNER, checkpoint, differs, lasts, tree
from tests.eventlog.rewriting import rewritten, with_forged_hashes
from tests.eventlog.sums import add_snapshots
from tests.eventlog.test_attacks import byte_changed
from tests.eventlog.test_backup import NOW_US, THERE

ALL = 1 << 62
LAST = 20
HASHES = [leaf_hash(b"%d %b" % entry) for entry in entries(40)]
Form = Callable[[MemoryDisk], MemoryDisk]


def right(size: int) -> bytes:
    return root(build(0, HASHES[:size]))


async def a_log() -> MemoryDisk:
    """Give a log of 20 records in segments of four, the last one open."""
    return await running(batches=5, records=4, segment_bytes_max=800)


def assert_right(disk: MemoryDisk, first: int = 1) -> None:
    """Hold all roots and proofs that can be had to the definition."""
    found = tree(disk, HOME)
    assert found.size == LAST
    for size in range(first, LAST + 1):
        assert found.root(size) == right(size)
        for old in range(first, size + 1):
            path = found.consistency(old, size)
            assert verifies_consistency(old, size, right(old), right(size), path)


@pytest.mark.parametrize("form", [plain, compressed])
async def test_leaves_are_what_enters_the_hash_chain(form: Form) -> None:
    disk = form(await a_log())
    assert lasts(disk, HOME) == [4, 8, 12, 16]
    assert leaves([(7, body(7))]) == [leaf_hash(leaf_bytes(7, body(7)))] == [HASHES[6]]
    assert_right(disk)
    assert HOME.tree not in disk.content()


async def test_kept_hashes_are_not_made_again() -> None:
    disk = await a_log()
    checkpoint(disk, HOME, 18)
    assert [one.last for one in read_pieces(disk, HOME)[0]] == [4, 8, 12, 16, 18]
    assert_right(disk)
    before = disk.content()
    checkpoint(disk, HOME, 18)
    assert disk.content() == before
    disk.put(HOME.segment(5), before[HOME.segment(5)].replace(b"j6", b"j7"))
    assert tree(disk, HOME).root(LAST) == right(LAST)
    assert tree(disk, HOME).inclusion(9, LAST)
    with pytest.raises(LogDamaged):
        tree(disk, HOME).inclusion(6, LAST)


@pytest.mark.parametrize("damage", range(6))
async def test_what_is_not_as_it_was_written_does_not_count(damage: int) -> None:
    disk = await a_log()
    checkpoint(disk, HOME)
    sound = disk.content()[HOME.tree]
    lines = sound.splitlines(keepends=True)
    bad = [
        b"",
        sound[:-1],
        sound[: len(sound) // 2],
        b"".join(lines[1:]),
        b"".join([*lines[:1], *lines[2:]]),
        sound + b"rotten",
    ][damage]
    disk.put(HOME.tree, bad)
    assert_right(disk)
    checkpoint(disk, HOME)
    assert disk.content()[HOME.tree] == sound


async def test_every_flipped_bit_is_told_or_makes_no_difference() -> None:
    disk = await a_log()
    checkpoint(disk, HOME)
    sound = disk.content()[HOME.tree]
    for bit in range(0, len(sound) * 8, 7):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        disk.put(HOME.tree, bytes(flipped))
        assert tree(disk, HOME).root(LAST) == right(LAST)
    expire(disk, HOME, "c1", before=9, covered=ALL)
    kept = disk.content()[HOME.tree]
    needed = kept.index(b"\n", kept.index(b"\n") + 1)
    for bit in range(0, len(kept) * 8, 7):
        flipped = bytearray(kept)
        flipped[bit // 8] ^= 1 << bit % 8
        disk.put(HOME.tree, bytes(flipped))
        if bit // 8 <= needed:
            with pytest.raises(HashesMissing, match="1 to 8"):
                tree(disk, HOME)
        else:
            assert tree(disk, HOME).root(LAST) == right(LAST)


async def test_hashes_that_somebody_made_up_prove_nothing() -> None:
    disk = await a_log()
    note = checkpoint(disk, HOME)
    forged = with_forged_hashes(rewritten(disk, byte_changed(6, 9)))
    assert tree(forged, HOME).root(LAST) == right(LAST)
    for position in (5, 6, 7, 8):
        with pytest.raises(TreeRefuted, match="records 5 to 8"):
            tree(forged, HOME).inclusion(position, LAST)
    assert differs(forged, HOME, note) is not None


@pytest.mark.parametrize("form", [plain, compressed])
@pytest.mark.parametrize("signed", [(), (3,), (6, 11), (8, 18)])
async def test_after_expiry_every_root_that_was_signed_can_be_had(
    form: Form, signed: tuple[int, ...]
) -> None:
    disk = form(await a_log())
    notes = [checkpoint(disk, HOME, size) for size in signed]
    expire(disk, HOME, "c1", before=13, covered=ALL)
    assert verify(HOME.directory, disk=disk).first == 13
    assert_right(disk, first=12)
    for note in notes:
        size = note.checkpoint.size
        assert differs(disk, HOME, note) is None
        path = tree(disk, HOME).consistency(size, LAST)
        assert verifies_consistency(size, LAST, note.checkpoint.root, right(LAST), path)
    for position in range(13, LAST + 1):
        assert tree(disk, HOME).inclusion(position, LAST)


async def test_after_expiry_what_was_not_kept_is_not_made_up() -> None:
    disk = await a_log()
    other = checkpoint(disk.copy(), HOME, 6)
    expire(disk, HOME, "c1", before=13, covered=ALL)
    found = tree(disk, HOME)
    for size in (1, 2, 3, 5, 6, 7, 9, 10, 11):
        with pytest.raises(HashesMissing):
            found.root(size)
    for position in range(1, 13):
        with pytest.raises(HashesMissing):
            found.inclusion(position, LAST)
    with pytest.raises(HashesMissing):
        differs(disk, HOME, other)
    disk.remove(HOME.tree)
    for size in (6, 14, LAST):
        with pytest.raises(HashesMissing, match="1 to 12"):
            tree(disk, HOME, size)
    with pytest.raises(HashesMissing):
        differs(disk, HOME, other)
    expire(disk, HOME, "c1", before=17, covered=ALL)
    assert verify(HOME.directory, disk=disk).first == 17


async def test_what_can_be_signed_after_expiry_can_be_verified() -> None:
    """Also at a size where nothing was signed before, where whole subtrees happen to end."""
    disk = await running(batches=7, records=3, segment_bytes_max=800)
    expire(disk, HOME, "c1", before=15, covered=ALL)
    signed = 0
    for size in range(1, LAST + 1):
        try:
            note = checkpoint(disk, HOME, size)
        except HashesMissing:
            note = SIGNER.sign(Checkpoint("spoolog/c1", size, right(size)))
            with pytest.raises(HashesMissing):
                differs(disk, HOME, note)
            continue
        signed += 1
        assert note.checkpoint.root == right(size)
        assert differs(disk, HOME, note) is None
        other = SIGNER.sign(Checkpoint("spoolog/c1", size, bytes(32)))
        assert differs(disk, HOME, other) is not None
    assert len(lasts(disk, HOME)) < signed < LAST


async def test_a_changed_hash_is_caught_after_expiry() -> None:
    disk = await a_log()
    note, last = checkpoint(disk, HOME, 6), checkpoint(disk, HOME, 18)
    expire(disk, HOME, "c1", before=9, covered=ALL)
    pieces, _ = read_pieces(disk, HOME)
    assert [one.last for one in pieces] == [4, 6, 8, 12, 16, 18]
    for index, noticed in enumerate([True, True, False]):
        one = pieces[index]
        lie = structs.replace(one, hashes=[one.state, *one.hashes[1:]])
        write_pieces(disk, HOME, [*pieces[:index], lie, *pieces[index + 1 :]])
        assert (differs(disk, HOME, note) is not None) == noticed
        assert differs(disk, HOME, last) is not None
    stale = structs.replace(pieces[2], state=pieces[0].state)
    write_pieces(disk, HOME, [*pieces[:2], stale, *pieces[3:]])
    with pytest.raises(HashesMissing):
        differs(disk, HOME, note)


@pytest.mark.parametrize("size", [None, 8])
async def test_expiry_stopped_anywhere_loses_no_hash(size: int | None) -> None:
    begin = await a_log()
    note = checkpoint(begin.copy() if size else begin, HOME, size or 6)
    end = begin.copy()
    expire(end, HOME, "c1", before=9, covered=ALL)
    for fail_at in range(1, end.calls + 1):
        disk = begin.copy()
        disk.fail_at = fail_at
        with pytest.raises(OSError, match="injected"):
            expire(disk, HOME, "c1", before=9, covered=ALL)
        disk.fail_at = None
        for left in (disk, disk.after_power_loss(keep_mark=True)):
            assert differs(left, HOME, note) is None
            assert tree(left, HOME).root(LAST) == right(LAST)
            expire(left, HOME, "c1", before=9, covered=ALL)
            assert left.content() == end.content()
            assert left.after_power_loss(keep_mark=True).content() == end.content()


async def test_a_segment_that_is_damaged_does_not_expire() -> None:
    disk = await a_log()
    data = disk.content()[HOME.segment(5)]
    disk.put(HOME.segment(5), data.replace(b"j6", b"j7"))
    before = disk.content()
    with pytest.raises(LogDamaged):
        expire(disk, HOME, "c1", before=9, covered=ALL)
    assert disk.content() == before


async def test_compressing_changes_nothing() -> None:
    disk = await a_log()
    note = checkpoint(disk, HOME, 6)
    compress_log(disk, HOME, "c1", keep=0)
    assert differs(disk, HOME, note) is None
    assert_right(disk)
    disk.remove(HOME.tree)
    assert_right(disk)


@pytest.mark.parametrize("expired", [False, True])
async def test_a_fork_has_the_roots_of_its_own_history(*, expired: bool) -> None:
    disk = await a_log()
    early, late = checkpoint(disk, HOME, 6), checkpoint(disk, HOME, 18)
    add_snapshots(disk, 8)
    if expired:
        expire(disk, HOME, "c1", before=9, covered=ALL)
    fork(HOME.directory, THERE.directory, 15, now_us=NOW_US, disk=disk)
    assert differs(disk, THERE, early) is None
    assert differs(disk, THERE, late) is not None
    log = open_log(THERE.directory, disk=disk)
    await log.begin()
    for position in range(16, 20):
        log.append(position, b'{"v":1,"other":%d}' % position)
    await log.durable(19)
    await log.close()
    assert tree(disk, THERE).root(15) == right(15)
    assert tree(disk, THERE).root(18) != right(18)
    assert differs(disk, THERE, early) is None
    assert differs(disk, THERE, late) is not None


async def test_hashes_of_what_a_fork_left_behind_do_not_count() -> None:
    disk = await a_log()
    late = checkpoint(disk, HOME, 18)
    fork(HOME.directory, THERE.directory, 15, now_us=NOW_US, disk=disk)
    disk.put(THERE.tree, disk.content()[HOME.tree])
    log = open_log(THERE.directory, disk=disk)
    await log.begin()
    for position in range(16, 20):
        log.append(position, b'{"v":1,"other":%d}' % position)
    await log.durable(19)
    await log.close()
    assert tree(disk, THERE).root(15) == right(15)
    assert tree(disk, THERE).root(18) != right(18)
    assert differs(disk, THERE, late) is not None


async def test_a_backup_brings_the_hashes_of_what_has_expired() -> None:
    disk = await a_log()
    note = checkpoint(disk, HOME, 6)
    expire(disk, HOME, "c1", before=9, covered=ALL)
    archive(HOME.directory, THERE.directory, now_us=NOW_US, disk=disk)
    assert differs(disk, THERE, note) is None
    kept = disk.content()[THERE.tree]
    disk.put(HOME.tree, kept[:-9])
    archive(HOME.directory, THERE.directory, now_us=NOW_US, disk=disk)
    assert disk.content()[THERE.tree] == kept


async def test_after_a_repair_the_hashes_of_what_was_cut_do_not_count() -> None:
    disk = await a_log()
    early, late = checkpoint(disk, HOME, 6), checkpoint(disk, HOME, 18)
    data = disk.content()[HOME.segment(13)]
    disk.put(HOME.segment(13), data.replace(b"j14", b"j41"))
    cut(HOME.directory, 14, now_us=NOW_US, reason="", user="ann", disk=disk)
    log = open_log(disk=disk)
    await log.begin()
    for position in range(14, 21):
        log.append(position, b'{"v":1,"other":%d}' % position)
    await log.durable(20)
    await log.close()
    assert tree(disk, HOME).root(13) == right(13)
    assert tree(disk, HOME).root(18) != right(18)
    assert differs(disk, HOME, early) is None
    assert differs(disk, HOME, late) is not None
    again = checkpoint(disk, HOME)
    assert differs(disk, HOME, again) is None
    expire(disk, HOME, "c1", before=14, covered=ALL)
    assert differs(disk, HOME, early) is None
    assert differs(disk, HOME, again) is None


async def test_only_what_is_durable_counts() -> None:
    disk = await a_log()
    assert extent(disk, HOME, "c1").durable == LAST
    assert extent(disk, HOME, "c1").sealed == 16
    disk.remove(HOME.mark)
    assert extent(disk, HOME, "c1").durable == 16
    assert tree(disk, HOME).size == 16
    assert extent(MemoryDisk(), HOME, "c1").durable == 0


async def test_a_log_goes_on_and_its_tree_with_it() -> None:
    disk = MemoryDisk()
    notes = []
    for _ in range(4):
        log = open_log(disk=disk, segment_bytes_max=800)
        await log.begin()
        await write(log, batches=3)
        running_now = disk.copy()
        notes.append(checkpoint(running_now, HOME))
        await log.close()
        disk.put(HOME.tree, running_now.content()[HOME.tree])
        assert [differs(disk, HOME, note) for note in notes] == [None] * len(notes)
    assert [note.checkpoint.size for note in notes] == [6, 12, 18, 24]
    assert [note.checkpoint.root for note in notes] == [right(size) for size in (6, 12, 18, 24)]


async def test_a_checkpoint_of_another_log_is_told() -> None:
    disk = await a_log()
    note = checkpoint(disk, HOME)
    with pytest.raises(CheckpointDiffers, match="this log is spoolog/c2"):
        Recount(disk, HOME, "c2", note.checkpoint)
