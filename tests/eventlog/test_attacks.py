"""A log that somebody rewrote, or put back, is told from the one that a checkpoint was made of."""

import pytest

from eventlog import verify
from eventlog.merkle import verifies_consistency
from eventlog.proof import Inclusion
from eventlog.tree import leaf_bytes
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, body, compressed, open_log, plain, running, write
from tests.eventlog.notes import checkpoint, differs, tree
from tests.eventlog.rewriting import Change, Story, rewritten, story, with_forged_hashes

SIZE = 12
ALL = 16


async def a_log() -> MemoryDisk:
    """Give a log of 16 records in segments of four, the last one open; 12 were signed."""
    return await running(batches=4, records=4, segment_bytes_max=800)


def byte_changed(record: int, at: int) -> Change:
    def change(told: Story) -> Story:
        bodies = [body for segment in told for body in segment]
        text = bytearray(bodies[record - 1])
        text[at] ^= 1
        bodies[record - 1] = bytes(text)
        return cut_like(told, bodies)

    return change


def cut_like(told: Story, bodies: list[bytes]) -> Story:
    """Put bodies into segments of the same sizes, what is left over into the last."""
    made: Story = []
    for segment in told:
        made.append(bodies[: len(segment)])
        bodies = bodies[len(segment) :]
    made[-1] += bodies
    return [segment for segment in made if segment]


def dropped(record: int) -> Change:
    def change(told: Story) -> Story:
        bodies = [body for segment in told for body in segment]
        return cut_like(told, bodies[: record - 1] + bodies[record:])

    return change


def swapped(record: int) -> Change:
    def change(told: Story) -> Story:
        bodies = [body for segment in told for body in segment]
        bodies[record - 1], bodies[record] = bodies[record], bodies[record - 1]
        return cut_like(told, bodies)

    return change


def inserted(record: int) -> Change:
    def change(told: Story) -> Story:
        bodies = [body for segment in told for body in segment]
        return cut_like(told, [*bodies[: record - 1], b'{"v":1}', *bodies[record - 1 :]])

    return change


def segment_dropped(index: int) -> Change:
    return lambda told: told[:index] + told[index + 1 :]


def segments_swapped(index: int) -> Change:
    def change(told: Story) -> Story:
        first, second = told[index : index + 2]
        return [*told[:index], second, first, *told[index + 2 :]]

    return change


ATTACKS = {
    **{
        f"byte {at} of record {n}": byte_changed(n, at) for n in range(1, SIZE + 1) for at in (0, 9)
    },
    **{f"record {n} dropped": dropped(n) for n in range(1, SIZE + 1)},
    **{f"record {n} and the next swapped": swapped(n) for n in range(1, SIZE + 1)},
    **{f"record put in before {n}": inserted(n) for n in range(1, SIZE + 1)},
    **{f"segment {n} dropped": segment_dropped(n) for n in range(3)},
    **{f"segment {n} and the next swapped": segments_swapped(n) for n in range(3)},
}


@pytest.mark.parametrize("change", ATTACKS.values(), ids=ATTACKS)
async def test_every_other_past_is_caught(change: Change) -> None:
    disk = await a_log()
    note = checkpoint(disk, HOME, SIZE)
    assert differs(disk, HOME, note) is None
    attacked = rewritten(disk, change)
    for left in (attacked, with_forged_hashes(attacked), without_hashes(attacked)):
        assert differs(left, HOME, note) is not None
    later = tree(attacked, HOME)
    assert later.size < SIZE or later.root(SIZE) != note.checkpoint.root


def without_hashes(disk: MemoryDisk) -> MemoryDisk:
    left = disk.copy()
    left.remove(HOME.tree)
    return left


async def test_every_byte_of_every_record_counts() -> None:
    disk = await running(batches=2, records=2, segment_bytes_max=500)
    note = checkpoint(disk, HOME)
    bodies = [body for segment in story(disk) for body in segment]
    for record, text in enumerate(bodies, start=1):
        for at in range(len(text)):
            assert differs(rewritten(disk, byte_changed(record, at)), HOME, note) is not None


async def test_where_it_was_changed_is_told() -> None:
    disk = await a_log()
    checkpoint(disk, HOME, 6)
    note = checkpoint(disk, HOME, SIZE)
    for record, where in ((2, "1 to 4"), (5, "5 to 6"), (7, "7 to 8"), (12, "9 to 12")):
        told = differs(rewritten(disk, byte_changed(record, 9)), HOME, note)
        assert told is not None
        assert told.endswith(f"the first that differs is one of {where}")
    told = differs(without_hashes(rewritten(disk, byte_changed(2, 9))), HOME, note)
    assert told is not None
    assert told.endswith("which one differs cannot be told")


async def test_a_change_behind_the_checkpoint_is_seen_by_a_later_one_only() -> None:
    disk = await a_log()
    note, last = checkpoint(disk, HOME, SIZE), checkpoint(disk, HOME, ALL)
    attacked = rewritten(disk, byte_changed(14, 9))
    assert differs(attacked, HOME, note) is None
    assert differs(attacked, HOME, last) is not None
    forged = checkpoint(attacked, HOME, ALL).checkpoint
    path = tree(attacked, HOME).consistency(SIZE, ALL)
    was, now = note.checkpoint.root, last.checkpoint.root
    assert verifies_consistency(SIZE, ALL, was, forged.root, path)
    assert not verifies_consistency(SIZE, ALL, was, now, path)


async def test_a_log_that_was_put_back_is_caught() -> None:
    disk, older = MemoryDisk(), MemoryDisk()
    for _ in range(2):
        log = open_log(disk=disk, segment_bytes_max=800)
        await log.begin()
        await write(log, batches=2, records=4)
        older = disk.copy() if log.last == 8 else older
        await log.close()
    note = checkpoint(disk, HOME)
    assert verify(HOME.directory, disk=older).last == 8
    assert differs(older, HOME, note) == (
        "the log ends at record 8, the checkpoint was made of 16: what stood behind has been"
        " taken away"
    )
    log = open_log(disk=older)
    await log.begin()
    for position in range(9, 20):
        log.append(position, b'{"v":1,"other":%d}' % position)
    await log.durable(19)
    await log.close()
    told = differs(older, HOME, note)
    assert told is not None
    assert "not those that the checkpoint was made of" in told


@pytest.mark.parametrize("form", [plain, compressed])
async def test_no_proof_of_a_changed_record_holds(form: Change) -> None:
    disk = form(await a_log())  # type: ignore[arg-type]
    note = checkpoint(disk, HOME, SIZE)  # type: ignore[arg-type]
    for position in range(1, SIZE + 1):
        path = tuple(tree(disk, HOME, SIZE).inclusion(position, SIZE))  # type: ignore[arg-type]
        right = Inclusion(leaf_bytes(position, body(position)), position - 1, path, note)
        assert right.holds
        for leaf in (
            leaf_bytes(position, body(position + 1)),
            leaf_bytes(position + 1, body(position)),
            leaf_bytes(position, body(position)) + b" ",
            b"0" + leaf_bytes(position, body(position)),
        ):
            assert not Inclusion(leaf, position - 1, path, note).holds
