"""What each event is told as, for every event there is; and that the log tells it as the state does."""

import json
from typing import Any, get_args

import pytest
from hypothesis import settings
from msgspec import Raw

from projections import live
from projections.events import (
    BulkApplied,
    Event,
    JobCancelled,
    JobCancelRequested,
    JobClaimed,
    JobCompleted,
    JobCreated,
    JobDeleted,
    JobDue,
    JobExpired,
    JobFailed,
    JobLeaseExpired,
    JobLeaseExtended,
    JobPriorityChanged,
    JobReleased,
    JobRestored,
    JobRetired,
    JobRetried,
    JobReverted,
    JobSettlementRefused,
    JobUnblocked,
    KeyCreated,
    KeyRevoked,
    QueueConfigured,
    QueueCreated,
    QueueDeleted,
    QueueFacts,
    QueuePaused,
    QueueRestored,
    QueueResumed,
    Record,
    ServerStarted,
    UndoApplied,
    WorkerDeregistered,
    WorkerHeartbeat,
    WorkerLost,
    WorkerRegistered,
)
from projections.frames import NAMES, Frame, Mark, Wanted, envelope, identified, mark, names
from projections.lifecycle import Status
from projections.live import Life
from tests.projections.storm import Storm

AT = 1_795_461_256_000_000
TIMESTAMP = "2026-11-23T19:14:16.000000Z"
CREATED: dict[str, Any] = {"job": "j", "queue": "q", "payload": Raw(b"1"), "max_retries": 0}
BEGAN = AT - 1_500_000

Told = list[tuple[str, dict[str, Any]]]


def a_life(status: str, retry_count: int = 2, started_at: int | None = None) -> Life:
    return Life("q", Status(status), retry_count, started_at)


OPEN = QueueFacts(id="i", created_at=AT, updated_at=AT)
HELD = QueueFacts(id="i", created_at=AT, updated_at=AT, paused_at=AT, paused_reason="r")


def moved(old: str, new: str) -> tuple[str, dict[str, Any]]:
    told = {"job_id": "j", "queue_name": "q", "old_status": old, "new_status": new}
    return "JobStatusChange", told


def failed(error: str, retry_count: int) -> tuple[str, dict[str, Any]]:
    told = {"job_id": "j", "queue_name": "q", "error": error, "retry_count": retry_count}
    return "JobFailed", told


def lost(**how: Any) -> JobLeaseExpired:
    return JobLeaseExpired(job="j", worker="w", error="e", **how)


def fault(**how: Any) -> JobFailed:
    return JobFailed(job="j", worker="w", error="e", **how)


