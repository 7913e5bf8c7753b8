"""When a failed attempt is tried again (design section 7, decision 4)."""

from projections import bounds


def retry_delay_us(
    retry_count: int, base_secs: float, cap_secs: float, jitter: float = 0.0, fraction: float = 0.0
) -> int:
    """Give min(base * 2^retry_count, cap) in microseconds; `retry_count` before this failure.

    `jitter` is the share of the delay that may be taken off; `fraction`, 0 to 1, says how much of
    that share is, so that many jobs that failed together do not return together.
    """
    doublings = min(retry_count, 62)
    delay_secs = min(base_secs * 2**doublings, cap_secs)
    return int(delay_secs * (1 - jitter * fraction) * bounds.SECOND_US)
