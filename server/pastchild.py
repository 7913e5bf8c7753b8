"""The process that shows the past: reads the data directory, and answers what the server asks.

``python -m server.pastchild DATA_DIR MEMORY_BYTES``, messages on standard input and output. It ends
when the server has gone, and lets the server start it anew when it has run out of memory. The other
end is ``server.past``.
"""

import gc
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import json

from eventlog import LogDamaged, LogError, LogExpired
from projections.decide import Caller
from projections.errors import NotFound
from projections.events import Undecodable
from projections.state import State
from server.http.telling import World, tell
from server.questions import (
    AnyQuestion,
    Asked,
    Failed,
    Gone,
    Inbox,
    LogMarks,
    Order,
    Refusal,
    Reply,
    Said,
    send,
)
from server.travel import Traveller

_NICE: Final = 10
_encode: Final = json.Encoder().encode


def main() -> None:
    """Answer until the server has gone."""
    data_dir, memory_bytes = Path(sys.argv[1]), int(sys.argv[2])
    os.nice(_NICE)
    _limit(memory_bytes)
    gc.disable()  # states hold no cycles; the traveller collects when it lets go of one
    # Whatever is printed must not get between the messages.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        _serve(data_dir, memory_bytes, answers)


def _serve(data_dir: Path, memory_bytes: int, answers: BinaryIO) -> None:
    traveller = Traveller(data_dir, _unless_left(os.getppid()))
    orders = Inbox(sys.stdin.buffer, Order)
    while (order := orders.next()) is not None:
        try:
            send(answers, _answered(traveller, order))
        except BrokenPipeError:
            return
        except MemoryError:
            # What is left of the heap may be in pieces: the next one begins with a whole one.
            traveller.forget()
            send(answers, _too_large(memory_bytes))
            return


def _limit(memory_bytes: int) -> None:
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _unless_left(parent: int) -> Callable[[], None]:
    """Give what ends this process in the middle of its way, when nobody waits at the end."""

    def on_batch() -> None:
        if os.getppid() != parent:
            raise SystemExit

    return on_batch


def _answered(traveller: Traveller, order: Order) -> Reply:
    try:
        with suppress(MemoryError):
            return _reply(traveller, order)
        traveller.forget()  # without those that were kept there may be room
        return _reply(traveller, order)
    except LogExpired as expired:
        return Gone(str(expired))
    except LogDamaged as damaged:
        message = f"On the way to that time record {damaged.position} is damaged"
        return Failed(message, str(damaged))
    except (LogError, Undecodable) as unreadable:
        return Failed("The log cannot be read up to that time", str(unreadable))


def _reply(traveller: Traveller, order: Order) -> Reply:
    asked = order.asked
    if isinstance(asked.question, LogMarks):
        marks = traveller.landmarks.upto(order.upto)
        return Said(_encode(marks), None, order.upto, marks[-1].at_us if marks else 0)
    return _told(traveller.at(asked.point, order.upto), asked, asked.question)


def _told(state: State, asked: Asked, question: AnyQuestion) -> Reply:
    at_us, moment_us = state.tables.at, asked.point.at_us
    world = World(
        state=state,
        now_us=at_us if moment_us is None else moment_us,
        caller=Caller(asked.org, "", "", frozenset(asked.queues)),
        max_retries=asked.max_retries,
        timeout_secs=asked.timeout_secs,
    )
    try:
        told = tell(world, question)
    except NotFound as refused:
        return Refusal(refused.message, state.position, at_us)
    return Said(_encode(told.view), told.has_more, state.position, at_us)


def _too_large(memory_bytes: int) -> Failed:
    return Failed(
        f"The state of that time does not fit into the {memory_bytes} bytes"
        " that --past-memory-bytes allows"
    )


if __name__ == "__main__":
    main()