RUNNING = a_life("processing", 2, BEGAN)
TABLE: list[tuple[Event, Life | None, Told]] = [
    (
        JobCreated(**CREATED, timeout_secs=1, priority=7),
        None,
        [("JobCreated", {"job_id": "j", "queue_name": "q", "priority": 7})],
    ),
    (
        JobClaimed(job="j", worker="w", lease="l", lease_until=1),
        a_life("pending"),
        [moved("pending", "processing")],
    ),
    (
        JobCompleted(job="j", worker="w"),
        RUNNING,
        [
            ("JobCompleted", {"job_id": "j", "queue_name": "q", "duration_ms": 1_500}),
            moved("processing", "completed"),
        ],
    ),
    (fault(retry_at=AT), RUNNING, [failed("e", 3), moved("processing", "pending")]),
    (fault(), RUNNING, [failed("e", 2), moved("processing", "deadletter")]),
    (fault(cancelled=True), RUNNING, [failed("e", 2), moved("processing", "cancelled")]),
    (lost(), RUNNING, [failed("e", 3), moved("processing", "pending")]),
    (lost(deadletter=True), RUNNING, [failed("e", 2), moved("processing", "deadletter")]),
    (lost(cancelled=True), RUNNING, [failed("e", 2), moved("processing", "cancelled")]),
    (JobDue(job="j"), a_life("scheduled"), [moved("scheduled", "pending")]),
    (JobDue(job="j"), a_life("pending"), []),
    (JobExpired(job="j", error="e"), a_life("scheduled"), [moved("scheduled", "cancelled")]),
    (JobCancelled(job="j"), a_life("pending"), [moved("pending", "cancelled")]),
    (JobReleased(job="j", worker="w"), RUNNING, [moved("processing", "pending")]),
    (JobRetried(job="j", retry_count=0), a_life("deadletter"), [moved("deadletter", "pending")]),
    (JobRetried(job="j", retry_count=0), a_life("failed"), [moved("failed", "pending")]),
    (
        JobReverted(job="j", status=Status.PENDING, retry_count=1),
        a_life("cancelled"),
        [moved("cancelled", "pending")],
    ),
    (JobReverted(job="j", status=Status.PENDING, priority=3), a_life("pending"), []),
    (
        JobRestored(**CREATED, timeout_secs=1, created_at=AT, status=Status.DEADLETTER),
        None,
        [moved("", "deadletter")],
    ),
    (JobLeaseExtended(job="j", lease_until=1), None, []),
    (JobCancelRequested(job="j"), None, []),
    (JobUnblocked(job="j"), None, []),
    (JobPriorityChanged(job="j", priority=1), None, []),
    (JobDeleted(job="j"), None, []),
    (JobRetired(job="j"), None, []),
    (JobSettlementRefused(job="j", worker="w", verb="complete"), None, []),
    (QueueCreated(queue="q", id="i"), None, []),
    (QueueConfigured(queue="q", max_retries=1, default_timeout_secs=1), None, []),
    (
        QueuePaused(queue="q", reason="r"),
        None,
        [("QueuePaused", {"queue_name": "q", "reason": "r"})],
    ),
    (QueueResumed(queue="q"), None, [("QueueResumed", {"queue_name": "q"})]),
    (QueueDeleted(queue="q"), None, []),
    (QueueRestored(queue="q", facts=OPEN), None, []),
    (
        QueueRestored(queue="q", facts=HELD, before=OPEN),
        None,
        [("QueuePaused", {"queue_name": "q", "reason": "r"})],
    ),
    (QueueRestored(queue="q", facts=HELD, before=HELD), None, []),
    (
        QueueRestored(queue="q", facts=OPEN, before=HELD),
        None,
        [("QueueResumed", {"queue_name": "q"})],
    ),
    (
        WorkerRegistered(worker="w", queue="q", hostname="h", max_concurrency=1, offline_at=1),
        None,
        [("WorkerRegistered", {"worker_id": "w", "queue_name": "q"})],
    ),
    (
        WorkerHeartbeat(worker="w", current_jobs=1, status="healthy", offline_at=1),
        None,
        [
            (
                "WorkerHeartbeat",
                {"worker_id": "w", "status": "healthy", "current_job_id": None},
            )
        ],
    ),
    (WorkerDeregistered(worker="w"), None, [("WorkerDeregistered", {"worker_id": "w"})]),
    (WorkerLost(worker="w"), None, [("WorkerLost", {"worker_id": "w"})]),
    (BulkApplied(action="a", verb="v", filter=Raw(b"{}")), None, []),
    (UndoApplied(undoes=3, action="a", first=7), None, []),
    (KeyCreated(key="k", name="n", hash="h", prefix="p", queues=[]), None, []),
    (KeyRevoked(key="k"), None, []),
    (ServerStarted(version="1", epoch=1), None, []),
]


def frames_of(*events: Event, before: Life | None = None, position: int = 7) -> list[Frame]:
    def life_before(event: Event) -> Life:
        assert before is not None, "nobody needs to know"
        return before

    return live.frames(Record(position, AT, "k", "r", events), life_before, lambda _: "q")[0]


def a_frame(position: int = 7, index: int = 0, **fields: Any) -> Frame:
    return Frame(position, index, fields.pop("org", "o"), "JobCreated", {}, **fields)


@pytest.mark.parametrize(("event", "before", "told"), TABLE, ids=lambda one: type(one).__name__)
def test_what_an_event_is_told_as(event: Event, before: Life | None, told: Told) -> None:
    found = frames_of(event, before=before)
    assert [(frame.type, frame.data) for frame in found] == [
        (kind, data | {"timestamp": TIMESTAMP}) for kind, data in told
    ]
    assert [frame.index for frame in found] == list(range(len(found)))
    for frame in found:
        assert (frame.position, frame.org, frame.queue) == (7, "default", "q")
        assert frame.job == getattr(event, "job", None)
        assert frame.name in NAMES.values()


def test_the_table_has_every_event() -> None:
    assert {type(event) for event, _, _ in TABLE} == set(get_args(Event))


def test_events_of_one_job_in_one_record_follow_each_other() -> None:
    found = frames_of(JobDue(job="j"), JobExpired(job="j", error="e"), before=a_life("scheduled"))
    assert [frame.data["old_status"] for frame in found] == ["scheduled", "pending"]
    assert [frame.index for frame in found] == [0, 1]
    created = JobCreated(**CREATED, timeout_secs=1, due_at=1)
    found = frames_of(created, JobCancelled(job="j"))
    assert found[-1].data["old_status"] == "scheduled"


