"""How many jobs a queue's rate limit lets through: a token bucket as one number (GCRA, ITU-T I.371).

Each job handed out pays its share of a second. ``paid_until_ns`` is the moment up to which has been
paid; the bucket holds one second's worth, so that moment may lie up to a second ahead. Nanoseconds,
so that no rate up to the highest is rounded noticeably.
"""

from typing import Final

_SECOND_NS: Final = 1_000_000_000
_US_NS: Final = 1_000


def allowed(paid_until_ns: int, per_second: int, now_us: int) -> int:
    """Give how many jobs may be handed out now."""
    ahead_ns = max(paid_until_ns - now_us * _US_NS, 0)
    return max(_SECOND_NS - ahead_ns, 0) // _share_ns(per_second)


def paid(paid_until_ns: int, per_second: int, now_us: int) -> int:
    """Give the new ``paid_until_ns`` after one job was handed out."""
    return max(paid_until_ns, now_us * _US_NS) + _share_ns(per_second)


def next_at(paid_until_ns: int, per_second: int) -> int:
    """Give the first moment, in microseconds, at which a job may be handed out."""
    ready_ns = paid_until_ns + _share_ns(per_second) - _SECOND_NS
    return -(-ready_ns // _US_NS)


def _share_ns(per_second: int) -> int:
    return _SECOND_NS // per_second
