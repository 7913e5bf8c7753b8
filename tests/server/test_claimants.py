"""Workers as their jobs tell of them: nobody need announce themselves to be seen."""

from typing import Any

import pytest

from projections.decide import Caller
from server import claimants
from server.claimants import Claimants
from tests.server.harness import Face, started

CALLER = Caller("default", "k", "r")


async def seen(face: Face, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await face.get("/claimants", **options)).json
    return found


def told(found: list[dict[str, Any]], *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(one[field] for field in fields) for one in found]


async def claim(face: Face, worker: str, queue: str = "mail", **fields: Any) -> dict[str, Any]:
    body = {"queue_name": queue, "worker_id": worker, **fields}
    (job,) = (await face.post("/jobs/claim", body)).json["jobs"]
    return dict(job)


async def settle(face: Face, verb: str, job: dict[str, Any], worker: str, **fields: Any) -> None:
    answer = await face.post(f"/jobs/{job['id']}/{verb}", {"worker_id": worker, **fields})
    assert answer.status == 200, answer.content


async def test_who_claims_is_seen_with_what_it_did(face: Face) -> None:
    assert await seen(face) == []
    for _ in range(4):
        await face.create(max_retries=0)
    first = await claim(face, "w1")
    face.advance(2)
    second, third = await claim(face, "w1"), await claim(face, "w2")
    assert told(await seen(face), "worker_id", "holding", "claimed") == [("w1", 2, 2), ("w2", 1, 1)]
    face.advance(1)
    await settle(face, "complete", second, "w1")
    face.advance(1)
    await settle(face, "fail", third, "w2", error="e")
    fields = ("worker_id", "queue_name", "holding", "claimed", "completed", "failed", "leases_lost")
    found = await seen(face)
    assert told(found, *fields) == [
        ("w2", "mail", 0, 1, 0, 1, 0),
        ("w1", "mail", 1, 2, 1, 0, 0),
    ]
    assert found[0]["oldest_claimed_at"] is None
    assert found[1]["oldest_claimed_at"] == (await face.job(first["id"]))["started_at"]


async def test_a_heartbeat_is_a_sign_of_life_and_a_lost_lease_is_none(face: Face) -> None:
    for _ in range(2):
        await face.create()
    kept = await claim(face, "w1", lease_duration_secs=30)
    await claim(face, "w2", lease_duration_secs=30)
    face.advance(20)
    await settle(face, "heartbeat", kept, "w1", lease_duration_secs=300)
    heard = (await seen(face))[0]["last_heard_at"]
    face.advance(20)
    await face.create()  # what is due is recorded before any command
    found = await seen(face)
    assert told(found, "worker_id", "holding", "leases_lost") == [("w1", 1, 0), ("w2", 0, 1)]
    assert found[0]["last_heard_at"] == heard
    assert found[1]["last_heard_at"] < heard


async def test_each_queue_is_told_on_its_own_and_to_those_who_may_see_it(face: Face) -> None:
    face.add_key("sp_mail_only_0000", "mail")
    for queue in ("mail", "video"):
        await face.create(queue)
        await claim(face, "w1", queue)
    assert {one["queue_name"] for one in await seen(face)} == {"mail", "video"}
    assert told(await seen(face, key="sp_mail_only_0000"), "queue_name") == [("mail",)]


async def test_after_a_start_those_who_hold_a_job_are_known(face: Face) -> None:
    await face.create()
    job = await claim(face, "w1")
    again = Claimants(face.engine)
    (only,) = await again.listed(CALLER)
    assert (only.worker, only.holding, only.doings.claimed) == ("w1", 1, 0)
    assert only.doings.last_at == only.oldest_at
    await settle(face, "complete", job, "w1")
    assert [one.holding for one in await again.listed(CALLER)] == [0]


async def test_those_heard_of_longest_ago_are_forgotten(
    aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimants, "KEPT_MAX", 3)
    face = await started(aiohttp_client)
    for number in range(5):
        await face.create()
        face.advance(1)
        await settle(face, "complete", await claim(face, f"w{number}"), f"w{number}")
    assert told(await seen(face), "worker_id") == [("w4",), ("w3",), ("w2",)]
