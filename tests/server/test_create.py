"""Creating: idempotency keys, bulk requests, and the client's JSON coming back as it was sent."""

from typing import Any

import pytest

from tests.server.harness import API, ME, Face, assert_refused

DOCUMENTS = [
    b"null",
    b"false",
    b'""',
    b"-0",
    b"2.50",
    b"1E400",
    b"1e-7",
    b"12345678901234567890",
    b"123456789012345678901234567890.10",
    b'{"b":1,"a":{"z":[],"y":{}}}',
    b'{"same":1,"same":2}',
    '"caf\u00e9 \U0001f600 \u2028"'.encode(),
    b'"caf\\u00e9 \\ud83d\\ude00 \\/ \\n"',
    b'{"__proto__":{"x":1}}',
    b'{"type":"job.completed"}',
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=ascii)
async def test_payload_and_result_come_back_byte_for_byte(face: Face, document: bytes) -> None:
    body = b'{"payload": ' + document + b', "queue_name": "mail"}'
    made = await face.ask("POST", f"{API}/jobs", data=body)
    assert made.status == 201, made.content
    job_id = made.json["id"]
    assert b'"payload":' + document + b"," in (await face.get(f"/jobs/{job_id}")).content
    claim = await face.post("/jobs/claim", {"queue_name": "mail", "worker_id": ME})
    assert b'"payload":' + document + b"," in claim.content
    body = b'{"worker_id":"' + ME.encode() + b'","result":' + document + b"}"
    done = await face.ask("POST", f"{API}/jobs/{job_id}/complete", data=body)
    assert done.status == 200, done.content
    found = await face.get(f"/jobs/{job_id}")
    assert b'"result":' + document + b"," in found.content
    assert (await face.get("/jobs")).status == 200


@pytest.mark.parametrize("field", ["payload", "tags", "idempotency_key"])
async def test_half_a_surrogate_pair_is_no_text(face: Face, field: str) -> None:
    before = face.footprint()
    body = f'{{"payload":1,"{field}":["\\ud800"],"queue_name":"mail"}}'.encode()
    assert (await face.ask("POST", f"{API}/jobs", data=body)).status in {400, 422}
    assert face.footprint() == before


@pytest.mark.parametrize("tags", ['["b",2.50,"caf\u00e9"]', '{"b":2.50,"a":"\u00fc","n":null}'])
async def test_tags_come_back_byte_for_byte(face: Face, tags: str) -> None:
    body = f'{{"queue_name":"mail","payload":1,"tags": {tags}}}'.encode()
    made = await face.ask("POST", f"{API}/jobs", data=body)
    assert made.status == 201, made.content
    found = await face.get(f"/jobs/{made.json['id']}")
    assert f'"tags":{tags},'.encode() in found.content


async def test_settings_and_metadata_come_back_byte_for_byte(face: Face) -> None:
    document = b'{"b":2.50,"a":[12345678901234567890]}'
    body = b'{"settings":' + document + b"}"
    made = await face.ask("PUT", f"{API}/queues/mail/config", data=body)
    assert b'"settings":' + document in made.content
    body = b'{"queue_name":"q","hostname":"h","worker_id":"w","metadata":' + document + b"}"
    await face.ask("POST", f"{API}/workers/register", data=body)
    assert b'"metadata":' + document in (await face.get("/workers/w")).content


async def test_white_space_is_not_kept_outside_of_texts(face: Face) -> None:
    body = b'{"queue_name":"mail","payload": {\n "a" : [ 1 ,\t" x \\n " ] } }'
    made = await face.ask("POST", f"{API}/jobs", data=body)
    found = await face.get(f"/jobs/{made.json['id']}")
    assert b'"payload":{"a":[1," x \\n "]},' in found.content


async def test_key_holds_over_all_queues_and_ignores_the_rest(face: Face) -> None:
    job_id = await face.create("mail", {"n": 1}, idempotency_key="k", priority=1)
    job = await face.job(job_id)
    body = {"queue_name": "new", "payload": 2, "idempotency_key": "k", "priority": 2}
    again = await face.post("/jobs", body)
    assert (again.status, again.json) == (200, {"id": job_id, "created": False})
    assert await face.job(job_id) == job
    assert [one["queue_name"] for one in (await face.get("/queues")).json] == ["mail"]


async def test_keys_differ_by_every_character(face: Face) -> None:
    keys = ["k", "K", "k ", "\u00e9", "e\u0301", None, None]
    made = [await face.create(idempotency_key=key) for key in keys]
    assert len(set(made)) == len(keys)


