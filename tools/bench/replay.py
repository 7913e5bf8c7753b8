"""How fast a restart reads its log: bytes, checksums, hash chain, decoding and folding together."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from eventlog import Reader
from projections.bounds import SECOND_US
from spoolog.folding import fold_log
from tools.bench.report import Figure
from tools.bench.workload import write_log
from tools.output import progress

TARGET_EVENTS_PER_SECOND: Final = 120_000
_RUNS: Final = 3


def measure(events: int) -> Figure:
    """Write a log, then fold it a few times; the median counts."""
    with tempfile.TemporaryDirectory(prefix="spoolog-bench-") as folder:
        data_dir = Path(folder)
        with progress("writing a log", events) as advance:
            records = asyncio.run(write_log(data_dir, events, advance))
        reader = Reader(data_dir)
        size = sum(segment.bytes for segment in reader.segments())
        rates = []
        folded_events = 0
        for run in range(_RUNS):
            folded_events, rate = _replay(reader, f"replay {run + 1} of {_RUNS}", records)
            rates.append(rate)
    median = sorted(rates)[_RUNS // 2]
    return Figure(
        name="replay",
        value=round(median),
        unit="events/s",
        target=TARGET_EVENTS_PER_SECOND,
        better="more",
        command=f"spoolog bench replay --events {events}",
        details={
            "events": folded_events,
            "records": records,
            "log bytes": size,
            "events/s of each run": ", ".join(f"{rate:,.0f}" for rate in rates),
            "log MB/s": round(size / folded_events * median / 1e6, 1),
        },
    )


def _replay(reader: Reader, label: str, records: int) -> tuple[int, float]:
    """Fold once; give the events and how many of them a second. The state is let go."""
    with progress(label, records) as advance:
        folded = fold_log(reader, progress=lambda done: advance(done, records))
    return folded.events, folded.events * SECOND_US / folded.elapsed_us
