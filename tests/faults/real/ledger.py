"""What clients asked and were told, in the order of time: append-only, for the checkers to judge by.

Each operation is written twice, when it is invoked and when its outcome is known. An outcome is
`ok`, `fail` (refused: nothing happened) or `unknown` (the answer never came).
"""

import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

NEVER: Final = float("inf")


class Op(Struct):
    """One request. `request` is its X-Request-Id, by which the log names it as well.

    Moments are those of the monotonic clock; `wall_from` and `wall_to` are the same two in
    microseconds since the Unix epoch, to compare with the ends of leases.
    """

    request: str
    kind: str
    asked: dict[str, Any]
    invoked: float = 0.0
    returned: float = NEVER
    wall_from: float = 0.0
    wall_to: float = NEVER
    outcome: str = "unknown"
    status: int = 0
    answer: Any = None

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


class Ledger:
    """A history that only grows, in memory and in a file that outlives a failed test."""

    def __init__(self, path: Path, prefix: str = "op") -> None:
        self.ops: list[Op] = []
        self._file = path.open("ab")
        self._prefix = prefix

    def invoke(self, kind: str, asked: dict[str, Any]) -> Op:
        """Note that something is being asked."""
        op = Op(f"{self._prefix}-{len(self.ops)}", kind, asked, time.monotonic())
        op.wall_from = wall_us()
        self.ops.append(op)
        self._write({"invoke": op.request, "kind": kind, "asked": asked, "at": op.invoked})
        return op

    def settle(self, op: Op, outcome: str, status: int = 0, answer: Any = None) -> None:
        """Note what came of it. An unknown outcome never returned: it may still take effect."""
        op.outcome, op.status, op.answer = outcome, status, answer
        at = time.monotonic()
        if outcome != "unknown":
            op.returned, op.wall_to = at, wall_us()
        self._write({outcome: op.request, "status": status, "answer": answer, "at": at})

    def close(self) -> None:
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")


def wall_us() -> float:
    """Give the time of this machine, as a client sees it."""
    return time.clock_gettime(time.CLOCK_REALTIME) * 1e6


def moment_us(text: str) -> float:
    """Give a time of an answer in microseconds since the Unix epoch."""
    return datetime.fromisoformat(text).timestamp() * 1e6
