"""The tables as lines of text and back: what a snapshot holds. No file, no compression, no checksum.

The first line is the head, one JSON object: ``schema``, the plain numbers of ``Tables``, and how
many entities of each table follow. Then one line an entity, ``<table> <JSON object>``, table by
table in the order of ``Tables``; within a table in its own order, which is that of creation, and
organizations by name. So equal tables give the same bytes.

Everything here is derived from ``Tables`` and ``entities``: a new field with a default needs no code
and no new ``SCHEMA``. It needs both when records of old already tell of it: an older snapshot does
not hold what it would have become. Any other change of a field is a new ``SCHEMA`` as well, with a
step in ``STEPS`` from the one before, or that one cannot be read any more. Released steps are
frozen; every schema has a golden snapshot in the tests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Final, get_args, get_origin

from msgspec import DecodeError, Raw, Struct, defstruct, inspect, structs
from msgspec.json import Decoder, Encoder

from projections.entities import Entity
from projections.state import Tables

SCHEMA: Final = 1
"""The schema that this version writes."""

Step = Callable[[str, dict[str, Raw]], dict[str, Raw]]
STEPS: Final[Mapping[int, Step]] = {}
"""Schema n -> what makes an object of n + 1 from one of n; it is told the table, or ``head``."""

_HEAD: Final = "head"
_encode = Encoder().encode
_decode_object = Decoder(dict[str, Raw]).decode


class SnapshotUnreadable(Exception):
    """These lines are not a snapshot, not a whole one, or one of another version."""


class _Envelope(Struct):
    schema: int


class _Table(Struct, frozen=True):
    """A field of ``Tables`` that holds entities: found by `depth` keys, in dicts within dicts."""

    name: str
    depth: int
    key: Callable[[Any], Any]
    decode: Callable[[bytes], Any]
    raw_fields: tuple[str, ...]
    shared_fields: tuple[str, ...]

    @property
    def prefix(self) -> bytes:
        """How each of its lines begins."""
        return self.name.encode() + b" "


def _table(name: str, kind: Any) -> _Table | None:
    """Describe a field of ``Tables``; nothing for a plain one."""
    depth = 0
    while get_origin(kind) is dict:
        kind = get_args(kind)[1]
        depth += 1
    if not depth:
        return None
    assert issubclass(kind, Entity)
    assert len(kind.KEY) == depth
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return _Table(
        name=name,
        depth=depth,
        key=attrgetter(*kind.KEY),
        decode=Decoder(kind).decode,
        raw_fields=tuple(one.name for one in described.fields if _is_raw(one.type)),
        shared_fields=tuple(one.name for one in described.fields if _is_shared(one.type)),
    )


def _is_raw(kind: inspect.Type) -> bool:
    members = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(member, inspect.RawType) for member in members)


def _is_shared(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("shared"))


_FIELDS: Final = structs.fields(Tables)
_TABLES: Final = tuple(
    table for one in _FIELDS if (table := _table(one.name, one.type)) is not None
)
_NUMBERS: Final = tuple(one for one in _FIELDS if get_origin(one.type) is not dict)
_Head: Any = defstruct(
    "_Head",
    [
        ("schema", int),
        *((one.name, one.type, one.default) for one in _NUMBERS),
        ("counts", dict[str, int], {}),
    ],
    forbid_unknown_fields=True,
)
_decode_head = Decoder(_Head).decode
_decode_envelope = Decoder(_Envelope).decode


def dump(tables: Tables) -> Iterator[bytes]:
    """Give the snapshot line by line, without newlines; the tables must not change meanwhile."""
    yield _encode(
        _Head(
            schema=SCHEMA,
            **{one.name: getattr(tables, one.name) for one in _NUMBERS},
            counts={table.name: sum(1 for _ in _entities(tables, table)) for table in _TABLES},
        )
    )
    for table in _TABLES:
        prefix = table.prefix
        for entity in _entities(tables, table):
            yield prefix + _encode(entity)


def load(lines: Iterable[bytes]) -> Tables:
    """Give the tables that were dumped.

    Raises:
        SnapshotUnreadable: another schema without a way from it, lines missing, too many, damaged,
            or in another order; the message names the line.

    """
    numbered = enumerate(lines, start=1)
    schema, head = _head(numbered)
    tables = Tables(**{one.name: getattr(head, one.name) for one in _NUMBERS})
    for table in _TABLES:
        count = head.counts.get(table.name, 0)
        filled = _fill(tables, table, islice(numbered, count), schema)
        if filled != count:
            raise SnapshotUnreadable(f"{filled} {table.name} where the head counts {count}")
    for number, _ in numbered:
        raise SnapshotUnreadable(f"line {number}: the head counts no more")
    _check_order(tables)
    return tables


def _entities(tables: Tables, table: _Table) -> Iterator[Any]:
    return _walk(getattr(tables, table.name), table.depth)


def _walk(branch: dict[str, Any], depth: int) -> Iterator[Any]:
    if depth == 1:
        return iter(branch.values())
    return chain.from_iterable(_walk(branch[key], depth - 1) for key in sorted(branch))


def _head(numbered: Iterator[tuple[int, bytes]]) -> tuple[int, Any]:
    """Give the schema of what follows, and the head."""
    number, line = next(numbered, (1, b""))
    schema = _decoded(_decode_envelope, number, line).schema
    if schema > SCHEMA or any(old not in STEPS for old in range(schema, SCHEMA)):
        raise SnapshotUnreadable(f"schema {schema}; this version reads {SCHEMA}")
    head = _decoded(_decode_head, number, _upcast(_HEAD, number, line, schema))
    unknown = head.counts.keys() - {table.name for table in _TABLES}
    if unknown:
        raise SnapshotUnreadable(f"line {number}: unknown tables {', '.join(sorted(unknown))}")
    if any(count < 0 for count in head.counts.values()):
        raise SnapshotUnreadable(f"line {number}: a count below zero")
    return schema, head


def _fill(tables: Tables, table: _Table, lines: Iterator[tuple[int, bytes]], schema: int) -> int:
    """Read one table's entities; give how many there were."""
    prefix, raw_fields, shared_fields = table.prefix, table.raw_fields, table.shared_fields
    root = getattr(tables, table.name)
    texts: dict[str, str] = {}
    filled = 0
    for number, line in lines:
        if not line.startswith(prefix):
            raise SnapshotUnreadable(f"line {number}: not of the table {table.name}")
        body = _upcast(table.name, number, line[len(prefix) :], schema)
        entity = _decoded(table.decode, number, body)
        for name in raw_fields:
            raw = getattr(entity, name)
            if isinstance(raw, Raw):
                # A copy: it would keep the whole line alive.
                setattr(entity, name, raw.copy())
        for name in shared_fields:
            text = getattr(entity, name)
            setattr(entity, name, texts.setdefault(text, text))
        _place(root, table.key(entity), entity, number)
        filled += 1
    return filled


