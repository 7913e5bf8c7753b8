"""What the results must be: the same computation without a queue, spread over processes."""

import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tools.demo.files import Measured, measure
from tools.output import progress

_CHUNK = 8


def compute(folder: Path, paths: Sequence[str], processes: int) -> dict[str, Measured]:
    """Measure every file."""
    found: dict[str, Measured] = {}
    # Spawned, not forked: the progress bar has a thread.
    # Ctrl-C is for the parent, which lets the pool finish what it has begun.
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    with progress("computing directly", len(paths)) as advance:
        try:
            for path, measured in pool.map(partial(_measured, folder), paths, chunksize=_CHUNK):
                found[path] = measured
                advance(len(found), None)
        finally:
            pool.shutdown(cancel_futures=True)
    return found


def _measured(folder: Path, path: str) -> tuple[str, Measured]:
    return path, measure(folder / path)
