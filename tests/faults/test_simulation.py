"""Seeds of the simulation: no promise is broken, and a seed is the same run every time, everywhere."""

import os
import subprocess
import sys
import time
from collections import Counter

from tests.faults.figures import report
from tests.faults.scale import LONG
from tests.faults.simulate import STEPS, simulate

SEEDS = 100_000 if LONG else 1_000
_COUNTED = (
    "operations",
    "acknowledged",
    "unknown",
    "unknown_happened",
    "crashes",
    "starts",
    "records",
    "snapshots",
    "compressed",
    "expired",
    "retired",
    "starts_from_snapshot",
)


def test_no_seed_breaks_a_promise() -> None:
    started = time.monotonic()
    totals, longest_us = Counter[str](), 0
    for seed in range(SEEDS):
        run = simulate(seed)
        totals.update({name: getattr(run, name) for name in _COUNTED})
        longest_us = max(longest_us, run.healed_us)
    assert totals["unknown_happened"] > 0
    assert totals["crashes"] > SEEDS
    assert min(totals[name] for name in _COUNTED) > 0
    report(
        "simulation",
        seeds=SEEDS,
        steps=SEEDS * STEPS,
        **totals,
        longest_healing_virtual_secs=longest_us // 1_000_000,
        violations=0,
        seconds=round(time.monotonic() - started, 1),
    )


def test_a_seed_is_the_same_run_every_time() -> None:
    for seed in range(20):
        first, second = list[str](), list[str]()
        assert simulate(seed, first.append) == simulate(seed, second.append)
        assert first == second
    assert len({simulate(seed).chain for seed in range(20)}) == 20


def test_the_command_repeats_a_seed_in_another_process() -> None:
    steps = list[str]()
    run = simulate(7, steps.append)
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults.simulate", "--seed", "7"],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines() == [*steps, str(run)]
