"""Commands become events, or are refused. Reads the state, changes nothing.

A command is a function ``(state, ctx, …) -> Decision``. It raises ``Refused`` when the answer is no
and nothing is to be recorded; a refusal that must itself stand in the log is returned in
``Decision.refusal`` beside its event.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from projections import bounds
from projections.errors import Denied
from projections.errors import Refused as Refusal
from projections.events import Event

A = TypeVar("A")
ALL_QUEUES = frozenset({"*"})


class Policy(Struct, frozen=True):
    """How the server decides where neither the request nor the queue says.

    Finished jobs are kept for `keep_finished_us`, or for ever, but no more than
    `keep_finished_jobs` of all organizations together.
    """

    max_retries: int = bounds.RETRIES_DEFAULT
    timeout_secs: int = bounds.TIMEOUT_SECS_DEFAULT
    retry_base_secs: float = 60.0
    retry_cap_secs: float = 3600.0
    retry_jitter: float = 0.0
    strict_queue_names: bool = False
    require_lease_id: bool = False
    keep_finished_us: int | None = bounds.KEPT_FINISHED_US_DEFAULT
    keep_finished_jobs: int = bounds.KEPT_FINISHED_JOBS_DEFAULT


class Caller(Struct, frozen=True):
    """Who asks: organization, API key id (or ``system``), request id, and the queues it may use."""

    org: str
    by: str
    request_id: str
    queues: frozenset[str] = ALL_QUEUES

    @property
    def unrestricted(self) -> bool:
        """Whether this caller's key covers every queue, as ``*`` or an empty list does."""
        return not self.queues or "*" in self.queues

    def may_use(self, queue: str) -> bool:
        """Whether this caller's key covers the queue."""
        return self.unrestricted or queue in self.queues

    def require(self, queue: str) -> None:
        """Refuse a queue that the key does not cover.

        Raises:
            Denied: it does not.

        """
        if not self.may_use(queue):
            raise Denied


class Context(Struct, frozen=True):
    """All that a decision may know beside the state: the moment, the caller, the policy, and chance.

    `new_id` gives unique ids; `fraction` a random number from 0 up to, not including, 1.
    """

    now_us: int
    caller: Caller
    new_id: Callable[[], str]
    fraction: Callable[[], float]
    policy: Policy

    @property
    def org(self) -> str:
        """The caller's organization."""
        return self.caller.org

    def require(self, queue: str) -> None:
        """Refuse a queue that the caller's key does not cover; see ``Caller.require``."""
        self.caller.require(queue)


class Decision(Struct, Generic[A], frozen=True):
    """What will have happened, and the answer. With `refusal` the answer is no all the same."""

    events: tuple[Event, ...]
    answer: A
    refusal: Refusal | None = None