def test_a_frame_is_one_line_for_every_reader() -> None:
    nasty = "a\nb\rc\x0bd\x1ce\x85f\u2028g\u2029h\ud7ff\U0001f600"
    content = envelope("Error", {"message": nasty}).decode()
    assert content.splitlines() == [content]
    assert json.loads(content) == {"type": "Error", "data": {"message": nasty}}
    (frame,) = frames_of(QueuePaused(queue="q", reason=nasty))
    assert frame.line == f"id: 7.0\ndata: {frame.content.decode()}\n\n".encode()
    assert json.loads(frame.message) == json.loads(frame.content) | {"id": "7.0"}
    assert json.loads(identified(frame.content, "9"))["id"] == "9"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7", Mark(7)),
        ("0", Mark(0)),
        ("7.0", Mark(7, 0)),
        ("7.12", Mark(7, 12)),
        *((bad, None) for bad in ("", "x", "-1", "7.", ".7", "7.x", "7.1.1", "1" * 20, "٣", " 7")),
    ],
)
def test_marks(text: str, found: Mark | None) -> None:
    assert mark(text) == found


@pytest.mark.parametrize(
    ("told", "after", "left"),
    [
        (Mark(7), 7, [(8, 0)]),
        (Mark(7, 0), 6, [(7, 1), (8, 0)]),
        (Mark(7, 1), 6, [(8, 0)]),
        (Mark(6), 6, [(7, 0), (7, 1), (8, 0)]),
        (Mark(8, 0), 7, []),
    ],
)
def test_what_is_left_behind_a_mark(told: Mark, after: int, left: list[Any]) -> None:
    everything = [a_frame(*place) for place in ((6, 0), (7, 0), (7, 1), (8, 0))]
    assert told.after == after
    assert [(one.position, one.index) for one in everything if told.is_before(one)] == left


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted("o"), True),
        (Wanted("other"), False),
        (Wanted("o", queues=frozenset({"q"})), True),
        (Wanted("o", queues=frozenset({"x"})), False),
        (Wanted("o", names=frozenset({"job.created"})), True),
        (Wanted("o", names=frozenset({"job.failed"})), False),
        (Wanted("o", queue="q"), True),
        (Wanted("o", queue="x"), False),
        (Wanted("o", job="j"), True),
        (Wanted("o", job="x"), False),
        (Wanted("o", queue="q", job="x"), False),
        (Wanted("o", either=frozenset({("x", None), (None, "j")})), True),
        (Wanted("o", either=frozenset({("x", None), ("q", "x")})), False),
        (Wanted("o", either=frozenset({(None, None)})), True),
        (Wanted("o", queue="x", either=frozenset({("q", None)})), False),
    ],
)
def test_who_wants_what(wanted: Wanted, takes: bool) -> None:
    assert wanted.takes(a_frame(queue="q", job="j")) is takes


def test_a_limited_key_is_told_nothing_of_no_queue() -> None:
    assert not Wanted("o", queues=frozenset({"q"})).takes(a_frame())
    assert not Wanted("o", queue="q").takes(a_frame())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, set()),
        ("", set()),
        ("*", set()),
        ("job.created,*", set()),
        ("job.created, job.status_changed", {"job.created", "job.status"}),
        ("no.such", {"no.such"}),
    ],
)
def test_names(text: str | None, found: set[str]) -> None:
    assert names(text) == found


class Twice(Storm):
    """Whatever happens: what is told with the state at hand is what is told with the log alone."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Frame] = []
        self.lives: dict[str, Life] = {}
        record = self.bench.record

        def recording(events: tuple[Event, ...]) -> None:
            if events:
                state = self.bench.state
                made = Record(state.position + 1, self.bench.clock(), "k", "r", events)
                jobs = state.tables.jobs
                lives = self.lives
                found, after = live.frames(
                    made,
                    lambda event: live.life_of(jobs[event.job]),
                    lambda _: None,  # type: ignore[union-attr]
                )
                again, _ = live.frames(made, lambda event: lives[event.job], lambda _: None)  # type: ignore[union-attr]
                assert again == found
                lives.update(after)
            record(events)
            for job in self.bench.state.tables.jobs.values():
                assert self.lives[job.id] == live.life_of(job)

        self.bench.record = recording  # type: ignore[method-assign]


TestTwice = Twice.TestCase
TestTwice.settings = settings(max_examples=20, stateful_step_count=30)
