"""How a record reads as a line. Which ones are asked for is ``spoolog``'s.

Nothing here reads files or prints.
"""

from collections.abc import Iterable, Iterator

import click
import msgspec
from msgspec import json

from eventlog import Line
from projections.events import Event, Record
from projections.feed import SECRETS, event_type
from projections.moments import to_text
from spoolog import Shown
from tools.output import printable

_VALUE_CHARACTERS_MAX = 120
_COLOURS = {"failed": "red", "expired": "red", "refused": "red", "completed": "green"}


def document(line: Line) -> bytes:
    """Give a record as one JSON object with its position in front; the rest is as stored."""
    return b'{"pos":%d,%b' % (line.position, line.body[1:])


def readable(shown: Shown) -> Iterator[str]:
    """Give one coloured line for each event."""
    return event_lines(shown.record, shown.events)


def event_lines(record: Record, events: Iterable[Event]) -> Iterator[str]:
    """Give one coloured line for each of a record's events."""
    for event in events:
        kind = event_type(event)
        words = [
            click.style(f"{record.position:>9}", dim=True),
            to_text(record.at),
            coloured(kind),
            *(f"{name}={value}" for name, value in fields(event)),
            click.style(f"by={printable(record.by)}", dim=True),
        ]
        if record.req:
            words.append(click.style(f"req={printable(record.req)}", dim=True))
        yield " ".join(words)


def coloured(kind: str) -> str:
    """Give the name of an event type, which shows whether it is a good one."""
    return click.style(f"{kind:<22}", fg=_COLOURS.get(kind.rpartition(".")[2].split("_")[-1]))


def value_text(value: object) -> str:
    """Give a field's value as short text; a dash where there is none."""
    if value is None:
        return "-"
    return _clipped(bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value))


def fields(event: Event) -> Iterator[tuple[str, str]]:
    """Give an event's fields that say something and are not secret, as short text."""
    for name, value in msgspec.to_builtins(event, builtin_types=(msgspec.Raw,)).items():
        if name != "type" and value is not None and name not in SECRETS:
            yield name, _short(name, value)


def _short(name: str, value: object) -> str:
    if name.endswith(("_at", "_until")) and isinstance(value, int):
        return to_text(value)
    if isinstance(value, msgspec.Raw):
        text = bytes(value).decode()
    elif isinstance(value, str) and " " not in value and value:
        text = value
    else:
        text = json.encode(value).decode()
    return _clipped(text)


def _clipped(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _VALUE_CHARACTERS_MAX else text[:_VALUE_CHARACTERS_MAX] + "…"
