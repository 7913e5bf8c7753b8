"""The events of a log, one by one, while a bar shows how far they have come. Nothing is printed."""

from collections.abc import Iterable, Iterator
from typing import Final

from eventlog import Line, Reader
from projections.feed import Fact
from spoolog.folding import last_known
from spoolog.select import Wanted, select
from tools import output

_RECORDS_PER_ADVANCE: Final = 1_000


def facts(reader: Reader, wanted: Wanted, label: str) -> Iterator[Fact]:
    """Give the wanted events of a log, oldest first."""
    total = last_known(reader)
    if wanted.end is not None and wanted.end.position is not None:
        total = wanted.end.position
    with output.progress(label, total) as advance:
        for shown in select(_counted(reader.lines(wanted.after), advance, total), wanted):
            yield from shown.facts()


def _counted(lines: Iterable[Line], advance: output.Advance, total: int | None) -> Iterator[Line]:
    for count, line in enumerate(lines):
        if count % _RECORDS_PER_ADVANCE == 0:
            advance(line.position, total)
        yield line
