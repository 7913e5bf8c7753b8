"""Searches over columns against the naive listing, with chunks so small that a few jobs fill many."""

from array import array
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from projections import columns
from projections.columns import Columns, id_key
from projections.decide import jobs as jobs_commands
from projections.decide.actions import Action, apply
from projections.numbered import Numbered
from projections.queries import grams, search
from projections.queries import jobs as queries
from projections.signature import signature
from projections.specs import JobFilter, Verb
from projections.state import State
from tests.build import Bench, a_caller, a_job
from tests.projections.naive import ORDERS, listed, matches
from tools.indexes import differences

QUEUES = ("mail", "Video.HD", "abc")
KINDS = ("", "send", "RESIZE", "5a")
WORDS = ("red", "blue")
ERRORS = ("Timed out after 30 s", "timed out after 5 s", "é <n> at /srv/x", " ", "<n>")


@pytest.fixture(scope="module", autouse=True)
def _small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "CHUNK_BITS", 3)
        patch.setattr(columns, "CHUNK_ROWS", 8)
        patch.setattr(columns, "_PACKED_BELOW", 5)
        blank = {name: array(code, [0] * 8) for name, code in columns._TYPES.items()}
        patch.setattr(columns, "_BLANK", blank)
        patch.setattr(search, "CHUNK_BITS", 3)
        patch.setattr(queries, "CHUNK_BITS", 3)
        patch.setattr(queries, "_CHUNKS_PER_SLICE", 2)
        patch.setattr(queries, "_TEXTS_PER_SLICE", 1)
        patch.setattr(grams, "CHUNK_ROWS", 8)
        patch.setattr(grams, "_PART_ROWS", 4)
        patch.setattr(grams, "_GROUP_ROWS", 2)
        patch.setattr(grams, "_PART_BYTES_MAX", 150)
        patch.setattr(search, "_JOBS_PER_PART", 3)  # so that a chunk takes several parts
        patch.setattr(search, "_BYTES_PER_PART", 50)
        yield


def everything(_: str) -> bool:
    return True


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["create", "create", "create", "claim", "complete", "fail", "purge", "wait"]
        ),
        st.integers(0, 1_000_000),
    ),
    min_size=20,
    max_size=120,
)
START_US = 1_795_461_256_000_000

restrictions: dict[str, st.SearchStrategy[Any]] = {
    "queue_name": st.sampled_from(["mail", "abc", "nowhere"]),
    "statuses": st.sampled_from(
        [{"pending"}, {"pending", "processing"}, {"completed", "deadletter", "odd"}, {"odd"}]
    ).map(frozenset),
    "tag": st.sampled_from(["red", "blue", "green"]),
    "q": st.sampled_from(["VIDEO", "a", "5", "5a", "0000", "esi", "-", "00000000-0000-"]),
    "job_type": st.sampled_from(["send", "none"]),
    "contains": st.sampled_from(['"n":1', '"n":', "é", "zz"]),
    "error": st.sampled_from(["TIMED", "é", "no", "Lease"]),
    "error_signature": st.sampled_from([*map(signature, ERRORS), "none such"]),
    "created_after": st.integers(0, 30).map(lambda secs: START_US + secs * 10**6),
    "created_before": st.integers(0, 60).map(lambda secs: START_US + secs * 10**6),
}
pages: dict[str, st.SearchStrategy[Any]] = {
    "order_by": st.sampled_from([*ORDERS, "nonsense"]),
    "descending": st.booleans(),
    "limit": st.integers(1, 12),
    "offset": st.sampled_from([0, 0, 1, 2, 5, 9, 20, 1_000]),
}


@st.composite
def filters(draw: st.DrawFn) -> JobFilter:
    """Restrict in few ways at a time, or next to nothing would match."""
    chosen = draw(st.lists(st.sampled_from(sorted(restrictions)), max_size=2, unique=True))
    fields = {name: draw(restrictions[name]) for name in chosen}
    return JobFilter(**fields, **{name: draw(one) for name, one in pages.items()})


def create(bench: Bench, chance: int) -> None:
    kind, text = KINDS[chance % 4], f'"n":{chance % 3},"t":"é"'
    payload = f'{{"job_type":"{kind}",{text}}}' if kind else f"{{{text}}}"
    tags = Raw(f'["{WORDS[chance % 2]}"]'.encode()) if chance % 3 else None
    fields: dict[str, Any] = {"priority": chance % 3, "max_retries": chance % 2}
    if tags is not None:
        fields["tags"] = tags
    for _ in range(1 + chance % 7):
        bench.create(a_job(QUEUES[chance % 3], payload.encode(), **fields))


