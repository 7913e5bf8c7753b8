"""Times: between RFC 3339 text, datetimes and the integer microseconds that events carry.

Nothing here reads a clock.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
EARLIEST_US: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
LATEST_US: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def to_us(moment: datetime) -> int:
    """Give microseconds since the epoch; a time without offset counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MICROSECOND


def to_text(at_us: int) -> str:
    """Give RFC 3339 UTC text with microseconds and `Z`, as every answer shows times."""
    moment = EPOCH + timedelta(microseconds=at_us)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def to_text_or_none(at_us: int | None) -> str | None:
    """Give the text of a time that may be absent."""
    return None if at_us is None else to_text(at_us)
