"""Every call may fail, in every way: the log says so, keeps its word, and a restart recovers."""

from collections.abc import Iterator
from contextlib import suppress
from errno import EDQUOT, EFBIG, EIO, ENOSPC, EROFS

import pytest

from eventlog import LogClosed, LogDamaged, LogError, LogFailed
from tests.faults.crashes import Tree
from tests.faults.figures import report
from tests.faults.loop import SimLoop
from tests.faults.powerloss import (
    AFTERWARDS,
    THIN_AGAIN,
    Judge,
    Life,
    Moment,
    Story,
    live,
    record,
    torn_disk,
)
from tests.faults.simdisk import Fault, SimDisk

KINDS = {"EIO": EIO, "ENOSPC": ENOSPC, "EROFS": EROFS, "EDQUOT": EDQUOT, "EFBIG": EFBIG, "short": 0}
WORK = Life(batches=(2, 1, 2), closed=True)


class Ground:
    """What the work begins with: the disk's content and what was told of it."""

    def __init__(self, tree: Tree, story: Story) -> None:
        self.tree = tree
        self._story = story

    def disk(self) -> SimDisk:
        return SimDisk.holding(self.tree)

    def story(self) -> Story:
        return Story(list(self._story.bodies), self._story.told, self._story.lives)


def new_ground() -> Ground:
    return Ground({}, Story())


def torn_ground() -> Ground:
    """A log whose last write arrived in part."""
    story = Story()
    moments = record(SimDisk(), Life((2, 1), closed=False), story)
    disk, story.told = torn_disk(moments)
    return Ground(disk.tree(), story)


GROUNDS = {"new": new_ground, "torn": torn_ground}


def work(disk: SimDisk, story: Story) -> Exception | None:
    """Do it; give what it ended with. It ends: the loop would say if somebody waited for ever."""
    loop = SimLoop()
    try:
        loop.run(live(disk, WORK, story))
    except (LogError, OSError) as error:
        ended: Exception | None = error
    else:
        ended = None
    if story.log is not None:
        with suppress(LogFailed, OSError):
            loop.run(story.log.close())
    assert disk.open_files == 0
    return ended


def faults(calls: int, errno: int) -> Iterator[Fault]:
    for call in range(1, calls + 1):
        yield Fault(call, errno)
        yield Fault(call, errno, sticky=True)


def judge_restart(disk: SimDisk, story: Story, judge: Judge) -> None:
    """Restart on what any crash leaves, and on the cache as it is with a power loss behind that."""
    judge.all(Moment("the fault", disk.root, tuple(story.bodies), story.told), THIN_AGAIN)
    for moment in record(disk.killed(), AFTERWARDS, story):
        judge.all(moment, THIN_AGAIN)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """One for all: different errors leave the same bytes."""
    return Judge()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_every_call_may_fail(ground: str, kind: str, judge: Judge) -> None:
    start, judged_before = GROUNDS[ground](), judge.states
    rehearsal = start.disk()
    assert work(rehearsal, start.story()) is None
    injected = failed = 0
    for fault in faults(rehearsal.calls, KINDS[kind]):
        disk, story = start.disk(), start.story()
        disk.fault = fault
        ended = work(disk, story)
        injected += 1
        failed += ended is not None
        assert not isinstance(ended, (LogDamaged, LogClosed))
        if isinstance(ended, LogFailed):
            assert ended.errno == (fault.errno or ENOSPC)
        assert len(story.failures) <= 1
        if ended is None and fault.errno:
            # It was the very end, or nothing that durability rests on.
            assert story.told == len(story.bodies)
        disk.fault = None
        judge_restart(disk, story, judge)
    assert failed == 0 if kind == "short" else failed > injected * 0.9
    report(
        f"I/O errors, {kind}, {ground} log",
        injections=injected,
        failed=failed,
        crash_states=judge.states - judged_before,
        wrong_answers=0,
        hangs=0,
    )


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_full_disk_ends_the_log_and_room_brings_it_back(ground: str, judge: Judge) -> None:
    start = GROUNDS[ground]()
    rehearsal = start.disk()
    work(rehearsal, start.story())
    sizes = [len(content) for content in rehearsal.tree().values() if content is not None]
    spaces = range(0, sum(sizes) + 200, 67)
    full = refused = 0
    for space in spaces:
        disk, story = start.disk(), start.story()
        disk.space = space
        ended = work(disk, story)
        full += ended is not None
        assert ended is None or getattr(ended, "errno", None) == ENOSPC
        disk = disk.killed()
        disk.space = space
        refused += work(disk, story) is not None  # a restart without more room
        disk.space = None
        judge_restart(disk, story, judge)
    assert full > 0
    assert refused > 0
    report(
        f"disk full, {ground} log",
        sizes=len(spaces),
        full=full,
        full_again_at_the_restart=refused,
        acknowledged_lost=0,
    )
