"""The line-by-line formats of an export: how an event becomes a row, and where a last row stopped.

A row is a whole number of lines; it ends with the format's line end outside of quotes. Nothing here
reads files.
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from projections import feed
from projections.feed import Fact
from projections.moments import to_text
from tools.tables import EVENTS, TIME

Place = tuple[int, int]
"""A record's position and an event's index in it."""


class NotARow(Exception):
    """These bytes are no row of the format."""


class Format(Struct, frozen=True):
    """One format. In a `quoted` one, a line end between double quotes belongs to the text."""

    row: Callable[[str, Fact], bytes]
    """gives the row of an event in the log of a cluster"""
    place: Callable[[bytes], Place]
    """gives where the event of a row stands, or raises `NotARow`"""
    header: bytes = b""
    quoted: bool = False


class _Line(Struct, frozen=True):
    position: int
    index: int


class _Event(Struct, frozen=True):
    id: str


def _json_row(_cluster: str, fact: Fact) -> bytes:
    return feed.line(fact) + b"\n"


def _json_place(row: bytes) -> Place:
    try:
        found = msgspec.json.decode(row, type=_Line)
    except msgspec.DecodeError as reason:
        raise NotARow from reason
    return found.position, found.index


def _cloud_row(cluster: str, fact: Fact) -> bytes:
    return feed.cloud_event(cluster, fact) + b"\n"


def _cloud_place(row: bytes) -> Place:
    try:
        _, position, index = msgspec.json.decode(row, type=_Event).id.rsplit("/", 2)
        return int(position), int(index)
    except (msgspec.DecodeError, ValueError) as reason:
        raise NotARow from reason


class _Echo:
    """A file to the CSV writer that gives back what it is told to write."""

    def write(self, text: str) -> str:
        """Give the text back."""
        return text


# RFC 4180: quotes where they are needed, lines end with CR LF.
_write_row = csv.writer(_Echo()).writerow


def _csv(values: Iterable[object]) -> bytes:
    # The writer returns what the file's `write` returned, whatever its stub says.
    return str(_write_row(values)).encode()


def _csv_row(_cluster: str, fact: Fact) -> bytes:
    row = EVENTS.row(fact)
    return _csv(
        to_text(value) if kind == TIME and isinstance(value, int) else value
        for kind, value in zip(EVENTS.columns.values(), row, strict=True)
    )


def _csv_place(row: bytes) -> Place:
    position, _, rest = row.partition(b",")
    try:
        return int(position), int(rest.partition(b",")[0])
    except ValueError as reason:
        raise NotARow from reason


FORMATS: Final[Mapping[str, Format]] = {
    "jsonl": Format(_json_row, _json_place),
    "csv": Format(_csv_row, _csv_place, header=_csv(EVENTS.columns), quoted=True),
    "cloudevents": Format(_cloud_row, _cloud_place),
}
