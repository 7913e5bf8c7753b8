"""When a failed attempt is tried again (design section 7, decision 4)."""

from projections import bounds


def retry_delay_us(retry_count: int, base_secs: float, cap_secs: float) -> int:
    """Give min(base * 2^retry_count, cap) in microseconds; `retry_count` before this failure."""
    doublings = min(retry_count, 62)
    return int(min(base_secs * 2**doublings, cap_secs) * bounds.SECOND_US)
