"""The records behind a position, decoded, up to a point. Nothing here folds them."""

from collections.abc import Iterator

from eventlog import Reader
from projections.events import Record, decode
from spoolog.point import Point


def onward(reader: Reader, after: int, until: Point | None = None) -> Iterator[Record]:
    """Give the records behind `after`, up to and including `until`, else to the end of the log.

    Raises:
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.
        LogExpired: the records behind `after` have expired.

    """
    for batch in reader.entries(after):
        for position, body in batch:
            record = decode(position, body)
            if until is not None and not until.includes(position, record.at):
                return
            yield record
