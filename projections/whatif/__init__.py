"""What a recorded history would have come to under other retry rules. Pure, like the rest of the core.

**The model.** What came from outside is taken as recorded: when jobs were created, cancelled, retried
by hand, deleted; and for each attempt of a job how long it was waited for once it could be claimed,
how long it ran, its heartbeats, and how it ended. What the rules decide is decided anew, by the same
``decide`` and ``fold`` as in the server: when a failed attempt is tried again, when a job is
dead-lettered, what becomes of the jobs that wait for it. The n-th attempt of a job has the outcome of
its n-th recorded one, whenever it happens. With the rules as they were, the result is the record.

**Its limits.** Attempts beyond the recorded ones are *unknown*, and reported so. Jobs do not compete:
a wait for a worker is as long as recorded, pauses, limits and busy workers included, although more
or fewer retries would leave workers more or less time. A limit on retries is given to every job,
since the log does not tell whether a job asked for its own.

``life`` and ``lives`` collect what is recorded, ``rerun`` and ``inputs`` decide anew, ``comparison``
sets both side by side, ``report`` counts.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from projections import bounds
from projections.lifecycle import TERMINAL, Status


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules that are asked about; what is not named stays as it was.

    Each stands in place of the server's option, the queue's own setting and the job's own value.
    """

    max_retries: bounds.MaxRetries | None = None
    retry_base_secs: bounds.RetrySecs | None = None
    retry_cap_secs: bounds.RetrySecs | None = None
    retry_jitter: bounds.RetryJitter | None = None

    @property
    def of_backoff(self) -> bool:
        """Whether waits before a retry are asked about."""
        named = (self.retry_base_secs, self.retry_cap_secs, self.retry_jitter)
        return any(value is not None for value in named)


UNCHANGED: Final = Change()


class Outcome(StrEnum):
    """What a job came to.

    ``open`` is still waiting or running where the record ends; ``unknown`` would have been tried
    once more than it was, so nobody knows.
    """

    COMPLETED = "completed"
    DEADLETTER = "deadletter"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    OPEN = "open"
    UNKNOWN = "unknown"


class Fate(Struct, frozen=True, gc=False):
    """A job's outcome, the attempts it took, when it ended, and how long it waited in backoff."""

    outcome: Outcome
    attempts: int
    ended_at: int | None
    backoff_us: int


def ended_as(status: Status) -> Outcome | None:
    """Give the outcome that a status is; nothing while the job lives."""
    return Outcome(status.value) if status in TERMINAL else None


Own = Callable[[str, str, int], Change]
"""Gives the backoff that a queue had of its own: organization, queue, moment."""
