"""A place in the log, as people name it: a position, or a moment. Nothing here reads a log."""

from datetime import datetime

from msgspec import Struct

from projections.moments import to_us


class Point(Struct, frozen=True):
    """A place in the log: a position, or a moment in microseconds."""

    position: int | None = None
    at_us: int | None = None

    def includes(self, position: int, at_us: int) -> bool:
        """Whether a record there lies at this point or before it."""
        if self.position is not None:
            return position <= self.position
        assert self.at_us is not None
        return at_us <= self.at_us

    def precedes(self, position: int, at_us: int) -> bool:
        """Whether a record there lies at this point or behind it."""
        if self.position is not None:
            return position >= self.position
        assert self.at_us is not None
        return at_us >= self.at_us

    def just_before(self) -> "Point":
        """Give the last point that lies before this one."""
        if self.position is not None:
            return Point(position=max(self.position - 1, 0))
        assert self.at_us is not None
        return Point(at_us=self.at_us - 1)


PointLike = Point | int | datetime | str
"""A place as callers name it: a position, a moment, or the text of either."""


def point(named: PointLike) -> Point:
    """Read a place: a position, a datetime or RFC 3339 text; a time without offset is UTC.

    Raises:
        ValueError: the text is neither.

    """
    match named:
        case Point():
            return named
        case int():
            return Point(position=named)
        case datetime():
            return Point(at_us=to_us(named))
        case str():
            return _read(named)


def _read(named: str) -> Point:
    if named.isascii() and named.isdigit():
        return Point(position=int(named))
    try:
        return Point(at_us=to_us(datetime.fromisoformat(named)))
    except ValueError as reason:
        raise ValueError(
            f"{named!r} is neither a position nor a time such as 2026-01-31T12:00:00Z"
        ) from reason