async def test_hit_is_still_checked(face: Face) -> None:
    await face.create(idempotency_key="k")
    body = {"queue_name": "mail", "payload": {}, "idempotency_key": "k", "priority": 101}
    assert_refused(await face.post("/jobs", body), 400, "VALIDATION_ERROR")


async def test_bulk(face: Face) -> None:
    known = await face.create("other", idempotency_key="known")
    at = face.log.last
    items: list[dict[str, Any]] = [
        {"payload": 0, "priority": 1},
        {"payload": 1, "priority": 101},
        {"payload": 2, "idempotency_key": "twice"},
        {"payload": 3, "idempotency_key": "twice"},
        {"payload": 4, "idempotency_key": "known"},
        {"payload": 5, "idempotency_key": ""},
        {"payload": "x" * 1_048_575},
        {"payload": 7, "scheduled_at": "2099-01-01T00:00:00Z"},
        {"payload": 8, "idempotency_key": "x" * 256},
        {"payload": 9, "priority": None, "max_retries": 50},
    ]
    made = await face.post(
        "/jobs/bulk",
        {"queue_name": "mail", "jobs": items, "default_priority": 5, "default_max_retries": 0},
    )
    assert made.status == 200
    assert set(made.json) == {"succeeded", "failed", "total", "success_count", "failure_count"}
    assert (made.json["total"], made.json["success_count"], made.json["failure_count"]) == (
        10,
        6,
        4,
    )
    created = {one["index"]: (one["job_id"], one["created"]) for one in made.json["succeeded"]}
    assert all(set(one) == {"index", "job_id", "created"} for one in made.json["succeeded"])
    assert all(set(one) == {"index", "error"} for one in made.json["failed"])
    assert [one["index"] for one in made.json["failed"]] == [1, 5, 6, 8]
    assert all(one["error"] for one in made.json["failed"])
    assert list(created) == [0, 2, 3, 4, 7, 9]
    assert created[3] == (created[2][0], False)
    assert created[4] == (known, False)
    assert face.log.last == at + 1, "one command is one record"
    jobs = {index: await face.job(job_id) for index, (job_id, new) in created.items() if new}
    assert {index: job["payload"] for index, job in jobs.items()} == {0: 0, 2: 2, 7: 7, 9: 9}
    assert {job["max_retries"] for job in jobs.values()} == {0}
    assert {index: job["priority"] for index, job in jobs.items()} == {0: 1, 2: 5, 7: 5, 9: 5}
    assert jobs[7]["status"] == "scheduled"


async def test_bulk_of_nothing_new_changes_nothing(face: Face) -> None:
    await face.create(idempotency_key="k")
    before = face.footprint()
    items = [{"payload": 1, "idempotency_key": "k"}, {"payload": 1, "priority": -101}]
    made = await face.post("/jobs/bulk", {"queue_name": "new", "jobs": items})
    assert (made.json["success_count"], made.json["failure_count"]) == (1, 1)
    assert face.footprint() == before


async def test_item_that_failed_leaves_its_key_free(face: Face) -> None:
    items = [
        {"payload": 1, "idempotency_key": "k", "priority": 101},
        {"payload": 2, "idempotency_key": "k"},
    ]
    made = await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": items})
    (one,) = made.json["succeeded"]
    assert (one["index"], one["created"]) == (1, True)


async def test_item_at_the_edge_of_the_calendar_fails_alone(face: Face) -> None:
    items = [{"payload": 1, "scheduled_at": "9999-12-31T23:59:59-14:00"}, {"payload": 2}]
    made = await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": items})
    assert [one["index"] for one in made.json["failed"]] == [0]
    assert (await face.get("/jobs")).status == 200


@pytest.mark.parametrize(
    ("item", "field"),
    [({}, "payload"), ({"payload": 1, "priority": "1"}, "priority"), (1, ""), (None, "")],
)
async def test_item_of_the_wrong_shape_refuses_the_request(
    face: Face, item: object, field: str
) -> None:
    before = face.footprint()
    body = {"queue_name": "mail", "jobs": [{"payload": 1}, item]}
    refused = assert_refused(await face.post("/jobs/bulk", body), 422, "VALIDATION_ERROR")
    assert refused["details"][0]["field"].startswith("jobs[")
    assert refused["details"][0]["field"].endswith(field)
    assert face.footprint() == before
