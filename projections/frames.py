"""What is told to clients that listen: frames, who wants which of them, and how far someone was told.

A frame is ``{"type": "JobCreated", "data": {…, "timestamp": "…"}}`` (contract section 4.1), on one
line. Its id is its record's position and its place among the record's frames, so whoever names the
last one they have can be told the rest.
"""

from functools import cached_property
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Encoder

NAMES: Final = {
    "JobStatusChange": "job.status",
    "JobCreated": "job.created",
    "JobCompleted": "job.completed",
    "JobFailed": "job.failed",
    "QueuePaused": "queue.paused",
    "QueueResumed": "queue.resumed",
    "QueueStats": "queue.stats",
    "WorkerRegistered": "worker.registered",
    "WorkerHeartbeat": "worker.heartbeat",
    "WorkerDeregistered": "worker.deregistered",
    "WorkerLost": "worker.lost",
    "SystemHealth": "system.health",
    "Ping": "ping",
    "Error": "error",
}
"""The types of all frames, and the names that filters know them by."""

ALIASES: Final = {"job.status_changed": "job.status"}
STATUS: Final = "job.status"

_encode = Encoder().encode
# Line ends to some readers, though not to JSON; a frame is one line to everybody.
_LINE_ENDS: Final = {
    "\u0085".encode(): b"\\u0085",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}


class Frame(Struct, frozen=True, dict=True):
    """One thing to tell, from the record at `position`; `index` counts the record's frames."""

    position: int
    index: int
    org: str
    type: str
    data: dict[str, Any]
    queue: str | None = None
    job: str | None = None

    @property
    def name(self) -> str:
        """What filters know it by."""
        return NAMES[self.type]

    @cached_property
    def content(self) -> bytes:
        """Its JSON, made once for all who are told."""
        return envelope(self.type, self.data)

    @cached_property
    def line(self) -> bytes:
        """Itself as a server-sent event."""
        return b"id: %d.%d\ndata: %b\n\n" % (self.position, self.index, self.content)

    @cached_property
    def message(self) -> str:
        """Itself as the text of a WebSocket message."""
        return identified(self.content, f"{self.position}.{self.index}")


class Mark(Struct, frozen=True):
    """How far someone was told: all of a record, or its frames up to an index."""

    position: int
    index: int | None = None

    @property
    def after(self) -> int:
        """The position behind which to read on."""
        return self.position if self.index is None else self.position - 1

    def is_before(self, frame: Frame) -> bool:
        """Whether a frame is still to be told."""
        if frame.position != self.position:
            return frame.position > self.position
        return self.index is not None and frame.index > self.index


class Wanted(Struct, frozen=True):
    """Which frames someone is told: of their organization, as far as their key covers the queue.

    `queues` are those of the key, none for all. `either` holds pairs of queue and job, each of
    which may be left open; where there are any, one of them must fit.
    """

    org: str
    queues: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    queue: str | None = None
    job: str | None = None
    either: frozenset[tuple[str | None, str | None]] = frozenset()

    def takes(self, frame: Frame) -> bool:
        """Whether this frame is one of them."""
        if frame.org != self.org or (self.queues and frame.queue not in self.queues):
            return False
        if self.names and frame.name not in self.names:
            return False
        if not _fits(frame, self.queue, self.job):
            return False
        if not self.either:
            return True
        queue, job = frame.queue, frame.job
        return not self.either.isdisjoint(((queue, job), (queue, None), (None, job), (None, None)))

    def names_one(self, name: str) -> bool:
        """Whether frames of this name are wanted at all."""
        return not self.names or name in self.names


def mark(text: str) -> Mark | None:
    """Read where someone was; nothing when it is no mark."""
    position, dot, index = text.partition(".")
    numbers = (position, index) if dot else (position,)
    if not all(one.isascii() and one.isdigit() and len(one) < 20 for one in numbers):  # noqa: PLR2004 - a position has 19 digits at most
        return None
    return Mark(int(position), int(index) if dot else None)


def names(text: str | None) -> frozenset[str]:
    """Read names with commas between them; `*`, or none, is all of them."""
    found = {one.strip() for one in (text or "").split(",")} - {""}
    return frozenset() if "*" in found else frozenset(ALIASES.get(one, one) for one in found)


def envelope(kind: str, data: dict[str, Any]) -> bytes:
    """Give a frame's JSON, on one line for every reader of lines."""
    content = _encode({"type": kind, "data": data})
    if not content.isascii():
        for character, escaped in _LINE_ENDS.items():
            content = content.replace(character, escaped)
    return content


def identified(content: bytes, frame_id: str) -> str:
    """Give a frame's JSON as text, with an id beside its type and data."""
    return f'{content[:-1].decode()},"id":"{frame_id}"}}'


def _fits(frame: Frame, queue: str | None, job: str | None) -> bool:
    return (queue is None or frame.queue == queue) and (job is None or frame.job == job)
