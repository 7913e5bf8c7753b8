"""How events are told outside: as lines of JSON, as whole records, as CloudEvents.

One shaping for the exported file and for the HTTP feed. An event is told as it is stored, payloads
and results in the client's own spelling; only what is secret is left out. Nothing here chooses
which events are told.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, structs
from msgspec.json import Encoder

from projections.events import Event, Record
from projections.moments import to_text

SECRETS: Final = frozenset({"completion_webhook_secret"})
"""Fields that leave with no event."""

_SUBJECTS: Final = ("job", "queue", "worker", "key")
_encode = Encoder().encode


class Fact(Struct, frozen=True):
    """One event in its record; `index` is its place among the record's events."""

    record: Record
    index: int
    event: Event


class _CloudEvent(Struct, frozen=True, omit_defaults=True):
    """The attributes of a CloudEvent; `actor` and `requestid` are extensions of ours."""

    specversion: str = ""
    id: str = ""
    source: str = ""
    type: str = ""
    time: str = ""
    datacontenttype: str = ""
    subject: str | None = None
    actor: str = ""
    requestid: str = ""


def event_type(event: Event) -> str:
    """Give the dotted name of an event."""
    return str(event.__struct_config__.tag)


def subject(event: Event) -> str | None:
    """Give what an event is about: the job, else the queue, the worker or the key that it names."""
    for name in _SUBJECTS:
        named = getattr(event, name, None)
        if named is not None:
            return str(named)
    return None


def told(event: Event) -> bytes:
    """Give an event's JSON as it is stored, without what is secret."""
    hidden = {name: None for name in SECRETS if getattr(event, name, None) is not None}
    return _encode(structs.replace(event, **hidden) if hidden else event)


def line(fact: Fact) -> bytes:
    """Give one event as one JSON object: where, when, by whom, then the event's own fields."""
    record = fact.record
    return b'{"position":%d,"index":%d,%b,%b' % (
        record.position,
        fact.index,
        _circumstances(record),
        told(fact.event)[1:],
    )


def record_line(record: Record, facts: Iterable[Fact]) -> bytes:
    """Give one record as one JSON object, with those of its events that are told."""
    events = b",".join(b'{"index":%d,%b' % (fact.index, told(fact.event)[1:]) for fact in facts)
    return b'{"position":%d,%b,"events":[%b]}' % (
        record.position,
        _circumstances(record),
        events,
    )


def cloud_event(cluster: str, fact: Fact) -> bytes:
    """Give one event as a CloudEvent (version 1.0, JSON format)."""
    record = fact.record
    head = _encode(
        _CloudEvent(
            specversion="1.0",
            id=f"{cluster}/{record.position}/{fact.index}",
            source=f"/spoolog/{cluster}",
            type=f"io.spoolog.{event_type(fact.event)}",
            time=to_text(record.at),
            datacontenttype="application/json",
            subject=subject(fact.event),
            actor=record.by,
            requestid=record.req,
        )
    )
    return b'%b,"data":%b}' % (head[:-1], told(fact.event))


def _circumstances(record: Record) -> bytes:
    return b'"at":"%b","by":%b,"req":%b' % (
        to_text(record.at).encode(),
        _encode(record.by),
        _encode(record.req),
    )