def populated(moves: list[tuple[str, int]]) -> Bench:
    """Let a random story happen; ids are UUIDs, so that prefixes of them can be asked for."""
    bench = Bench()
    numbers = iter(range(1, 10_000))
    bench.new_id = lambda: str(UUID(int=next(numbers) << 100 | 7 << 76))
    for what, chance in moves:
        live = list(bench.state.tables.jobs.values())
        if what == "create":
            create(bench, chance)
        elif what == "claim":
            bench.claim(QUEUES[chance % 3], limit=1 + chance % 3, lease_duration_secs=600)
        elif what == "purge" and live:
            chosen = live[chance % len(live) :][: 1 + chance % 8]
            action = Action(Verb.PURGE, JobFilter(), Raw(b"{}"))
            bench.do(apply, action, "action-1", [job.id for job in chosen])
        elif what == "wait":
            bench.tick(1 + chance % 5)
        elif running := [job for job in live if job.status == "processing"]:
            job = running[chance % len(running)]
            if what == "complete":
                bench.complete(job)
            else:
                bench.fail(job, error=ERRORS[chance % 5])
    return bench


@settings(max_examples=120, deadline=None)
@given(steps, st.lists(filters(), min_size=4, max_size=12))
def test_a_search_agrees_with_the_naive_listing(
    moves: list[tuple[str, int]], asked: list[JobFilter]
) -> None:
    bench = populated(moves)
    state = bench.state
    jobs = list(state.tables.jobs.values())
    assert differences(state) == []
    for wanted in asked:
        page = queries.find(state, "default", wanted, everything)
        assert (page.jobs, page.has_more) == listed(jobs, "default", wanted, everything), wanted
        matching = queries.Matching(state, "default", wanted, everything)
        while not matching.step():
            pass
        assert matching.ids() == [job.id for job in jobs if matches(job, wanted)]


@settings(max_examples=40, deadline=None)
@given(steps, filters(), st.data())
def test_a_search_goes_on_while_the_state_changes(
    moves: list[tuple[str, int]], wanted: JobFilter, data: st.DataObject
) -> None:
    bench = populated(moves)
    state = bench.state
    search_ = queries.Search(state, "default", wanted, everything)
    last = state.tables.seq
    while not search_.step():
        everyone = list(state.tables.jobs)
        if everyone:
            doomed = data.draw(st.lists(st.sampled_from(everyone), max_size=5, unique=True))
            action = Action(Verb.PURGE, JobFilter(), Raw(b"{}"))
            bench.do(apply, action, "action-1", doomed)
        bench.create()
        bench.claim("mail")
    for job in search_.page().jobs:
        assert state.tables.jobs[job.id] is job
        assert matches(job, wanted)
        assert job.seq <= last


def test_the_stories_and_filters_leave_pages_to_compare() -> None:
    pages_with_jobs, pages_cut_off = 0, 0

    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(steps, filters())
    def count(moves: list[tuple[str, int]], wanted: JobFilter) -> None:
        nonlocal pages_with_jobs, pages_cut_off
        jobs = list(populated(moves).state.tables.jobs.values())
        found, has_more = listed(jobs, "default", wanted, everything)
        pages_with_jobs += bool(found)
        pages_cut_off += has_more

    count()
    # About half and a quarter; what hypothesis makes of it depends on which modules are loaded.
    assert pages_with_jobs >= 15
    assert pages_cut_off >= 5


def test_long_payloads_are_read_a_few_at_a_time() -> None:
    bench = Bench()
    for _ in range(6):
        bench.create(a_job(payload=b'"%s"' % (b"x" * 60)))  # each more than a part may read
    search_ = queries.Search(bench.state, "default", JobFilter(contains="y"), everything)
    slices = 1
    while not search_.step():
        slices += 1
    assert slices >= 6


def test_kinds_of_error_are_told_apart_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    for number in range(64):
        bench.create(a_job(max_retries=0))
        (job,) = bench.claim()
        bench.fail(job, error=f"host {number} is {'down' if number % 2 else 'up'}")
    monkeypatch.setattr(search, "_JOBS_PER_PART", 8)
    kind = queries.Search(
        bench.state, "default", JobFilter(error_signature="host <n> is down"), everything
    )
    slices = 1
    while not kind.step():
        slices += 1
    assert slices >= 32  # a signature costs more than a part may
    assert len(kind.page().jobs) == 32


def test_what_was_noted_of_an_error_goes_with_it() -> None:
    bench = Bench()
    job = bench.create(a_job(max_retries=0))

    def found(kind: str) -> int:
        wanted = JobFilter(error_signature=kind)
        return len(queries.find(bench.state, "default", wanted, everything).jobs)

    bench.claim()
    bench.fail(job, error="one 1")
    assert (found("one <n>"), found("other <n>")) == (1, 0)
    bench.do(jobs_commands.retry, job.id)
    assert (found("one <n>"), found("other <n>")) == (0, 0)
    bench.claim()
    bench.fail(job, error="other 2")
    for _ in range(2):
        assert (found("one <n>"), found("other <n>")) == (0, 1)


