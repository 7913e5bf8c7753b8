"""The events of a log, one by one, while a bar shows how far they have come. Nothing is printed."""

from collections.abc import Iterator
from typing import Unpack

from spoolog import Fact, Filters, History, point
from tools import output


def facts(history: History, label: str, **filters: Unpack[Filters]) -> Iterator[Fact]:
    """Give the wanted events of a log, oldest first."""
    end = filters.get("end")
    total = None if end is None else point(end).position
    if total is None:
        total = history.last_known
    with output.progress(label, total) as advance:
        yield from history.events(progress=lambda done: advance(done, total), **filters)
