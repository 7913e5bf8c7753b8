"""From the words of a list's parameters to what is looked for."""

from typing import Final

from projections import bounds
from projections.lifecycle import Status
from projections.moments import to_us
from projections.specs import DeadListQuery, JobFilter

_KNOWN: Final = frozenset(status.value for status in Status)


def listing(asked: DeadListQuery, statuses: str | None) -> JobFilter:
    """Give what to look for (contract section 1.6): limits are clamped, unknown words ignored."""
    limit = bounds.PAGE_JOBS_DEFAULT if asked.limit is None else asked.limit
    return JobFilter(
        queue_name=asked.queue_name,
        statuses=_KNOWN.intersection(statuses.split(",")) if statuses else None,
        tag=asked.tag,
        q=asked.q,
        job_type=asked.job_type,
        contains=asked.contains,
        error=asked.error,
        error_signature=asked.error_signature,
        created_after=None if asked.created_after is None else to_us(asked.created_after),
        created_before=None if asked.created_before is None else to_us(asked.created_before),
        order_by=asked.order_by or "created_at",
        descending=(asked.order_dir or "desc").lower() != "asc",
        limit=min(max(limit, 1), bounds.PAGE_JOBS_MAX),
        offset=min(max(asked.offset or 0, 0), bounds.OFFSET_MAX),
    )
