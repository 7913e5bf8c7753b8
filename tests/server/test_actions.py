"""Actions on all that matches, dead letters, history and explanations, over HTTP."""

from typing import Any

import pytest

from projections import bounds
from server.http.route import API
from tests.server.harness import ME, Face, assert_refused


async def dead(face: Face, queue: str = "mail", **fields: Any) -> str:
    job_id = await face.create(queue, max_retries=0, **fields)
    await face.claim(queue)
    await face.settle("fail", job_id)
    return job_id


async def act(face: Face, action: str, filter_: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await face.post("/jobs/actions", {"action": action, "filter": filter_, **fields})
    assert answer.status == 200, answer.content
    made: dict[str, Any] = answer.json
    return made


async def test_a_dry_run_counts_and_changes_nothing(face: Face) -> None:
    made = [await face.create(payload={"to": "alice"}) for _ in range(3)]
    await face.create(payload={"to": "bob"})
    await face.claim()
    before = face.footprint()
    told = await act(face, "set_priority", {"contains": "alice"}, priority=5, dry_run=True)
    assert told == {
        "action": "set_priority",
        "dry_run": True,
        "action_id": None,
        "matched": 3,
        "affected": 2,
        "skipped": 1,
        "job_ids": made[1:],
    }
    assert face.footprint() == before
    done = await act(face, "set_priority", {"contains": "alice"}, priority=5)
    assert (done["matched"], done["affected"], done["job_ids"]) == (3, 2, made[1:])
    assert [(await face.job(job_id))["priority"] for job_id in made] == [0, 5, 5]


async def test_every_criterion_narrows(face: Face) -> None:
    wanted = await dead(face, "mail", tags=["red"], payload={"job_type": "send", "n": 1})
    await dead(face, "other", tags=["red"], payload={"job_type": "send", "n": 1})
    for criterion in (
        {"job_ids": [wanted]},
        {"queue_name": "mail", "status": "deadletter,failed"},
        {"queue_name": "mail", "tag": "red"},
        {"queue_name": "mail", "job_type": "send"},
        {"queue_name": "mail", "q": "SEND"},
        {"queue_name": "mail", "contains": '"n":1'},
        {"queue_name": "mail", "error": "BOOM"},
        {"queue_name": "mail", "error_signature": "boom"},
        {"queue_name": "mail", "created_after": "2020-01-01T00:00:00Z"},
        {"queue_name": "mail", "created_before": "2099-01-01T00:00:00Z"},
    ):
        told = await act(face, "purge", criterion, dry_run=True)
        assert told["job_ids"] == [wanted], criterion
        none = {**criterion, "created_before": "2020-01-01T00:00:00Z"}
        assert (await act(face, "purge", none, dry_run=True))["matched"] == 0


async def test_a_large_action_is_parts_of_one(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "JOBS_PER_RECORD_MAX", 4)
    for _ in range(10):
        await face.create()
    last = face.log.last
    made = await act(face, "cancel", {"status": "pending"})
    assert (made["affected"], face.log.last - last) == (10, 3)
    bodies = [body async for batch in face.log.read(last) for _, body in batch]
    assert all(f'"action":"{made["action_id"]}"'.encode() in body for body in bodies)
    assert [body.count(b"job.cancelled") for body in bodies] == [4, 4, 2]
    assert all(b'"filter":{"status":"pending"}' in body for body in bodies)


async def test_an_action_needs_a_criterion_and_its_priority(face: Face) -> None:
    await face.create()
    before = face.footprint()
    body: dict[str, Any] = {"action": "cancel", "filter": {}}
    assert_refused(await face.post("/jobs/actions", body), 400, "BAD_REQUEST")
    body = {"action": "set_priority", "filter": {"q": "x"}}
    refused = assert_refused(await face.post("/jobs/actions", body), 422, "VALIDATION_ERROR")
    assert refused["details"][0]["field"] == "priority"
    body = {"action": "explode", "filter": {"q": "x"}}
    assert_refused(await face.post("/jobs/actions", body), 400, "VALIDATION_ERROR")
    assert face.footprint() == before


async def test_a_limited_key_acts_in_its_queues_only(face: Face) -> None:
    mine, other = await face.create("mail"), await face.create("other")
    face.add_key("sp_test_limited", "mail")
    body = {"action": "cancel", "filter": {"status": "pending"}}
    made = await face.post("/jobs/actions", body, key="sp_test_limited")
    assert made.json["job_ids"] == [mine]
    assert (await face.job(other))["status"] == "pending"
    body = {"action": "cancel", "filter": {"queue_name": "other"}}
    denied = await face.post("/jobs/actions", body, key="sp_test_limited")
    assert_refused(denied, 403, "ACCESS_DENIED")


async def test_the_list_of_dead_letters(face: Face) -> None:
    mail, other = await dead(face, tags=["urgent"]), await dead(face, "other")
    await face.create()
    ids = {
        query: [one["id"] for one in (await face.get(f"/jobs/dlq?{query}")).json]
        for query in ("", "tag=urgent", "queue_name=other", "limit=1", "status=pending")
    }
    assert ids == {
        "": [other, mail],
        "tag=urgent": [mail],
        "queue_name=other": [other],
        "limit=1": [other],
        "status=pending": [other, mail],
    }
    assert (await face.get("/jobs/dlq?limit=1")).headers["X-Has-More"] == "true"


async def test_dead_letters_go_back_by_id_before_queue_before_all(face: Face) -> None:
    mail = [await dead(face) for _ in range(3)]
    other = await dead(face, "other")
    retry = "/jobs/dlq/retry"
    by_id = await face.post(retry, {"job_ids": [mail[2], "no"], "queue_name": "other", "limit": 1})
    assert by_id.json["retried_jobs"] == [mail[2]]
    assert (await face.post(retry, {"queue_name": "mail", "limit": 1})).json[
        "retried_jobs"
    ] == mail[:1]
    assert (await face.post(retry, {})).json["retried_jobs"] == [mail[1], other]
    assert (await face.post(retry)).json["retried_count"] == 0
    assert (await face.post(retry, {"job_ids": []})).json["retried_count"] == 0


async def test_a_purge_asks_twice_and_takes_the_oldest(face: Face) -> None:
    first = await dead(face)
    face.advance(10)
    second, other = await dead(face), await dead(face, "other")
    assert_refused(await face.post("/jobs/dlq/purge", {"confirm": False}), 400, "BAD_REQUEST")
    assert_refused(await face.post("/jobs/dlq/purge", {}), 422, "VALIDATION_ERROR")
    older = (await face.job(second))["created_at"]
    purge: dict[str, Any] = {"confirm": True, "older_than": older}
    assert (await face.post("/jobs/dlq/purge", purge)).json == {"purged_count": 1}
    assert (await face.get(f"/jobs/{first}")).status == 404
    purge = {"confirm": True, "queue_name": "other"}
    assert (await face.post("/jobs/dlq/purge", purge)).json == {"purged_count": 1}
    purge = {"confirm": True, "limit": 1}
    assert (await face.post("/jobs/dlq/purge", purge)).json == {"purged_count": 1}
    assert (await face.get(f"/jobs/{other}")).status == 404


async def test_history_tells_everything_in_order(face: Face) -> None:
    job_id = await face.create(payload={"secret": 1}, completion_webhook_secret="hush")
    await face.create()
    await face.claim(lease_duration_secs=60)
    refused = await face.post(f"/jobs/{job_id}/complete", {"worker_id": "thief"})
    assert refused.status == 409
    await face.settle("heartbeat", job_id)
    await face.settle("fail", job_id)
    face.advance(60)
    await face.claim()
    body = {"worker_id": ME, "result": {"ok": 1}}
    await face.post(f"/jobs/{job_id}/complete", body, headers={"X-Request-Id": "the-last"})
    answer = await face.get(f"/jobs/{job_id}/history")
    told = answer.json
    assert [one["event_type"] for one in told] == [
        "created",
        "claimed",
        "settlement_refused",
        "lease_extended",
        "failed",
        "due",
        "claimed",
        "completed",
    ]
    assert [one["position"] for one in told] == sorted({one["position"] for one in told})
    assert len({one["id"] for one in told}) == len(told)
    assert {one["job_id"] for one in told} == {job_id}
    assert told[2]["worker_id"] == "thief"
    assert told[4]["details"]["error"] == "boom"
    assert (told[5]["actor"], told[5]["worker_id"]) == ("system", None)
    assert told[-1]["request_id"] == "the-last"
    assert [one["attempt"] for one in told] == [0, 1, 1, 1, 1, 1, 2, 2]
    assert (told[0]["since_last_ms"], told[5]["since_last_ms"]) == (None, 60_000.0)
    assert told[2]["changes"] == []
    assert told[5]["changes"] == []
    assert {"field": "status", "before": None, "after": "pending"} in told[0]["changes"]
    assert {"field": "status", "before": "pending", "after": "processing"} in told[1]["changes"]
    lease = next(one for one in told[4]["changes"] if one["field"] == "lease_expires_at")
    assert (lease["before"][-1], lease["after"]) == ("Z", None)
    assert b"hush" not in answer.content
    assert b"secret" not in answer.content
    newest = (await face.get(f"/jobs/{job_id}/history?order_dir=desc&limit=2")).json
    assert newest == told[:-3:-1]
    page = await face.get(f"/jobs/{job_id}/history?limit=3&offset=5")
    assert (page.json, page.headers["X-Has-More"]) == (told[5:], "false")
    assert (await face.get(f"/jobs/{job_id}/history?limit=7")).headers["X-Has-More"] == "true"
    assert_refused(await face.get("/jobs/nobody/history"), 404, "NOT_FOUND")


async def test_history_of_a_bulk_job_that_was_cancelled_with_its_parent(face: Face) -> None:
    parent = await face.create()
    child = await face.create(parent_job_id=parent)
    await face.delete(f"/jobs/{parent}")
    told = (await face.get(f"/jobs/{child}/history")).json
    assert [one["event_type"] for one in told] == ["created", "cancelled"]
    assert told[1]["details"]["error"] == "Parent job failed or was deadlettered"


async def test_history_of_a_log_without_the_way_back_is_read_from_its_start(face: Face) -> None:
    """Vocabulary 1 named no earlier record."""
    job_id = await face.create()
    await face.claim()
    await face.settle("complete", job_id)
    old = [body.replace(b'"v":4', b'"v":1') for body in face.log._bodies]
    stripped = []
    for body in old:
        head, found, tail = body.partition(b',"prev":')
        stripped.append(head + b"}" + tail.partition(b"}")[2] if found else body)
    face.log._bodies[:] = stripped
    assert not any(b"prev" in body for body in face.log._bodies)
    told = (await face.get(f"/jobs/{job_id}/history")).json
    assert [one["event_type"] for one in told] == ["created", "claimed", "completed"]


async def test_explain_over_http(face: Face) -> None:
    job_id = await face.create()
    await face.post("/queues/mail/pause", {"reason": "lunch"})
    told = (await face.get(f"/jobs/{job_id}/explain")).json
    assert (told["claimable"], told["status"], told["ahead"]) == (False, "pending", 0)
    (reason,) = told["reasons"]
    assert reason["code"] == "queue_paused"
    assert "lunch" in reason["message"]
    assert reason["since"] is not None
    assert told["position"] == face.log.last
    assert_refused(await face.get("/jobs/nobody/explain"), 404, "NOT_FOUND")


async def test_a_worker_hears_that_it_should_stop(face: Face) -> None:
    job_id = await face.create()
    await face.claim()
    asked = await face.post(f"/jobs/{job_id}/cancel")
    assert (asked.status, asked.json["cancel_requested"]) == (202, True)
    assert (await face.settle("heartbeat", job_id))["cancel_requested"]
    settled = await face.settle("fail", job_id, error="stopped")
    assert (settled["status"], settled["will_retry"]) == ("cancelled", False)


async def test_fixed_paths_are_no_ids(face: Face) -> None:
    wrong = await face.ask("PATCH", f"{API}/jobs/dlq")
    assert wrong.headers["Allow"] == "GET"
