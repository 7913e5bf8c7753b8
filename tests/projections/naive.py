"""Listing written the naive way: every job compared and sorted. Searches must agree with it."""

from collections.abc import Callable
from typing import Any

from projections.entities import Job
from projections.rawjson import job_type, words
from projections.signature import signature
from projections.specs import JobFilter

_EARLIEST = -(1 << 62)

ORDERS: dict[str, Callable[[Job], Any]] = {
    "created_at": lambda job: job.seq,
    "updated_at": lambda job: job.updated_at,
    "scheduled_at": lambda job: _EARLIEST if job.scheduled_at is None else job.scheduled_at,
    "completed_at": lambda job: _EARLIEST if job.completed_at is None else job.completed_at,
    "priority": lambda job: job.priority,
    "status": lambda job: job.status.value,
    "queue_name": lambda job: job.queue,
    "retry_count": lambda job: job.retry_count,
}


def listed(
    jobs: list[Job], org: str, wanted: JobFilter, visible: Callable[[str], bool]
) -> tuple[list[Job], bool]:
    """Give the page and whether another follows."""
    order = ORDERS.get(wanted.order_by, ORDERS["created_at"])
    found = sorted(
        (job for job in jobs if job.org == org and visible(job.queue) and matches(job, wanted)),
        key=lambda job: (order(job), job.seq),
        reverse=wanted.descending,
    )
    end = wanted.offset + wanted.limit
    return found[wanted.offset : end], len(found) > end


def matches(job: Job, wanted: JobFilter) -> bool:
    return (
        (wanted.queue_name is None or job.queue == wanted.queue_name)
        and (wanted.statuses is None or job.status.value in wanted.statuses)
        and (wanted.created_after is None or job.created_at >= wanted.created_after)
        and (wanted.created_before is None or job.created_at < wanted.created_before)
        and (wanted.job_type is None or job_type(job.payload) == wanted.job_type)
        and (wanted.tag is None or wanted.tag in words(job.tags))
        and (wanted.contains is None or wanted.contains.encode() in bytes(job.payload))
        and (wanted.error is None or wanted.error.lower() in (job.last_error or "").lower())
        and (
            wanted.error_signature is None
            or (job.last_error is not None and signature(job.last_error) == wanted.error_signature)
        )
        and (wanted.q is None or _found_in(job, wanted.q.lower()))
    )


def _found_in(job: Job, text: str) -> bool:
    return (
        job.id.startswith(text)
        or text in job.queue.lower()
        or text in job_type(job.payload).lower()
    )
