"""What a log tells of a job's life, as far as it was not the server's own decision."""

from enum import Enum, auto
from typing import Final

from msgspec import Struct, field

from projections.events import JobCreated, Record
from projections.lifecycle import FINISHED, Status
from projections.whatif import Fate, Outcome, ended_as

INDEX_BITS: Final = 24
"""of a rank: the place of an event in its record; the position stands above"""


class How(Enum):
    """How an attempt ended."""

    COMPLETED = auto()
    FAILED = auto()
    EXPIRED = auto()
    RELEASED = auto()


_WRONG: Final = frozenset({How.FAILED, How.EXPIRED})


class Told(Enum):
    """What somebody did to a job, or what became of a parent whose own life is not known."""

    STOP = auto()
    RETRY = auto()
    RETRY_AFRESH = auto()
    PURGE = auto()
    DELETE = auto()
    RETIRE = auto()
    UNBLOCK = auto()
    GIVE_UP = auto()


class Attempt(Struct, gc=False):
    """One attempt. Times count from the claim; `delay_us` lies before it, from when it was ready.

    `rank` and `end_rank` order what happens at one moment. `beats` are the heartbeats: when, until
    when the lease ran from then on, rank. `backoff_us` was waited behind it, after `retries` others.
    """

    delay_us: int
    lease_us: int
    worker: str
    lease: str
    rank: int
    how: How | None = None
    length_us: int = 0
    end_rank: int = 0
    backoff_us: int | None = None
    retries: int = 0
    beats: list[tuple[int, int, int]] | None = None


class Life(Struct):
    """One job. `linked` when its parent's life is known too; `odd` when an undo changed it.

    The fields from `status` on say how it stands as the events go by.
    """

    created: JobCreated
    created_at: int
    rank: int
    linked: bool = False
    odd: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    inputs: list[tuple[int, int, Told]] = field(default_factory=list)
    expiry_late_us: int = 0
    expiry_rank: int = 0
    open_wait_us: int = 0
    status: Status = Status.PENDING
    ended_at: int | None = None
    deleted: bool = False
    retries: int = 0
    blocked: bool = False
    due_at: int | None = None
    ready_at: int | None = None
    waiting_since: int = 0
    claimed_at: int = 0
    backoff_us: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing that follows can change its outcome."""
        return self.deleted or self.status in FINISHED

    @property
    def ruled(self) -> bool:
        """Whether a rule that can be asked about had a say in it: an attempt went wrong."""
        return any(attempt.how in _WRONG for attempt in self.attempts)

    def fate(self) -> Fate:
        """Give what it came to."""
        outcome = ended_as(self.status)
        if outcome is None:
            outcome = Outcome.DELETED if self.deleted else Outcome.OPEN
        return Fate(outcome, len(self.attempts), self.ended_at, self.backoff_us)


def rank_of(record: Record, index: int) -> int:
    """Give a number that orders all events of a log."""
    return (record.position << INDEX_BITS) + index
