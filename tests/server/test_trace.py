"""The trace of the request that enqueued a job: kept in the event, handed to the worker, told."""

import pytest

from projections.events import JobCreated, decode
from tests.server.harness import API, ME, Face

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_job_carries_the_trace_of_its_request(face: Face) -> None:
    made = await face.post(
        "/jobs", {"queue_name": "mail", "payload": 1}, headers={"traceparent": TRACE}
    )
    job_id = made.json["id"]
    claim = await face.post("/jobs/claim", {"queue_name": "mail", "worker_id": ME})
    assert claim.json["jobs"][0]["traceparent"] == TRACE
    assert (await face.get(f"/jobs/{job_id}")).json["traceparent"] == TRACE
    history = (await face.get(f"/jobs/{job_id}/history")).json
    assert [one["details"].get("traceparent") for one in history] == [TRACE, None]


async def test_every_job_of_a_bulk_request_carries_its_trace(face: Face) -> None:
    body = {"queue_name": "mail", "jobs": [{"payload": 1}, {"payload": 2}]}
    await face.post("/jobs/bulk", body, headers={"traceparent": TRACE})
    claim = await face.post("/jobs/claim", {"queue_name": "mail", "worker_id": ME, "limit": 2})
    assert [job["traceparent"] for job in claim.json["jobs"]] == [TRACE, TRACE]


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        TRACE + "-more",
        TRACE[:-1],
    ],
)
async def test_a_header_that_is_no_trace_is_as_good_as_none(face: Face, sent: str | None) -> None:
    headers = {} if sent is None else {"traceparent": sent}
    made = await face.ask(
        "POST", f"{API}/jobs", {"queue_name": "mail", "payload": 1}, headers=headers
    )
    assert made.status == 201, made.content
    assert (await face.get(f"/jobs/{made.json['id']}")).json["traceparent"] is None
    async for batch in face.log.read(0):
        events = [event for entry in batch for event in decode(*entry).events]
        kept = [event.traceparent for event in events if isinstance(event, JobCreated)]
        assert kept in ([], [None])