def _place(branch: dict[str, Any], key: Any, entity: Any, number: int) -> None:
    if isinstance(key, tuple):
        for step in key[:-1]:
            branch = branch.setdefault(step, {})
        key = key[-1]
    if key in branch:
        raise SnapshotUnreadable(f"line {number}: {key} stands here twice")
    branch[key] = entity


def _check_order(tables: Tables) -> None:
    last = 0
    for job in tables.jobs.values():
        if job.seq <= last:
            raise SnapshotUnreadable(f"job {job.id} is not in order of creation")
        last = job.seq
    if last > tables.seq:
        raise SnapshotUnreadable(f"jobs up to number {last} where the head says {tables.seq}")


def _upcast(table: str, number: int, body: bytes, schema: int) -> bytes:
    """Bring an object of an older schema to this one, step by step."""
    if schema == SCHEMA:
        return body
    found = _decoded(_decode_object, number, body)
    for old in range(schema, SCHEMA):
        found = STEPS[old](table, found)
    return _encode(found)


def _decoded(decode: Callable[[bytes], Any], number: int, body: bytes) -> Any:
    try:
        # The decoder looks for UTF-8 in text only, not in documents that it leaves as they are.
        if not body.isascii():
            body.decode()
        return decode(body)
    except (DecodeError, UnicodeDecodeError, RecursionError) as reason:
        raise SnapshotUnreadable(f"line {number}: {reason}") from reason
