"""The one place where clock, decide, log and fold meet.

``execute`` is decide, append, fold, without an ``await`` in between, so commands are serialised
without a lock. Nothing here knows a queue rule or HTTP. An answer may leave only after
``durable(receipt.position)``.
"""

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from msgspec import Struct

from eventlog import Log
from projections.decide import Caller, Context, Decision, Policy, duties
from projections.events import DEFAULT_ORG, Event, Record, encode
from projections.fold import fold
from projections.state import State
from server import ids

A = TypeVar("A")
P = ParamSpec("P")

SYSTEM = Caller(org=DEFAULT_ORG, by="system", request_id="")
DUTIES_BEFORE_COMMAND_MAX = 100

Decide = Callable[..., Decision[Any]]


class Broken(Exception):
    """A record could not be folded, so the state is not that of the log any more."""


class Receipt(Struct, Generic[A], frozen=True):
    """A command's answer, and the position that must be durable before it is told."""

    position: int
    answer: A


class Engine:
    """Executes commands against the state and its log."""

    __slots__ = (
        "_broken",
        "_clock",
        "_fraction",
        "admission",
        "before_fold",
        "listeners",
        "log",
        "new_id",
        "on_broken",
        "on_next_due",
        "policy",
        "state",
    )

    def __init__(
        self,
        state: State,
        log: Log,
        clock: Callable[[], int],
        new_id: Callable[[], str],
        policy: Policy,
        *,
        fraction: Callable[[], float] = ids.fraction,
    ) -> None:
        self.state = state
        self.log = log
        self.policy = policy
        self.new_id = new_id
        self.admission: Callable[[Decide], None] | None = None
        """Told of each command before it is decided; raises a refusal when this is not the time."""
        self.on_next_due: Callable[[], None] | None = None
        self.before_fold: list[Callable[[Record], None]] = []
        """Each hears of every record while the state is still what it was."""
        self.listeners: list[Callable[[Record], None]] = []
        """Each hears of every record once it is folded."""
        self.on_broken: Callable[[Exception], None] | None = None
        self._broken = False
        self._clock = clock
        self._fraction = fraction

    def now_us(self) -> int:
        """Give the time of the next record: the clock's, never behind the log."""
        now_us, at_us = self._clock(), self.state.tables.at
        return now_us if now_us > at_us else at_us  # noqa: FURB136 - max costs twice as much

    def execute(
        self,
        decide: Callable[Concatenate[State, Context, P], Decision[A]],
        caller: Caller,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Receipt[A]:
        """Carry out a command after all that was due before it.

        Raises:
            Refused: the command was refused; nothing changed, though a refusal may be recorded.
            LogError: the log takes no more records.
            Broken: an earlier record could not be folded.

        """
        if self.admission is not None:
            self.admission(decide)
        now_us = self.now_us()
        self._catch_up(now_us)
        ctx = self._context(now_us, caller)
        decision = decide(self.state, ctx, *args, **kwargs)
        if decision.events:
            self._record(now_us, caller, decision.events)
        if decision.refusal is not None:
            raise decision.refusal
        return Receipt(self.state.position, decision.answer)

    def perform_duties(self, limit: int) -> int:
        """Record up to `limit` things that time has brought about; give how many there were.

        Raises:
            Refused: this is not the time; they are done when it is.

        """
        if self.admission is not None:
            self.admission(duties.due)
        return self._perform_duties(self.now_us(), limit)

    async def durable(self, position: int) -> None:
        """Wait until everything up to `position` is durable.

        Raises:
            LogFailed: it never will be.

        """
        if position > self.log.durable_position:
            await self.log.durable(position)

    def _catch_up(self, now_us: int) -> None:
        """Record what is due first: an ended lease has ended even when the timekeeper is late."""
        next_due = self.state.agenda.next_due()
        if next_due is not None and next_due <= now_us:
            self._perform_duties(now_us, DUTIES_BEFORE_COMMAND_MAX)

    def _perform_duties(self, now_us: int, limit: int) -> int:
        decision = duties.due(self.state, self._context(now_us, SYSTEM), limit)
        if decision.events:
            self._record(now_us, SYSTEM, decision.events)
        return decision.answer

    def _context(self, now_us: int, caller: Caller) -> Context:
        if self._broken:
            raise Broken
        return Context(now_us, caller, self.new_id, self._fraction, self.policy)

    def _record(self, now_us: int, caller: Caller, events: tuple[Event, ...]) -> None:
        record = Record(self.state.position + 1, now_us, caller.by, caller.request_id, events)
        self.log.append(record.position, encode(record))
        due_before = self.state.agenda.next_due()
        self._fold(record)
        for heard in self.listeners:
            heard(record)
        if self.on_next_due is not None and self.state.agenda.next_due() != due_before:
            self.on_next_due()

    def _fold(self, record: Record) -> None:
        """Fold, or stop: a fold that fails has left the state in pieces.

        ``on_broken`` is called within the tick of the append, before the log hands the record to
        its writer; a process that ends there restarts from a log without it.
        """
        try:
            for heard in self.before_fold:
                heard(record)
            fold(self.state, record)
        except Exception as error:
            self._broken = True
            if self.on_broken is not None:
                self.on_broken(error)
            raise
