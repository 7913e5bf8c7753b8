"""The small parts of the pure core: bytes of events, raw JSON, heaps, digest, bulk, queues, keys."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from projections import bounds, events, upcast
from projections.decide import Policy, access, jobs, queues, workers
from projections.decide.access import NewKey
from projections.digest import Digesting, digest
from projections.errors import Conflict, Denied, Invalid, Missing, NotFound, TooLarge
from projections.events import Event, Record, Undecodable, decode, encode
from projections.fold import FOLDS
from projections.lazyheap import LazyHeap
from projections.lifecycle import MOVES, Status
from projections.moments import to_text, to_us
from projections.queries import jobs as queries
from projections.rawjson import document, job_type, minified, words
from projections.specs import (
    BulkItem,
    BulkJobs,
    JobFilter,
    NewWorker,
    Pause,
    QueueConfig,
    WorkerPulse,
)
from tests.build import Bench, a_caller, a_job
from tests.projections.naive import ORDERS


def everything(_: str) -> bool:
    return True


# -- events


def test_every_event_has_a_fold_and_every_job_event_a_place_in_the_lifecycle() -> None:
    assert set(FOLDS) == set(get_args(Event))
    tags = {kind.__struct_config__.tag for kind in get_args(events.JobEvent)}
    assert {event for _, event in MOVES} == tags - {
        "job.created",
        "job.deleted",
        "job.restored",
        "job.settlement_refused",
    }


def test_a_record_comes_back_from_its_bytes() -> None:
    event = events.JobFailed(job="j1", worker="w", error="é", retry_at=7, prev=2)
    record = Record(3, 5, "key_1", "r", (event,))
    body = encode(record)
    assert body == (
        b'{"v":4,"at":5,"by":"key_1","req":"r","events":'
        b'[{"type":"job.failed","job":"j1","worker":"w","error":"\xc3\xa9","retry_at":7,"prev":2}]}'
    )
    assert decode(3, body) == record


RAW = Raw(b'{"a":[1,"x"]}')


SAMPLES: dict[str, Any] = {
    "QueueFacts": events.QueueFacts(id="q1", created_at=1, updated_at=2, settings=RAW),
    "Status": Status.SCHEDULED,
    "Raw": RAW,
    "bool": True,
    "float": 0.25,
    "list": ["a", "b"],
    "int": 123_456_789,
}


def filled(kind: type) -> Any:
    """Give an event with every field set to something else than its default."""
    values: dict[str, Any] = {}
    for one in msgspec.structs.fields(kind):
        text = str(one.type)
        values[one.name] = next(
            (value for kind, value in SAMPLES.items() if kind in text), f"some {one.name}"
        )
    return kind(**values)


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_field_of_every_event_comes_back(kind: type) -> None:
    event = filled(kind)
    record = Record(1, 2, "key_1", "r", (event, event))
    found = decode(1, encode(record))
    for name in kind.__struct_fields__:  # type: ignore[attr-defined]
        sent, kept = getattr(event, name), getattr(found.events[1], name)
        if isinstance(sent, Raw):
            sent, kept = bytes(sent), bytes(kept)
        assert kept == sent
        assert sent != getattr(kind, name, None)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"v":1,"at":1,"by":"k","req":"","events":[{"type":"job.teleported"}]}', "teleported"),
        (b'{"v":99,"at":1,"by":"k","req":"","events":[{"type":"x"}]}', "vocabulary 99, this is 4"),
        (b'{"v":99,"at":1,"by":"k","req":"","events":[]}', "vocabulary 99"),
        (b'{"at":1}', "not a record"),
        (b"[]", "not a record"),
    ],
)
def test_what_cannot_be_read_names_position_and_need(body: bytes, says: str) -> None:
    with pytest.raises(Undecodable, match="record 17") as raised:
        decode(17, body)
    assert says in str(raised.value)


def test_upcasters_run_in_order_up_to_the_wanted_vocabulary() -> None:
    steps: dict[int, upcast.Step] = {
        1: lambda record: {**record, "v": 2, "trace": [*record.get("trace", []), 1]},
        2: lambda record: {**record, "v": 3, "trace": [*record["trace"], 2]},
    }
    body = upcast.upcast(1, b'{"v":1}', to=3, steps=steps)
    assert msgspec.json.decode(body) == {"v": 3, "trace": [1, 2]}
    with pytest.raises(msgspec.DecodeError, match="from vocabulary 4"):
        upcast.upcast(4, b"{}", to=3, steps=steps)


# -- raw JSON


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{ "a" : 2.50, "a" : 1e5 }', b'{"a":2.50,"a":1e5}'),
        (b"[ 123456789012345678901234567890 ]", b"[123456789012345678901234567890]"),
        (b'"a \\u0000 \xc3\xa9 ] }"', b'"a \\u0000 \xc3\xa9 ] }"'),
        (b'\n{"b":\n1,\t"a":null}', b'{"b":1,"a":null}'),
    ],
)
def test_documents_are_minified_and_otherwise_untouched(sent: bytes, kept: bytes) -> None:
    assert (minified("payload", Raw(sent))) == kept


def test_depth_is_bounded_and_width_is_not() -> None:
    deepest = b"[" * bounds.NESTING_MAX + b"]" * bounds.NESTING_MAX
    assert (minified("p", Raw(deepest))) == deepest
    with pytest.raises(Invalid, match="nested deeper"):
        minified("p", Raw(b"[" + deepest + b"]"))
    mixed = b'{"a":[' * 51 + b"1" + b"]}" * 51
    with pytest.raises(Invalid, match="nested deeper"):
        minified("p", Raw(mixed))
    wide = b"[" + b",".join([b'{"x":"[[[[{{{{ \\" ]"}'] * 1_000) + b"]"
    assert (minified("p", Raw(wide))) == wide


def test_the_size_that_counts_is_the_minified_one() -> None:
    assert document("payload", Raw(b"[1,      2]"), 5)
    with pytest.raises(TooLarge):
        document("payload", Raw(b"[1,22]"), 5)


def test_words_and_job_type() -> None:
    assert words(Raw(b'["urgent", 5, "urgent", "eu"]')) == ("urgent", "eu")
    assert words(Raw(b'{"team":"billing","n":1}')) == ("team", "n", "billing")
    assert words(UNSET) == ()
    assert job_type(Raw(b'{"job_type":"mail.send"}')) == "mail.send"
    assert job_type(Raw(b'{"job_type":5}')) == ""
    assert job_type(Raw(b'["job_type"]')) == ""
    assert job_type(Raw(b'{"job_type":"a","n":1e999}')) == ""


@pytest.mark.parametrize(
    "tags", [b'"urgent"', b"5", b"true", b"[1e999]", b'["' + b"x" * 66_000 + b'"]']
)
def test_tags_are_an_object_or_an_array_within_bounds(tags: bytes) -> None:
    bench = Bench()
    with pytest.raises(Invalid):
        bench.create(a_job(tags=Raw(tags)))
    assert bench.bodies == []


def test_times_survive_both_ways() -> None:
    moment = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
    assert to_text(to_us(moment)) == "2026-11-23T09:00:00.123456Z"
    assert to_us(moment.replace(tzinfo=None)) == to_us(moment)
    assert to_text(to_us(datetime(33, 1, 1, tzinfo=UTC))) == "0033-01-01T00:00:00.000000Z"


# -- heaps


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.booleans()), max_size=200))
def test_a_lazy_heap_is_a_sorted_dict(steps: list[tuple[int, int, bool]]) -> None:
    heap: LazyHeap[int] = LazyHeap()
    model: dict[int, int] = {}
    for rank, key, add in steps:
        if add:
            heap.add(rank, key)
            model[key] = rank
        else:
            heap.discard(key)
            model.pop(key, None)
        expected = sorted((rank, key) for key, rank in model.items())
        assert list(heap.in_order()) == expected
        assert heap.first_rank() == (expected[0][0] if expected else None)
        assert len(heap) == len(model)


def test_discarded_entries_stay_bounded() -> None:
    heap: LazyHeap[int] = LazyHeap()
    for key in range(100):
        heap.add(key, key)
    for turn in range(10_000):
        heap.add(1_000 + turn, turn % 100)
    assert len(heap._heap) <= 2 * len(heap) + 65
    for key in range(1, 100):
        heap.discard(key)
    assert len(heap._heap) <= 2 * len(heap) + 65


# -- digest


def test_a_digest_in_slices_holds_for_its_moment_whatever_happens_meanwhile() -> None:
    bench = Bench()
    first = [bench.create() for _ in range(20)]
    bench.claim(limit=3)
    wanted = digest(bench.state)
    digesting = Digesting(bench.state)
    digesting.step(5)
    bench.complete(first[0])  # hashed already
    bench.do(jobs.cancel, first[12].id)  # not yet hashed
    bench.do(jobs.set_priority, first[13].id, 9)
    bench.do(jobs.set_priority, first[13].id, 8)
    bench.create()  # after its moment
    while not digesting.step(5):
        pass
    assert digesting.hexdigest() == wanted
    assert bench.state.before_change is None
    assert digest(bench.state) == digest(bench.replayed()) != wanted


def test_any_fact_changes_the_digest() -> None:
    def made(**fields: Any) -> str:
        bench = Bench()
        bench.create(a_job(**fields))
        return digest(bench.state)

    variants: list[dict[str, Any]] = [
        {},
        {"priority": 1},
        {"payload": b"{}"},
        {"tags": Raw(b"[]")},
        {"max_retries": 4},
        {"idempotency_key": "k"},
    ]
    assert len({made(**fields) for fields in variants}) == len(variants)


# -- bulk, queues, workers, keys, scope


def test_a_bulk_request_is_one_record_and_bad_items_do_not_undo_the_others() -> None:
    bench = Bench()
    bench.create(a_job(idempotency_key="known"))
    known = bench.state.idempotency["default", "known"]
    records = len(bench.bodies)
    ok = Raw(b"{}")
    made = bench.do(
        jobs.create_bulk,
        BulkJobs(
            queue_name="mail",
            default_priority=3,
            default_max_retries=7,
            default_timeout_seconds=9,
            jobs=[
                BulkItem(payload=ok),
                BulkItem(payload=ok, priority=101),
                BulkItem(payload=ok, idempotency_key="known"),
                BulkItem(payload=ok, idempotency_key="twice", priority=-1),
                BulkItem(payload=ok, idempotency_key="twice"),
                BulkItem(payload=Raw(b'"' + b"x" * bounds.MIB + b'"')),
                BulkItem(payload=ok, idempotency_key=""),
            ],
        ),
    )
    assert len(bench.bodies) == records + 1
    assert [index for index, _ in made.failed] == [1, 5, 6]
    assert [(index, one.new) for index, one in made.succeeded] == [
        (0, True),
        (2, False),
        (3, True),
        (4, False),
    ]
    by_index = dict(made.succeeded)
    assert by_index[2].job_id == known.id
    assert by_index[4].job_id == by_index[3].job_id
    first = bench.job(by_index[0].job_id)
    assert (first.priority, first.max_retries, first.timeout_secs) == (3, 7, 9)
    assert bench.job(by_index[3].job_id).priority == -1


def test_defaults_come_from_request_then_queue_then_server() -> None:
    bench = Bench(Policy(max_retries=1, timeout_secs=10))
    assert (bench.create().max_retries, bench.create().timeout_secs) == (1, 10)
    bench.do(queues.configure, "mail", QueueConfig(max_retries=2, default_timeout=20))
    assert (bench.create().max_retries, bench.create().timeout_secs) == (2, 20)
    job = bench.create(a_job(max_retries=0, timeout_seconds=30))
    assert (job.max_retries, job.timeout_secs) == (0, 30)


def test_configuration_is_partial_and_enabled_is_the_pause() -> None:
    bench = Bench()
    config = QueueConfig(max_retries=9, rate_limit=5, settings=Raw(b'{"a":1}'))
    bench.do(queues.configure, "mail", config)
    bench.do(queues.configure, "mail", QueueConfig(enabled=False))
    queue = bench.state.queue("default", "mail")
    assert queue is not None
    assert (queue.max_retries, queue.rate_limit, bytes(queue.settings)) == (9, 5, b'{"a":1}')
    assert queue.paused_at == bench.clock()
    bench.create()
    assert bench.claim() == []
    bench.do(queues.configure, "mail", QueueConfig(enabled=True, rate_limit=None))
    assert (queue.paused_at, queue.rate_limit) == (None, None)
    assert len(bench.claim()) == 1


def test_a_pause_tells_who_why_and_for_how_long() -> None:
    bench = Bench()
    bench.do(queues.pause, "mail", Pause(reason="maintenance"))
    queue = bench.state.queue("default", "mail")
    assert queue is not None
    assert (queue.paused_reason, queue.paused_by) == ("maintenance", "key_test")
    bench.clock.advance(90)
    assert bench.do(queues.resume, "mail").paused_us == 90_000_000
    assert bench.do(queues.resume, "mail").paused_us == 0
    with pytest.raises(NotFound):
        bench.do(queues.resume, "nowhere")


def test_workers_come_live_and_go() -> None:
    bench = Bench()
    spec = NewWorker(queue_name="mail", hostname="host-1", worker_id="w.1")
    assert bench.do(workers.register, spec) == "w.1"
    worker = bench.state.tables.workers["w.1"]
    bench.clock.advance(100)
    bench.do(workers.heartbeat, "w.1", WorkerPulse(current_jobs=2, status="draining"))
    assert bench.tick(119) == 0
    assert bench.tick(1) == 1
    assert (worker.status, worker.current_jobs) == ("offline", 0)
    bench.do(workers.heartbeat, "w.1", WorkerPulse(current_jobs=0))
    assert worker.status == "healthy"
    bench.do(workers.deregister, "w.1")
    assert (worker.status, bench.state.agenda.next_due()) == ("offline", None)
    with pytest.raises(Conflict):
        bench.do(workers.register, spec, caller=a_caller(org="other"))


def test_one_bootstrap_key_at_a_time() -> None:
    bench = Bench()
    bench.do(access.bootstrap, NewKey("a", "hash-a", "sp_live_"))
    records = len(bench.bodies)
    bench.do(access.bootstrap, NewKey("a", "hash-a", "sp_live_"))
    assert len(bench.bodies) == records
    bench.do(access.bootstrap, NewKey("b", "hash-b", "sp_live_"))
    active = {key.hash: key.active for key in bench.state.tables.keys.values()}
    assert active == {"hash-a": False, "hash-b": True}
    assert set(bench.state.keys_by_hash) == {"hash-a", "hash-b"}


def test_a_caller_sees_and_uses_only_its_organization_and_queues() -> None:
    bench = Bench()
    job = bench.create()
    narrow = a_caller(queues=frozenset({"video"}))
    with pytest.raises(Denied):
        bench.do(jobs.create, a_job("mail"), caller=narrow)
    for caller in (narrow, a_caller(org="other")):
        with pytest.raises(NotFound):
            bench.do(jobs.cancel, job.id, caller=caller)
    made = bench.do(jobs.create, a_job("mail", idempotency_key="k"), caller=a_caller(org="other"))
    again = bench.do(jobs.create, a_job("mail", idempotency_key="k"))
    assert made.new
    assert again.new
    counted = queries.counts(bench.state, "default", everything)
    assert counted[Status.PENDING] == 2
    assert queries.find(bench.state, "other", JobFilter(), everything).jobs[0].id == made.job_id


@pytest.mark.parametrize("name", ["Mail", "a_b", "a.b", "x" * 65])
def test_strict_queue_names(name: str) -> None:
    bench = Bench(Policy(strict_queue_names=True))
    with pytest.raises(Invalid, match="lowercase"):
        bench.create(a_job(name))
    assert bench.create(a_job("mail-2")).queue == "mail-2"


def test_a_lease_id_can_be_made_mandatory() -> None:
    bench = Bench(Policy(require_lease_id=True))
    job = bench.create()
    bench.claim()
    with pytest.raises(Missing):
        bench.complete(job)
    bench.complete(job, lease_id=job.lease)
    assert job.status is Status.COMPLETED


# -- listing, against plain Python


def test_listing_matches_a_plain_filter_for_every_order_and_page() -> None:
    bench = Bench()
    for number in range(40):
        when = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=number)
        bench.clock.advance(1)
        bench.create(
            a_job(
                ["mail", "video"][number % 2],
                payload=b'{"job_type":"kind-%d"}' % (number % 3),
                priority=number % 4,
                scheduled_at=when if number % 5 == 0 else None,
                tags=Raw(b'["urgent"]') if number % 7 == 0 else None,
            )
        )
    bench.claim("mail", limit=5)
    everyone = list(bench.state.tables.jobs.values())
    plain: list[tuple[JobFilter, Any]] = [
        (JobFilter(), lambda _: True),
        (JobFilter(queue_name="mail"), lambda job: job.queue == "mail"),
        (
            JobFilter(statuses=frozenset({"scheduled", "nonsense"})),
            lambda job: job.status == "scheduled",
        ),
        (JobFilter(tag="urgent"), lambda job: job.tags is not UNSET),
        (JobFilter(job_type="kind-1"), lambda job: job_type(job.payload) == "kind-1"),
        (JobFilter(q="IDEO"), lambda job: job.queue == "video"),
        (JobFilter(q=everyone[3].id), lambda job: job is everyone[3]),
        (
            JobFilter(
                created_after=everyone[10].created_at, created_before=everyone[20].created_at
            ),
            lambda job: everyone[10].seq <= job.seq < everyone[20].seq,
        ),
        (
            JobFilter(tag="urgent", queue_name="video"),
            lambda job: job.tags is not UNSET and job.queue == "video",
        ),
    ]
    for wanted, keep in plain:
        for order in [*ORDERS, "nonsense"]:
            for descending in (True, False):
                key = ORDERS.get(order, ORDERS["created_at"])
                expected = sorted(
                    filter(keep, everyone), key=lambda job: (key(job), job.seq), reverse=descending
                )
                asked = msgspec.structs.replace(
                    wanted, order_by=order, descending=descending, limit=7, offset=2
                )
                page = queries.find(bench.state, "default", asked, everything)
                assert page.jobs == expected[2:9]
                assert page.has_more == (len(expected) > 9)