def test_the_sieve_lets_everything_through_that_holds_the_text_and_little_else() -> None:
    bench = Bench()
    for number in range(64):
        bench.create(a_job(payload=f'{{"n":"{number}-é"}}'.encode()))
    state = bench.state
    for _ in range(2):  # made by the first search, used by the second
        found = queries.find(state, "default", JobFilter(contains='"n":"41-'), everything)
        assert [bytes(job.payload)[6:8] for job in found.jobs] == [b"41"]
    chunks = [chunk for chunk in state.columns.chunks.values() if chunk.grams is not None]
    assert len(chunks) >= 7
    passed = 0
    for chunk in chunks:
        sieve = chunk.grams
        assert isinstance(sieve, grams.Grams)
        assert sieve.done
        rows = np.arange(8)
        passed += len(sieve.passing(rows, b'"n":"41-'))
        assert len(sieve.passing(rows, "-é".encode() + b'"')) == 8
    assert passed == 2


def test_a_chunk_of_long_payloads_is_not_sieved() -> None:
    bench = Bench()
    for number in range(20):
        bench.create(a_job(payload=b'"%s-%d-"' % (b"x" * 200, number)))
    for _ in range(2):
        found = queries.find(bench.state, "default", JobFilter(contains="-13-"), everything)
        assert [bytes(job.payload)[-5:] for job in found.jobs] == [b'-13-"']


def test_only_visible_queues_of_the_organization_are_searched() -> None:
    bench = Bench()
    mine = bench.create(a_job("mail"))
    bench.create(a_job("secret"))
    bench.do(jobs_commands.create, a_job("mail"), caller=a_caller("other"))
    page = queries.find(bench.state, "default", JobFilter(), lambda name: name == "mail")
    assert page.jobs == [mine]


def test_ids_narrow_an_action_and_the_bound_stops_it() -> None:
    bench = Bench()
    jobs = [bench.create() for _ in range(30)]
    asked = [jobs[20].id, jobs[3].id, "nobody", jobs[3].id]
    assert _ids(bench.state, ids=asked) == [jobs[3].id, jobs[20].id]
    assert _ids(bench.state, jobs_max=10) == [job.id for job in jobs[:10]]


def test_rows_follow_the_jobs_that_are_there() -> None:
    table = Columns()
    bench = Bench()
    jobs = [bench.create() for _ in range(64)]
    for job in jobs:
        table.add(job)
    for job in jobs[:-9]:
        table.remove(job)
    assert [number for number in table.chunks if number < 6] == []
    assert sum(chunk.live for chunk in table.chunks.values()) == 9
    for job in jobs[-9:-1]:
        table.remove(job)
    assert {len(chunk.status) for chunk in table.chunks.values()} <= {1, 8}
    assert table.has(jobs[-1].seq)
    assert not table.has(jobs[0].seq)


def test_rows_of_jobs_that_are_long_gone_take_no_memory_when_built_anew() -> None:
    table = Columns()
    bench = Bench()
    jobs = [bench.create() for _ in range(64)]
    for job in jobs[::8]:
        table.add(job)
    sizes = [len(chunk.status) for chunk in table.chunks.values()]
    assert (sizes, [table.has(job.seq) for job in jobs[::8]]) == ([1] * 7 + [8], [True] * 8)


def test_the_newest_chunk_is_given_back_when_the_next_begins_and_all_its_jobs_are_gone() -> None:
    table = Columns()
    bench = Bench()
    for _ in range(64):
        job = bench.create()
        table.add(job)
        table.remove(job)
    assert len(table.chunks) == 1


def test_the_number_of_a_text_nobody_uses_is_given_out_again() -> None:
    numbered = Numbered()
    first = numbered.take("one")
    assert numbered.take("one") == first
    other = numbered.take("two")
    numbered.drop(first)
    assert numbered.number("one") == first
    numbered.drop(first)
    assert numbered.number("one") is None
    assert numbered.take("three") == first
    assert numbered.texts == [("three",), ("two",)]
    assert other != first


@pytest.mark.parametrize("text", ["", "id-1", "x" * 36, "019ab3c4-d5e6-7000-8000-00000000000"])
def test_an_id_that_is_no_uuid_has_the_key_0(text: str) -> None:
    assert id_key(text) == 0


def test_keys_sort_as_the_uuids_do() -> None:
    ids = sorted(str(UUID(int=number)) for number in (1 << 70, 5 << 90, 5 << 120, 3 << 121))
    keys = [id_key(one) for one in ids]
    assert keys == sorted(set(keys))


def _ids(state: State, **options: Any) -> list[str]:
    matching = queries.Matching(state, "default", JobFilter(), everything, **options)
    while not matching.step():
        pass
    return matching.ids()
