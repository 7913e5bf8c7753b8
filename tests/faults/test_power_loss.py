"""The power goes before any call of the log's life, and again before any call of the recovery."""

import time
from collections.abc import Iterator

import pytest

from eventlog import SyncMode
from tests.faults.crashes import FULL, THIN
from tests.faults.figures import report
from tests.faults.powerloss import Judge, Life, Moment, Story, record, torn_disk
from tests.faults.scale import LONG
from tests.faults.simdisk import SimDisk

AGAIN_EVERY = 40 if LONG else 600
"""of so many different crash states one is crashed again"""
LIVES = (
    (
        Life((2, 1, 3, 9, 1, 30), closed=False, body_bytes=200),
        Life((1, 25, 2), closed=False, body_bytes=400),
    )
    if LONG
    else (Life((2, 1, 2), closed=False), Life((1, 3), closed=False, body_bytes=230))
)
LAST_LIFE = Life((1, 1, 1), closed=True)


def with_mode(life: Life, mode: SyncMode) -> Life:
    return Life(life.batches, life.closed, mode, life.body_bytes, life.segment_bytes)


def chronicle(mode: SyncMode) -> Iterator[Moment]:
    """New, rotated, cut off in a write; restarted, and killed in a write; restarted and closed."""
    story, first = Story(), SimDisk()
    moments = record(first, with_mode(LIVES[0], mode), story)
    yield from moments
    torn, story.told = torn_disk(moments)
    rehearsal = SimDisk.holding(torn.tree())
    record(rehearsal, with_mode(LIVES[1], mode), Story(list(story.bodies), lives=1))
    calls = max(n for n, name in enumerate(rehearsal.names_of_calls, start=1) if name == "write")
    torn.cut_at = calls + 1
    yield from record(torn, with_mode(LIVES[1], mode), story)
    yield from record(torn.killed(), with_mode(LAST_LIFE, mode), story)


@pytest.mark.parametrize("mode", [SyncMode.ALWAYS, SyncMode.NONE])
def test_whatever_a_power_loss_leaves_is_recovered_from(mode: SyncMode) -> None:
    started = time.monotonic()
    judge = Judge()
    moments = list(chronicle(mode))
    fresh = 0
    reach = FULL if LONG or mode is SyncMode.ALWAYS else THIN
    for moment in moments:
        for tree in judge.judge(moment, reach):
            fresh += 1
            if fresh % AGAIN_EVERY == 0:
                judge.again(tree, moment)
    report(
        f"power loss, sync {mode}",
        calls=len(moments),
        crash_states=judge.states,
        different=judge.distinct,
        crashed_again=fresh // AGAIN_EVERY,
        acknowledged_lost=0,
        seconds=round(time.monotonic() - started, 1),
    )
