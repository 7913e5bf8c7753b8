"""Records what a browser does for a page, and reads how long its main thread was busy at a time.

The trace stays as a file, for chrome://tracing, Perfetto or DevTools (Performance, Load profile).
"""

import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, json
from playwright.sync_api import Browser, Page

from tests.tools.workbench import ROOT

TRACES: Final = Path(os.environ.get("SPOOLOG_TRACES", ROOT / "build" / "traces"))
_CATEGORIES: Final = [
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "blink.user_timing",
    "loading",
]
_TASK: Final = "RunTask"
_STEPS_MAX: Final = 5
_TOLD_US: Final = 5_000
_US_PER_MS: Final = 1_000


class Task(Struct, frozen=True, order=True):
    """What the main thread did without letting anything else in; `own_ms` had the processor."""

    ms: float
    own_ms: float
    at_ms: float
    steps: str

    def __str__(self) -> str:
        busy = f"{self.ms:.0f} ms, {self.own_ms:.0f} ms of them on a processor"
        return f"{busy}, {self.at_ms / 1_000:.1f} s after the begin: {self.steps}"


class Trace(Struct):
    """What was recorded of one page."""

    path: Path
    tasks: list[Task] = []
    marks: set[str] = set()

    @property
    def longest(self) -> Task:
        return max(self.tasks)

    def over(self, ms: float) -> list[Task]:
        """Give the tasks that took longer."""
        return [task for task in self.tasks if task.ms > ms]


@contextmanager
def recorded(browser: Browser, page: Page, name: str) -> Iterator[Trace]:
    """Record a page for as long as the block lasts; behind it one knows what its thread did.

    The page must set a mark, `performance.mark(…)`, by which its thread is found.
    """
    TRACES.mkdir(parents=True, exist_ok=True)
    trace = Trace(TRACES / f"{name}.json")
    browser.start_tracing(page=page, path=trace.path, categories=_CATEGORIES)
    try:
        yield trace
    finally:
        browser.stop_tracing()
    events = json.decode(trace.path.read_bytes())["traceEvents"]
    marks = [one for one in events if one["cat"] == "blink.user_timing" and one["ph"] == "I"]
    (thread,) = {(one["pid"], one["tid"]) for one in marks}
    trace.marks = {one["name"] for one in marks}
    trace.tasks = _tasks([one for one in events if (one["pid"], one["tid"]) == thread])


def _tasks(events: list[dict[str, Any]]) -> list[Task]:
    ended = sorted((one for one in events if "dur" in one), key=lambda one: int(one["ts"]))
    begins = [one["ts"] for one in ended]
    return [
        Task(
            ms=one["dur"] / _US_PER_MS,
            own_ms=one.get("tdur", 0) / _US_PER_MS,
            at_ms=(one["ts"] - begins[0]) / _US_PER_MS,
            steps=_steps(
                ended[bisect_left(begins, one["ts"]) : bisect_left(begins, one["ts"] + one["dur"])]
            ),
        )
        for one in ended
        if one["name"] == _TASK
    ]


def _steps(events: list[dict[str, Any]]) -> str:
    """Name what took longest; steps lie within each other."""
    steps = [one for one in events if one["name"] != _TASK and one["dur"] > _TOLD_US]
    steps.sort(key=lambda one: -int(one["dur"]))
    return ", ".join(f"{one['name']} {one['dur'] / _US_PER_MS:.0f}" for one in steps[:_STEPS_MAX])
