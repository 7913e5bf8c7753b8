"""Tables become lines and come back the same, at every point of every story; damage is told."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from projections import snapshot
from projections.decide import access, queues, workers
from projections.decide.access import NewKey
from projections.digest import digest
from projections.entities import ApiKey, Entity, Job, Queue, Worker
from projections.events import decode
from projections.fold import fold
from projections.snapshot import SnapshotUnreadable, dump, load
from projections.specs import NewWorker, Pause, QueueConfig
from projections.state import State, Tables
from tests.build import Bench, a_caller, a_job
from tests.golden.facts_v2 import facts_v2
from tests.projections.storm import Storm
from tools.indexes import differences

GOLDEN = Path(__file__).parents[1] / "golden"
ENTITIES: list[type[Entity]] = [Job, Queue, Worker, ApiKey]


class SnapshotStorm(Storm):
    """At the end of each story: a snapshot of every moment, and the rest of the log folded on it."""

    def teardown(self) -> None:
        wanted = digest(self.bench.state)
        last = list(dump(self.bench.state.tables))
        grown = State()
        for position in range(len(self.bench.bodies) + 1):
            if position:
                fold(grown, decode(position, self.bench.bodies[position - 1]))
            lines = list(dump(grown.tables))
            loaded = State(load(lines))
            assert loaded.tables == grown.tables
            assert list(dump(loaded.tables)) == lines
            assert digest(loaded) == digest(grown)
            for later, body in enumerate(self.bench.bodies[position:], start=position + 1):
                fold(loaded, decode(later, body))
            assert digest(loaded) == wanted
            assert differences(loaded) == []
            assert list(dump(loaded.tables)) == last


TestSnapshots = SnapshotStorm.TestCase
TestSnapshots.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def eventful() -> Bench:
    """Make a state with something in every table, in an order that no sorting would give."""
    bench = Bench()
    for queue in ("video", "mail"):
        bench.do(queues.configure, queue, QueueConfig(settings=Raw(b'{"z":1.50,"a":"\xc3\xa9"}')))
        bench.create(a_job(queue, payload=b'{"n":2.50,"n":1e5}', tags=Raw(b'["red"]')))
    bench.do(queues.pause, "mail", Pause(reason="lunch"))
    bench.do(queues.configure, "other", QueueConfig(), caller=a_caller("an-org"))
    bench.complete(bench.claim("video")[0], result=Raw(b"[1.0]"))
    spec = NewWorker(queue_name="mail", hostname="h", worker_id="w2", metadata=Raw(b'{"a":1}'))
    bench.do(workers.register, spec)
    bench.do(workers.register, NewWorker(queue_name="mail", hostname="h", worker_id="w1"))
    bench.do(access.bootstrap, NewKey("a", "hash-a", "sp_live_"))
    return bench


LINES = tuple(dump(eventful().state.tables))


def test_a_snapshot_is_a_head_and_a_line_an_entity() -> None:
    bench = eventful()
    tables = bench.state.tables
    assert json.loads(LINES[0]) == {
        "schema": 1,
        "position": tables.position,
        "at": tables.at,
        "seq": 2,
        "counts": {"jobs": 2, "queues": 3, "workers": 2, "keys": 1},
    }
    names = [line.split(b" ")[0].decode() for line in LINES[1:]]
    assert names == ["jobs"] * 2 + ["queues"] * 3 + ["workers"] * 2 + ["keys"]
    assert not any(b"\n" in line for line in LINES)


def test_nothing_is_changed_and_order_is_kept() -> None:
    bench = eventful()
    tables = load(LINES)
    assert tables == bench.state.tables
    first = next(iter(tables.jobs.values()))
    assert bytes(first.payload) == b'{"n":2.50,"n":1e5}'
    assert list(tables.queues["default"]) == ["video", "mail"]
    assert list(tables.workers) == ["w2", "w1"]
    assert differences(State(tables)) == []
    assert tuple(dump(tables)) == LINES


def test_organizations_stand_in_the_order_of_their_names_whatever_came_first() -> None:
    tables = load(LINES)
    tables.queues = dict(reversed(tables.queues.items()))
    assert tuple(dump(tables)) == LINES


def test_the_last_queue_of_an_organization_leaves_nothing_behind() -> None:
    bench = Bench()
    bench.do(queues.configure, "mail", QueueConfig())
    bench.do(
        lambda state, ctx: queues.delete(
            state, ctx, "mail", delete_jobs=True, jobs_max=1, action_id="deletion-1"
        )
    )
    assert bench.state.tables.queues == load(dump(bench.state.tables)).queues == {}


def test_nothing_at_all_is_a_snapshot_too() -> None:
    lines = list(dump(Tables()))
    assert len(lines) == 1
    assert load(lines) == Tables()


def test_queues_and_organizations_are_held_once() -> None:
    bench = Bench()
    for _ in range(10):
        bench.create()
    jobs = load(dump(bench.state.tables)).jobs.values()
    assert (len({id(job.queue) for job in jobs}), len({id(job.org) for job in jobs})) == (1, 1)


def test_documents_do_not_keep_their_lines_alive() -> None:
    bench = Bench()
    for _ in range(20):
        bench.create().last_error = "x" * 100_000
    lines = list(dump(bench.state.tables))
    tracemalloc.start()
    try:
        tables = load(lines)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(tables.jobs) == 20
    assert held < 20 * 150_000


# -- damage


def head(**fields: Any) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        found = {**json.loads(lines[0]), **fields}
        kept = {name: value for name, value in found.items() if value is not None}
        return [json.dumps(kept).encode(), *lines[1:]]

    return change


def counting(**counts: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: head(counts={**json.loads(lines[0])["counts"], **counts})(lines)


def at(index: int, change: Callable[[bytes], bytes]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[:index], change(lines[index]), *lines[index + 1 :]]


def swapped(one: int, other: int) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        lines[one], lines[other] = lines[other], lines[one]
        return lines

    return change


DAMAGE: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "nothing there": (lambda lines: [], "line 1"),
    "no head": (lambda lines: lines[1:], "line 1"),
    "a newer schema": (head(schema=2), "schema 2; this version reads 1"),
    "a schema of nobody": (head(schema=0), "schema 0; this version reads 1"),
    "a schema below zero": (head(schema=-1), "schema -1"),
    "no schema": (head(schema=None), "schema"),
    "a head with more": (head(extra=1), "unknown field `extra`"),
    "a number that is text": (head(seq="2"), "seq"),
    "a count too high": (counting(keys=2), "1 keys where the head counts 2"),
    "a count too low": (counting(keys=0), "line 9: the head counts no more"),
    "an earlier count too high": (counting(jobs=3), "line 4: not of the table jobs"),
    "an earlier count too low": (counting(jobs=1), "line 3: not of the table queues"),
    "a count below zero": (counting(jobs=-1), "below zero"),
    "no count": (head(counts={}), "line 2: the head counts no more"),
    "an unknown table": (counting(wells=0), "unknown tables wells"),
    "the last line missing": (lambda lines: lines[:-1], "0 keys where the head counts 1"),
    "a line missing": (lambda lines: lines[:2] + lines[3:], "line 3: not of the table jobs"),
    "a line more": (lambda lines: [*lines, lines[-1]], "line 10"),
    "an empty line": (lambda lines: [*lines, b""], "line 10"),
    "a job twice": (
        lambda lines: swapped(1, 1)([lines[0], lines[1], lines[1], *lines[3:]]),
        "twice",
    ),
    "a worker twice": (lambda lines: [*lines[:7], lines[6], lines[8]], "w2 stands here twice"),
    "a queue twice": (lambda lines: [*lines[:5], lines[4], *lines[6:]], "stands here twice"),
    "jobs in another order": (swapped(1, 2), "not in order of creation"),
    "a job beyond the head": (head(seq=1), "up to number 2 where the head says 1"),
    "half a line": (at(2, lambda line: line[: len(line) // 2]), "line 3"),
    "a line and more": (at(2, lambda line: line + b"}"), "line 3"),
    "another table's line": (at(2, lambda line: b"keys" + line[4:]), "line 3"),
    "no table": (at(2, lambda line: line[5:]), "line 3"),
    "a field of nobody": (at(2, lambda line: line.replace(b'"org"', b'"orf"')), "line 3"),
    "an optional field of nobody": (
        at(2, lambda line: line.replace(b'"trail"', b'"trial"')),
        "unknown field `trial`",
    ),
    "a status of nobody": (
        at(1, lambda line: line.replace(b"completed", b"complexed", 1)),
        "complexed",
    ),
    "not UTF-8 in text": (at(2, lambda line: line.replace(b"mail", b"ma\xffl")), "line 3"),
    "not UTF-8 in a document": (at(2, lambda line: line.replace(b"red", b"r\xffd")), "line 3"),
    "brackets without end": (
        at(2, lambda line: line.replace(b'["red"]', b"[" * 100_000)),
        "line 3",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told(name: str) -> None:
    damage, says = DAMAGE[name]
    lines = damage(list(LINES))
    assert tuple(lines) != LINES
    with pytest.raises(SnapshotUnreadable) as told:
        load(lines)
    assert says in str(told.value)


@pytest.mark.parametrize("index", range(len(LINES)))
def test_a_line_cut_anywhere_is_told(index: int) -> None:
    for length in range(len(LINES[index])):
        with pytest.raises(SnapshotUnreadable):
            load([*LINES[:index], LINES[index][:length], *LINES[index + 1 :]])


@settings(max_examples=1_000, deadline=None)
@given(st.integers(0, len(LINES) - 1), st.integers(0, 10_000), st.binary(max_size=3), st.data())
def test_bytes_replaced_are_told_or_are_another_snapshot(
    index: int, place: int, replaced: bytes, data: st.DataObject
) -> None:
    line = LINES[index]
    start = place % len(line)
    end = data.draw(st.integers(start, min(start + 4, len(line))))
    damaged = line[:start] + replaced + line[end:]
    try:
        tables = load([*LINES[:index], damaged, *LINES[index + 1 :]])
    except SnapshotUnreadable:
        return
    # Nothing was made up: every fact that came of it stands there.
    again = load(dump(tables))
    assert again == tables


def test_lines_are_read_as_they_come() -> None:
    def stream() -> Iterator[bytes]:
        yield from LINES[:2]
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        load(stream())


# -- schemas


def test_an_older_schema_goes_through_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, str]] = []

    def renamed(table: str, found: dict[str, Raw]) -> dict[str, Raw]:
        seen.append((1, table))
        if table == "jobs":
            found["priority"] = found.pop("urgency")
        return found

    def doubled(table: str, found: dict[str, Raw]) -> dict[str, Raw]:
        seen.append((2, table))
        if table == "jobs":
            found["priority"] = Raw(b"2" + bytes(found["priority"]))
        return found

    lines = [line.replace(b'"trail"', b'"urgency":5,"trail"') for line in LINES]
    with pytest.raises(SnapshotUnreadable, match="urgency"):
        load(lines)
    monkeypatch.setattr(snapshot, "SCHEMA", 3)
    with pytest.raises(SnapshotUnreadable, match="schema 1; this version reads 3"):
        load(lines)
    monkeypatch.setattr(snapshot, "STEPS", {1: renamed, 2: doubled})
    tables = load(lines)
    assert [job.priority for job in tables.jobs.values()] == [25, 25]
    assert bytes(next(iter(tables.jobs.values())).payload) == b'{"n":2.50,"n":1e5}'
    assert seen[:4] == [(1, "head"), (2, "head"), (1, "jobs"), (2, "jobs")]
    assert len(seen) == 2 * len(LINES)


@pytest.mark.parametrize("schema", range(1, snapshot.SCHEMA + 1))
def test_a_schema_still_means_what_it_meant(schema: int) -> None:
    golden = GOLDEN / f"snapshot-v{schema}"
    lines = (golden / "tables.lines").read_bytes().splitlines()
    state = State(load(lines))
    assert facts_v2(state) == json.loads((golden / "facts.json").read_text())
    assert differences(state) == []


def test_the_golden_snapshot_has_every_field_of_its_schema() -> None:
    golden = GOLDEN / f"snapshot-v{snapshot.SCHEMA}"
    _, *lines = (golden / "tables.lines").read_bytes().splitlines()
    seen: dict[str, set[str]] = {}
    for line in lines:
        table, _, body = line.partition(b" ")
        seen.setdefault(table.decode(), set()).update(json.loads(body))
    recorded = json.loads((golden / "fields.json").read_text())
    assert seen == {name: set(fields) for name, fields in recorded.items() if name != "head"}


def shape() -> dict[str, dict[str, Any]]:
    """Give every table's fields: type, default where there is one, and whether it must be there."""
    described = msgspec.json.schema_components([Tables])[1]
    tables = described["Tables"]["properties"]
    found = {"head": {name: one for name, one in tables.items() if one["type"] == "integer"}}
    for table in sorted(tables.keys() - found["head"].keys()):
        rules = tables[table]
        while "$ref" not in rules:
            rules = rules["additionalProperties"]
        entity = described[rules["$ref"].rpartition("/")[2]]
        found[table] = {
            name: {"required": name in entity["required"], **resolved(rules, described)}
            for name, rules in entity["properties"].items()
        }
    return found


