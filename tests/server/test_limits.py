"""Contract section 1.5: each limit from below, at it, and from above."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.server.harness import ME, Face, assert_refused

KIB64: Final = 65_536


def text(length: int) -> str:
    return "x" * length


def sized(length: int, kind: type = dict) -> Any:
    """Give JSON that is `length` bytes long when minified."""
    return {"k": text(length - 8)} if kind is dict else [text(length - 4)]


NAMES: Final = (
    ["a", "_a", "a.b-c_D", "0", text(100), "x-special_queue.test-123"],
    ["", ".a", "-a", "a b", "a/b", "é", "a\n", text(101)],
)
WORKER_IDS: Final = (["a", "-a.b_c", text(128)], ["", "a b", "é", "a\n", text(129)])
HOSTNAMES: Final = (
    ["a", "a.b-c", text(255)],
    ["", ".a", "-a", "a.", "a-", "a b", "a\n", text(256)],
)
SETTINGS: Final = ([{}, sized(KIB64)], [sized(KIB64 + 1), [], "text", 1, True])
CLAIM: Final = {"queue_name": "mail", "worker_id": ME}
JOB: Final = {"queue_name": "mail", "payload": {}}
BULK: Final = {"queue_name": "mail", "jobs": [{"payload": 1}]}
WORKER: Final = {"queue_name": "mail", "hostname": "h"}

# path -> body that is fine, and for each field the values that are fine and those that are not
LIMITS: Final[dict[str, tuple[dict[str, Any], dict[str, tuple[list[Any], list[Any]]]]]] = {
    "POST /jobs": (
        JOB,
        {
            "queue_name": NAMES,
            "priority": ([-100, 0, 100], [-101, 101, 10**30, -(10**30)]),
            "max_retries": ([0, 100], [-1, 101]),
            "timeout_seconds": ([1, 86_400], [0, -1, 86_401]),
            "idempotency_key": (["k", text(255), "é" * 255], ["", text(256)]),
            "tags": (
                [{}, [], sized(KIB64), sized(KIB64, list), ["a", 1, None]],
                ["text", 1, True, sized(KIB64 + 1), sized(KIB64 + 1, list)],
            ),
            "parent_job_id": (["p", text(255)], ["", text(256)]),
            "completion_webhook": (
                ["http://h", "https://h/" + text(2_038)],
                ["", "h", "ftp://h", "https://a b", "https://h/" + text(2_039)],
            ),
            "completion_webhook_secret": ([text(255)], [text(256)]),
            "scheduled_at": (
                ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00.123456+05:30"],
                ["", "tomorrow", "2020-13-01T00:00:00Z", "2020-01-01"],
            ),
            "expires_at": (["2099-01-01T00:00:00Z"], ["never"]),
        },
    ),
    "POST /jobs/bulk": (
        BULK,
        {
            "queue_name": NAMES,
            "jobs": (
                [[{"payload": 1}], [{"payload": 1}] * 100],
                [[], [{"payload": 1}] * 101],
            ),
            "default_priority": ([-100, 100], [-101, 101]),
            "default_max_retries": ([0, 100], [-1, 101]),
            "default_timeout_seconds": ([1, 86_400], [0, 86_401]),
        },
    ),
    "POST /jobs/claim": (
        CLAIM,
        {
            "queue_name": NAMES,
            "worker_id": (["any text at all", text(255)], ["", text(256)]),
            "limit": ([1, 100], [0, -1, 101]),
            "lease_duration_secs": ([5, 3_600], [4, 3_601]),
            "wait_secs": ([0, 0.01], [-0.1, 20.1, 21]),
        },
    ),
    "POST /jobs/bulk/complete": (
        {"worker_id": ME, "jobs": [{"job_id": "x"}]},
        {
            "worker_id": (["any text at all", text(255)], ["", text(256)]),
            "jobs": ([[{"job_id": "x"}] * 100], [[], [{"job_id": "x"}] * 101]),
        },
    ),
    "POST /jobs/bulk/fail": (
        {"worker_id": ME, "jobs": [{"job_id": "x", "error": "e"}]},
        {
            "jobs": (
                [[{"job_id": "x", "error": "e"}] * 100],
                [[], [{"job_id": "x", "error": "e"}] * 101],
            )
        },
    ),
    "POST /jobs/dlq/retry": (
        {},
        {
            "queue_name": NAMES,
            "limit": ([1, 100], [0, -1, 101]),
            "job_ids": ([[], ["x"] * 1_000], [["x"] * 1_001]),
        },
    ),
    "POST /jobs/dlq/purge": (
        {"confirm": True},
        {
            "queue_name": NAMES,
            "limit": ([1, 10_000], [0, -1, 10_001]),
            "older_than": (["2020-01-01T00:00:00Z"], ["yesterday"]),
        },
    ),
    "POST /jobs/actions": (
        {"action": "purge", "filter": {"q": "x"}},
        {
            "action": (["cancel", "retry", "purge"], ["", "explode"]),
            "priority": ([-100, 100], [-101, 101]),
        },
    ),
    "POST /jobs/{held}/cancel": ({}, {"reason": (["", text(500)], [text(501)])}),
    "PUT /jobs/{waiting}/priority": (
        {"priority": 0},
        {"priority": ([-100, -99, 99, 100], [-101, 101])},
    ),
    "POST /jobs/{held}/heartbeat": (
        {"worker_id": ME},
        {
            "lease_duration_secs": ([5, 6, 3_599, 3_600], [4, 3_601, 0, -1]),
            "worker_id": ([], ["", text(256)]),
            "lease_id": ([], [text(256)]),
        },
    ),
    "POST /jobs/{held}/complete": (
        {"worker_id": ME},
        {"worker_id": ([], ["", text(256)]), "lease_id": ([], [text(256)])},
    ),
    "POST /jobs/{held}/fail": (
        {"worker_id": ME, "error": "e"},
        {
            "error": (["e", text(2_048), "é" * 2_048], ["", text(2_049)]),
            "worker_id": ([], ["", text(256)]),
            "lease_id": ([], [text(256)]),
        },
    ),
    "PUT /queues/mail/config": (
        {},
        {
            "max_retries": ([0, 100], [-1, 101]),
            "default_timeout": ([1, 86_400], [0, 86_401]),
            "rate_limit": ([1, 100_000], [0, -1, 100_001]),
            "settings": SETTINGS,
        },
    ),
    "POST /queues/mail/pause": ({}, {"reason": (["", text(500)], [text(501)])}),
    "POST /workers/register": (
        WORKER,
        {
            "queue_name": NAMES,
            "hostname": HOSTNAMES,
            "worker_id": WORKER_IDS,
            "worker_type": (["", text(50)], [text(51)]),
            "version": (["", text(50)], [text(51)]),
            "max_concurrency": ([1, 100], [0, 101]),
            "metadata": SETTINGS,
        },
    ),
    "POST /workers/me/heartbeat": (
        {"current_jobs": 0},
        {
            "current_jobs": ([0, 1_000], [-1, 1_001]),
            "status": (["healthy", "degraded", "offline", "draining"], ["", "fine"]),
            "metadata": SETTINGS,
        },
    ),
}


def cases(good: bool) -> Iterator[Any]:
    for endpoint, (body, fields) in LIMITS.items():
        for field, (fine, wrong) in fields.items():
            for value in fine if good else wrong:
                words = f"{endpoint} {field} {str(value)[:20]!r} {len(str(value))}"
                yield pytest.param(endpoint, {**body, field: value}, field, id=ascii(words))


async def path_of(face: Face, endpoint: str) -> tuple[str, str]:
    held = await face.create()
    await face.claim()
    waiting = await face.create()
    await face.post("/workers/register", {**WORKER, "worker_id": "me"})
    method, _, path = endpoint.partition(" ")
    return method, "/api/v1" + path.replace("{held}", held).replace("{waiting}", waiting)


@pytest.mark.parametrize(("endpoint", "body", "field"), list(cases(good=True)))
async def test_within(face: Face, endpoint: str, body: dict[str, Any], field: str) -> None:
    method, path = await path_of(face, endpoint)
    answer = await face.ask(method, path, body)
    assert answer.status in {200, 201, 202}, (field, answer.content)


@pytest.mark.parametrize(("endpoint", "body", "field"), list(cases(good=False)))
async def test_beyond(face: Face, endpoint: str, body: dict[str, Any], field: str) -> None:
    method, path = await path_of(face, endpoint)
    before = face.footprint()
    refused = assert_refused(await face.ask(method, path, body), 400, "VALIDATION_ERROR")
    assert refused["details"][0]["field"] == field
    assert face.footprint() == before


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"]
)
@pytest.mark.parametrize("field", ["scheduled_at", "expires_at"])
async def test_time_at_the_edge_of_the_calendar(face: Face, field: str, moment: str) -> None:
    made = await face.post("/jobs", {**JOB, field: moment})
    if made.status == 201:
        found = await face.get(f"/jobs/{made.json['id']}")
        assert found.status == 200, "a job that was taken in can be read"
    else:
        refused = assert_refused(made, 400, "VALIDATION_ERROR")
        assert refused["details"][0]["field"] == field
    assert (await face.get("/jobs")).status == 200


@pytest.mark.parametrize(("count", "status"), [(0, 200), (100, 200), (101, 400)])
async def test_batch_status_takes_100_ids(face: Face, count: int, status: int) -> None:
    answer = await face.get("/jobs/status?ids=" + ",".join(map(str, range(count))))
    assert answer.status == status
    if status == 200:
        assert answer.json == []
    else:
        assert_refused(answer, 400, "BAD_REQUEST")


async def test_batch_status_needs_ids(face: Face) -> None:
    assert_refused(await face.get("/jobs/status"), 400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 50),
        *(("limit=0", 1), ("limit=-5", 1), ("limit=1", 1)),
        *(("limit=100", 100), ("limit=101", 100), ("limit=200", 100)),
        *(("offset=-3", 50), ("offset=99&limit=9", 3)),
    ],
)
async def test_page_limits_are_clamped(face: Face, query: str, count: int) -> None:
    jobs = [{"payload": 1}] * 51
    for _ in range(2):
        await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": jobs})
    answer = await face.get(f"/jobs?{query}")
    assert len(answer.json) == count
    assert answer.headers["X-Has-More"] == ("false" if "offset=99" in query else "true")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(("limit=x", "limit"), ("limit=" + "9" * 5_000, "limit"), ("offset=1.5", "offset")),
        *(("created_after=x", "created_after"), ("created_before=2020", "created_before")),
        ("tag=" + text(1_025), "tag"),
    ],
)
async def test_query_that_cannot_be_read(face: Face, query: str, field: str) -> None:
    refused = assert_refused(await face.get(f"/jobs?{query}"), 400, "VALIDATION_ERROR")
    assert refused["details"][0]["field"] == field
