"""What the process says of itself while it serves, on standard error: as text, or a JSON object a line.

A thread of its own writes, so whoever reads slowly, or not at all, never holds up the event loop:
what does not fit in the queue is dropped, and the next line that does fit says how many were.
Nothing here knows what is being told, and the event log is something else altogether.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Any, Final, TextIO

from msgspec import json

from projections.moments import to_text

ROOT: Final = "spoolog"
QUEUED_MAX: Final = 10_000
_SECOND_US: Final = 1_000_000


class Console(StrEnum):
    """How a line reads."""

    TEXT = "text"
    JSON = "json"


def fields(**told: object) -> dict[str, Any]:
    """Give what a message has beside its text, for the `extra` of a logger's call."""
    return {"fields": told}


@contextmanager
def speaking(form: Console, position: Callable[[], int], stream: TextIO) -> Iterator[None]:
    """Let this package's loggers speak; `position` tells the log's, which every line carries."""
    handler = _Queued(position)
    writer = logging.StreamHandler(stream)
    writer.setFormatter(_AsJson() if form is Console.JSON else _AsText())
    listener = QueueListener(handler.waiting, writer)
    logger = logging.getLogger(ROOT)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    listener.start()
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
        handler.drained()
        listener.stop()


class _Queued(QueueHandler):
    """Takes messages to the writer's thread, whole, as they are now."""

    def __init__(self, position: Callable[[], int]) -> None:
        self.waiting: Queue[Any] = Queue(QUEUED_MAX)
        super().__init__(self.waiting)
        self._position = position
        self._lost = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:  # type: ignore[explicit-override]
        """Turn arguments and exception into text, before they change."""
        told: dict[str, object] = {"position": self._position(), **getattr(record, "fields", {})}
        if self._lost:
            told["lines_lost_before"] = self._lost
        if record.exc_info is not None:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        record.fields = told
        return record

    def enqueue(self, record: logging.LogRecord) -> None:  # type: ignore[explicit-override]
        """Hand over, or count as lost."""
        try:
            self.waiting.put_nowait(record)
        except Full:
            self._lost += 1
        else:
            self._lost = 0

    def drained(self) -> None:
        """Make room for the end: a reader that takes nothing must not hold up the process."""
        while self.waiting.full():
            self.waiting.get_nowait()


class _AsText(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:  # type: ignore[explicit-override]
        words = [
            to_text(int(record.created * _SECOND_US)),
            record.levelname,
            record.name,
            _one_line(record.getMessage()),
            *(f"{name}={_one_line(str(value))}" for name, value in record.fields.items()),  # type: ignore[attr-defined]
        ]
        line = " ".join(words)
        return line if record.exc_text is None else f"{line}\n{record.exc_text}"


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:  # type: ignore[explicit-override]
        told = {
            "time": to_text(int(record.created * _SECOND_US)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **record.fields,  # type: ignore[attr-defined]
        }
        if record.exc_text is not None:
            told["traceback"] = record.exc_text
        return json.encode(told).decode()


def _one_line(text: str) -> str:
    """Keep what a client sent from looking like a line of ours."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
