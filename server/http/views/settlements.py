"""How attempts ended, as the API tells it."""

from msgspec import Struct

from projections.lifecycle import Status
from server.http.views.times import Time


class Settled(Struct, frozen=True):
    """Answer to complete."""

    success: bool = True


class FailedAttempt(Struct, frozen=True):
    """Answer to fail: what becomes of the job."""

    success: bool
    will_retry: bool
    status: Status
    next_retry_at: Time | None


class ItemSettled(Struct, frozen=True):
    """One item that was settled, and the job's status from now on."""

    index: int
    job_id: str
    status: Status
    next_retry_at: Time | None


class ItemRefused(Struct, frozen=True):
    """One item that was refused, as the single call would have been."""

    index: int
    job_id: str
    code: str
    error: str


class BulkSettled(Struct, frozen=True):
    """Answer to bulk complete and bulk fail."""

    succeeded: list[ItemSettled]
    failed: list[ItemRefused]
    total: int
    success_count: int
    failure_count: int
