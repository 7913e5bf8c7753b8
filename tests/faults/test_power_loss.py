"""The power goes before any call of the log's life, and again before any call of the recovery."""

import time

import pytest

from eventlog import SyncMode
from tests.faults.chronicle import chronicle
from tests.faults.crashes import FULL, FULLEST, THIN
from tests.faults.figures import report
from tests.faults.powerloss import Judge, Life
from tests.faults.scale import LONG

AGAIN_EVERY = 40 if LONG else 600
"""of so many different crash states one is crashed again"""
LIVES = (
    (
        Life((2, 1, 3, 9, 1, 40, 20, 20), closed=False, body_bytes=200),
        Life((1, 25, 2, 12), closed=False, body_bytes=400),
    )
    if LONG
    else (Life((2, 1, 2), closed=False), Life((1, 3), closed=False, body_bytes=230))
)


@pytest.mark.parametrize("mode", [SyncMode.ALWAYS, SyncMode.NONE])
def test_whatever_a_power_loss_leaves_is_recovered_from(mode: SyncMode) -> None:
    started = time.monotonic()
    judge = Judge()
    moments = list(chronicle(LIVES, mode))
    fresh = 0
    reach = FULLEST if LONG else FULL if mode is SyncMode.ALWAYS else THIN
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
