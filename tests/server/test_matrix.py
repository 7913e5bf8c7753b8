"""Operation x state of one job (contract section 10), one row per operation."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from msgspec import Struct

from tests.server.harness import ME, Answer, Face, assert_refused

STATES: Final = (
    "pending",
    "scheduled",
    "processing",
    "completed",
    "deadletter",
    "cancelled",
    "unknown",
)
QUEUE: Final = "mail"
KEY: Final = "the-key"
LATER: Final = "2099-01-01T00:00:00Z"
SETTLE: Final = {
    "heartbeat": {"lease_duration_secs": 60},
    "complete": {"result": {"ok": True}},
    "fail": {"error": "no"},
}


class Subject(Struct, frozen=True):
    """The job, the lease it has or last had, and one it had before that."""

    id: str
    lease: str | None
    stale: str


class Wanted(Struct, frozen=True):
    """A status, the code of a refusal, and whether the late write goes on record."""

    status: int
    code: str = ""
    recorded: bool = False


LATE: Final = Wanted(409, "LEASE_EXPIRED", recorded=True)
ENDED: Final = Wanted(409, "CONFLICT")
GONE: Final = Wanted(404, "NOT_FOUND")
YES: Final = Wanted(200)
Row = Mapping[str, Wanted]


def row(*wanted: Wanted) -> Row:
    return dict(zip(STATES, wanted, strict=True))


async def brought(face: Face, state: str) -> Subject:
    """Bring a job to a state, with one lost lease behind it where that is possible."""
    if state == "unknown":
        return Subject("no-such-job", "no-such-lease", "no-such-lease")
    when = {"scheduled_at": LATER} if state == "scheduled" else {}
    job_id = await face.create(QUEUE, idempotency_key=KEY, max_retries=1, **when)
    if state in {"scheduled", "cancelled"}:
        if state == "cancelled":
            assert (await face.delete(f"/jobs/{job_id}")).status == 204
        return Subject(job_id, None, "no-such-lease")
    (first,) = await face.claim(QUEUE)
    face.advance(31)
    if state == "pending":
        return Subject(job_id, first["lease_id"], "no-such-lease")
    (second,) = await face.claim(QUEUE)
    if state == "completed":
        await face.settle("complete", job_id)
    elif state == "deadletter":
        await face.settle("fail", job_id)
    return Subject(job_id, second["lease_id"], first["lease_id"])


Ask = Callable[[Face, Subject], Any]


def settle(verb: str, lease: str | None, worker: str = ME) -> Ask:
    async def ask(face: Face, subject: Subject) -> Answer:
        body: dict[str, Any] = {"worker_id": worker, **SETTLE[verb]}
        if lease is not None:
            body["lease_id"] = {"current": subject.lease, "stale": subject.stale}.get(lease, lease)
        return await face.post(f"/jobs/{subject.id}/{verb}", body)

    return ask


def plain(method: str, path: str, body: Any = None) -> Ask:
    async def ask(face: Face, subject: Subject) -> Answer:
        return await face.ask(method, f"/api/v1/jobs/{subject.id}{path}", body)

    return ask


async def create_again(face: Face, _: Subject) -> Answer:
    body = {"queue_name": "other", "payload": 2, "idempotency_key": KEY}
    return await face.post("/jobs", body)


HOLDER: Final = row(LATE, LATE, YES, ENDED, ENDED, ENDED, GONE)
OTHERS: Final = row(LATE, LATE, LATE, ENDED, ENDED, ENDED, GONE)

MATRIX: Final[dict[str, tuple[Ask, Row]]] = {
    **{f"{verb}, current lease": (settle(verb, "current"), HOLDER) for verb in SETTLE},
    **{f"{verb}, no lease, right worker": (settle(verb, None), HOLDER) for verb in SETTLE},
    **{f"{verb}, stale lease": (settle(verb, "stale"), OTHERS) for verb in SETTLE},
    **{f"{verb}, made-up lease": (settle(verb, "made-up"), OTHERS) for verb in SETTLE},
    **{f"{verb}, empty lease": (settle(verb, ""), OTHERS) for verb in SETTLE},
    **{
        f"{verb}, current lease, wrong worker": (settle(verb, "current", "w2"), OTHERS)
        for verb in SETTLE
    },
    **{f"{verb}, no lease, wrong worker": (settle(verb, None, "w2"), OTHERS) for verb in SETTLE},
    "cancel": (
        plain("DELETE", ""),
        row(Wanted(204), Wanted(204), ENDED, ENDED, ENDED, ENDED, GONE),
    ),
    "stop": (
        plain("POST", "/cancel", {"reason": "enough"}),
        row(YES, YES, Wanted(202), ENDED, ENDED, ENDED, GONE),
    ),
    "priority": (
        plain("PUT", "/priority", {"priority": 9}),
        row(YES, YES, GONE, GONE, GONE, GONE, GONE),
    ),
    "retry": (plain("POST", "/retry"), row(ENDED, ENDED, ENDED, ENDED, YES, ENDED, GONE)),
    "create": (create_again, row(YES, YES, YES, YES, YES, YES, Wanted(201))),
}

AFTER: Final = {
    "heartbeat": "processing",
    "complete": "completed",
    "fail": "deadletter",
    "cancel": "cancelled",
    "retry": "pending",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", MATRIX)
async def test_operation_on_state(face: Face, operation: str, state: str) -> None:
    ask, wanted = MATRIX[operation][0], MATRIX[operation][1][state]
    verb = operation.partition(",")[0]
    subject = await brought(face, state)
    before = face.engine.state.job("default", subject.id)
    job = None if before is None else await face.job(subject.id)
    at = face.footprint()

    answer = await ask(face, subject)

    if wanted.code:
        refused = assert_refused(answer, wanted.status, wanted.code)
        if wanted is ENDED and verb in {*SETTLE, "cancel", "stop"}:
            assert refused["message"] == f"Job is already {state}"
        assert (face.footprint() == at) == (not wanted.recorded)
        assert face.log.last == at[1] + wanted.recorded
        if job is not None:
            assert await face.job(subject.id) == job
    else:
        assert answer.status == wanted.status, answer.content
        if verb == "create":
            hit = state != "unknown"
            assert answer.json["created"] == (not hit)
            assert (answer.json["id"] == subject.id) == hit
            assert (face.footprint() == at) == hit
        else:
            after = AFTER.get(verb, state)
            if verb == "stop" and answer.status == 200:
                after = "cancelled"
            assert (await face.job(subject.id))["status"] == after
            assert face.log.last == at[1] + 1


@pytest.mark.parametrize("state", STATES)
async def test_claim(face: Face, state: str) -> None:
    subject = await brought(face, state)
    claimed = await face.claim(QUEUE, limit=100)
    assert [job["id"] for job in claimed] == ([subject.id] if state == "pending" else [])


@pytest.mark.parametrize("verb", SETTLE)
async def test_late_write_is_recorded_with_what_it_sent(face: Face, verb: str) -> None:
    subject = await brought(face, "processing")
    await settle(verb, "stale", "w2")(face, subject)
    batches = [batch async for batch in face.log.read(face.log.last - 1)]
    ((_, body),) = batches[0]
    assert b'"type":"job.settlement_refused"' in body
    for told in (f'"verb":"{verb}"', '"worker":"w2"', f'"lease":"{subject.stale}"'):
        assert told.encode() in body


@pytest.mark.parametrize("verb", SETTLE)
async def test_settlement_at_the_moment_the_lease_ends(face: Face, verb: str) -> None:
    job_id = await face.create()
    (claimed,) = await face.claim()
    face.clock.advance(30)
    body = {"worker_id": ME, "lease_id": claimed["lease_id"], **SETTLE[verb]}
    assert_refused(await face.post(f"/jobs/{job_id}/{verb}", body), 409, "LEASE_EXPIRED")
    job = await face.job(job_id)
    assert (job["status"], job["retry_count"]) == ("pending", 1)


@pytest.mark.parametrize("state", STATES)
async def test_dead_letter_retry_by_id(face: Face, state: str) -> None:
    subject = await brought(face, state)
    at = face.footprint()
    answer = await face.post("/jobs/dlq/retry", {"job_ids": [subject.id]})
    revived = [subject.id] if state == "deadletter" else []
    assert answer.json == {
        "retried_count": len(revived),
        "retried_jobs": revived,
        "skipped_jobs": [],
    }
    assert (face.footprint() == at) == (not revived)
    if revived:
        job = await face.job(subject.id)
        assert (job["status"], job["retry_count"], job["last_error"]) == ("pending", 0, None)


@pytest.mark.parametrize("state", STATES)
async def test_dead_letter_purge(face: Face, state: str) -> None:
    subject = await brought(face, state)
    answer = await face.post("/jobs/dlq/purge", {"confirm": True})
    purged = state == "deadletter"
    assert answer.json == {"purged_count": int(purged)}
    found = (await face.get(f"/jobs/{subject.id}")).status
    assert found == (404 if purged or state == "unknown" else 200)
    again = await create_again(face, subject)
    assert (again.status == 201) == (purged or state == "unknown")


@pytest.mark.parametrize("with_jobs", [False, True])
@pytest.mark.parametrize("state", [state for state in STATES if state != "unknown"])
async def test_queue_delete(face: Face, state: str, with_jobs: bool) -> None:
    subject = await brought(face, state)
    at = face.footprint()
    answer = await face.delete(f"/queues/{QUEUE}?delete_jobs={str(with_jobs).lower()}")
    if state in {"pending", "processing"} and not with_jobs:
        assert_refused(answer, 409, "CONFLICT")
        assert face.footprint() == at
        return
    assert answer.status == 204
    assert (await face.get(f"/queues/{QUEUE}")).status == 404
    assert (await face.get(f"/jobs/{subject.id}")).status == (404 if with_jobs else 200)


async def test_matrix_is_whole() -> None:
    assert all(tuple(wanted) == STATES for _, wanted in MATRIX.values())
    assert len(MATRIX) == 7 * len(SETTLE) + 5
