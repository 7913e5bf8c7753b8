"""The past as Python objects: a data directory, read only, its events and its state at any point.

    import spoolog

    history = spoolog.open("./spoolog-data")
    for fact in history.events(types=["job.failed"], start="2026-06-01T00:00:00Z"):
        print(fact.record.position, fact.record.at, fact.event.job, fact.event.error)

Bytes come from ``eventlog``, meaning from ``projections``; here they are joined, and nothing is ever
locked, created or changed, so it may run beside a live server. No HTTP, no printing. What is named
here is public, and so are the event classes in ``projections.events``; docs/reading.md shows it all.
"""

from eventlog import LogDamaged, LogError, LogExpired, Verified
from projections.entities import Job, Queue, Worker
from projections.events import Event, Record, Undecodable
from projections.feed import Fact, event_type
from projections.state import State
from spoolog.folding import Folded, fold_at, fold_log
from spoolog.history import Filters, History
from spoolog.history import open_history as open  # noqa: A004 - spoolog.open is what it is
from spoolog.point import Point, PointLike, point
from spoolog.select import Shown, Wanted, select

__all__ = [
    "Event",
    "Fact",
    "Filters",
    "Folded",
    "History",
    "Job",
    "LogDamaged",
    "LogError",
    "LogExpired",
    "Point",
    "PointLike",
    "Queue",
    "Record",
    "Shown",
    "State",
    "Undecodable",
    "Verified",
    "Wanted",
    "Worker",
    "event_type",
    "fold_at",
    "fold_log",
    "open",
    "point",
    "select",
]
