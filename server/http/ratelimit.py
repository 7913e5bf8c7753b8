"""How many requests an organization may send: a token bucket each, and the headers that tell of it.

Kept in memory only: after a restart every bucket is full.
"""

from typing import ClassVar, Final

from msgspec import Struct

from server.pressure import Busy

ORGANIZATION: Final = "organization"
SERVER: Final = "server"
"""Scope told where no organization is known; nothing is limited there."""
_SECOND_US: Final = 1_000_000
_ROUNDING: Final = 1e-6


class TooManyRequests(Busy):
    """Too many requests; wait as long as Retry-After says."""

    code: ClassVar[str] = "RATE_LIMIT_EXCEEDED"

    def __init__(self, retry_after_secs: int, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_secs = retry_after_secs


class Standing(Struct, frozen=True):
    """What the X-RateLimit headers tell: `reset` is when the bucket is full again, Unix seconds."""

    limit: int
    remaining: int
    reset: int
    scope: str
    retry_after_secs: int | None = None

    def headers(self) -> dict[str, str]:
        """Give the headers (contract section 1.3)."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
            "X-RateLimit-Scope": self.scope,
        }

    def lines(self) -> str:
        """Give the same as lines of an answer's head."""
        return (
            f"X-RateLimit-Limit: {self.limit}\r\nX-RateLimit-Remaining: {self.remaining}\r\n"
            f"X-RateLimit-Reset: {self.reset}\r\nX-RateLimit-Scope: {self.scope}\r\n"
        )


class Limiter:
    """One bucket an organization: `burst` requests at once, `per_second` in the long run.

    A bucket is the moment up to which its requests have paid (GCRA), in microseconds.
    """

    def __init__(self, per_second: int, burst: int) -> None:
        self._burst = burst
        self._share_us = _SECOND_US / per_second
        self._room_us = burst * self._share_us
        self._paid_until_us: dict[str, float] = {}

    def unlimited(self, now_us: int) -> Standing:
        """Give what is told where nothing is limited."""
        return Standing(self._burst, self._burst, now_us // _SECOND_US, SERVER)

    def take(self, organization: str, now_us: int) -> Standing:
        """Count a request; with `retry_after_secs` in the answer it is one too many."""
        paid_us = self._paid_until_us.get(organization, 0.0)
        if paid_us < now_us:
            paid_us = float(now_us)
        share_us = self._share_us
        # What is left after this request; a rounding error must not cost a whole one.
        left = (self._room_us - (paid_us - now_us)) / share_us - 1 + _ROUNDING
        wait_secs = None
        if left >= 0:
            paid_us += share_us
            self._paid_until_us[organization] = paid_us
        else:
            wait_secs = max(-int(left * share_us // _SECOND_US), 1)
            left = 0
        reset = int(paid_us) // _SECOND_US + 1
        return Standing(self._burst, int(left), reset, ORGANIZATION, wait_secs)