def resolved(rules: Any, described: dict[str, Any]) -> Any:
    """Put what is referred to in the place of the reference."""
    if isinstance(rules, dict):
        if "$ref" in rules:
            return resolved(described[rules["$ref"].rpartition("/")[2]], described)
        return {
            name: resolved(value, described)
            for name, value in rules.items()
            if name not in {"title", "description"}
        }
    return [resolved(one, described) for one in rules] if isinstance(rules, list) else rules


def test_fields_change_only_with_the_schema() -> None:
    """A new optional field passes; all else needs a new `SCHEMA`, a step and a golden snapshot."""
    recorded = json.loads((GOLDEN / f"snapshot-v{snapshot.SCHEMA}" / "fields.json").read_text())
    today = shape()
    for table, fields in recorded.items():
        kept = {name: today[table].get(name) for name in fields}
        assert kept == fields, table
        added = today[table].keys() - fields.keys()
        assert not any(today[table][name].get("required") for name in added), added


def test_every_default_is_a_singleton_so_that_equal_entities_are_equal_bytes() -> None:
    """msgspec leaves a field out when it *is* its default, not when it equals it."""
    for kind in ENTITIES:
        assert kind.__struct_config__.omit_defaults
        for field in msgspec.structs.fields(kind):
            default = field.default
            assert field.default_factory is msgspec.NODEFAULT, field.name
            assert (
                default in {msgspec.NODEFAULT, None, False, UNSET}
                or isinstance(default, Enum)
                or (isinstance(default, int) and 0 <= default <= 256)
            ), field.name


def test_every_table_is_known_here() -> None:
    assert set(Entity.__subclasses__()) == set(ENTITIES)
    assert [table.name for table in snapshot._TABLES] == ["jobs", "queues", "workers", "keys"]
