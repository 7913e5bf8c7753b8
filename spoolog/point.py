"""A place in the log, as people name it: a position, or a moment. Nothing here reads a log."""

from msgspec import Struct


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
