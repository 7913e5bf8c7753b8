"""What is not a proper request body is refused, and changes nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import fields

from projections import bounds
from server.http.jobs import BULK_JOBS, NEW_JOB
from server.http.route import Route
from server.http.routes import ROUTES
from server.http.settlements import COMPLETION
from tests.server import examples
from tests.server.examples import WITH_BODY, example_of, stocked
from tests.server.harness import API, KEY, ME, Answer, Face, assert_refused

MIB = 1_048_576
every_body = pytest.mark.parametrize("route", WITH_BODY, ids=examples.name)


async def send(face: Face, route: Route, data: Any, **headers: str) -> Answer:
    """Send these bytes; whatever comes back, a refusal must have left everything as it was."""
    stock, example = await stocked(face), example_of(route)
    before = face.footprint()
    answer = await face.ask(
        route.method,
        stock.path(route, example),
        data=stock.filled(data),
        headers=headers,
        key=stock.ids["token"] if example.token else KEY,
    )
    if answer.status >= 400:
        assert face.footprint() == before
    return answer


def proper(route: Route) -> bytes:
    return json.dumps(example_of(route).body).encode()


@every_body
@pytest.mark.parametrize(
    "data",
    [b"no", b"{", b'{"a":}', b"{'a':1}", b" ", b'"\\x"', b"{,}", b"\x00", b"NaN"],
)
async def test_not_json(face: Face, route: Route, data: bytes) -> None:
    assert_refused(await send(face, route, data), 400, "INVALID_JSON")


@every_body
async def test_more_than_one_document(face: Face, route: Route) -> None:
    answer = await send(face, route, proper(route) + b" {}")
    assert_refused(answer, 400, "INVALID_JSON")


@every_body
async def test_truncated(face: Face, route: Route) -> None:
    for length in range(1, len(proper(route)) - 1):
        answer = await send(face, route, proper(route)[:length])
        assert_refused(answer, 400, "INVALID_JSON")


@every_body
async def test_not_utf_8(face: Face, route: Route) -> None:
    data = proper(route)[:-1] + b',"extra":"\xff\xfe"}'
    assert_refused(await send(face, route, data), 400, "INVALID_JSON")


@every_body
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_extra_field_nested_5000_deep(face: Face, route: Route, opening: bytes) -> None:
    closing = {b"[": b"]", b'{"a":': b"}"}[opening]
    deep = opening * 5_000 + b"1" + closing * 5_000
    data = proper(route)[:-1] + b',"extra":' + deep + b"}"
    answer = await send(face, route, data)
    if answer.status >= 400:
        assert_refused(answer, 400, "INVALID_JSON")
    else:
        assert answer.status == example_of(route).status


@every_body
async def test_body_of_5000_brackets(face: Face, route: Route) -> None:
    answer = await send(face, route, b"[" * 5_000 + b"]" * 5_000)
    assert_refused(answer, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("route_body", "field", "path"),
    [
        (NEW_JOB, "payload", "/jobs"),
        (NEW_JOB, "tags", "/jobs"),
        (COMPLETION, "result", "/jobs/{held}/complete"),
    ],
)
async def test_documents_may_nest_100_levels(
    face: Face, route_body: object, field: str, path: str
) -> None:
    stock = await stocked(face)
    path = API + path.replace("{held}", stock.ids["held"])
    fields = {"queue_name": "mail", "payload": {}, "worker_id": ME}
    refusals = {101: (400, "VALIDATION_ERROR"), 400_000: (400, "INVALID_JSON")}
    for levels, refusal in refusals.items():
        before = face.footprint()
        head = json.dumps({k: v for k, v in fields.items() if k != field})[:-1].encode()
        data = head + b',"' + field.encode() + b'":' + b"[" * levels + b"]" * levels + b"}"
        assert_refused(await face.ask("POST", path, data=data), *refusal)
        assert face.footprint() == before
    data = head + b',"' + field.encode() + b'":' + b"[" * 100 + b"]" * 100 + b"}"
    assert (await face.ask("POST", path, data=data)).status in {200, 201}


@every_body
@pytest.mark.parametrize("body", ["[]", '"text"', "1", "true", "null"])
async def test_wrong_top_level_type(face: Face, route: Route, body: str) -> None:
    refused = assert_refused(await send(face, route, body.encode()), 422, "VALIDATION_ERROR")
    assert refused["details"][0]["field"] == "body"


@every_body
async def test_empty_body(face: Face, route: Route) -> None:
    answer = await send(face, route, b"")
    if route.body is not None and route.body.empty_ok:
        assert answer.status == example_of(route).status
    else:
        assert_refused(answer, 400, "INVALID_JSON")


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.body is None and r.method == "POST"], ids=examples.name
)
@pytest.mark.parametrize("data", [b"", b"{}", b"not json"])
async def test_body_that_is_not_wanted_is_ignored(face: Face, route: Route, data: bytes) -> None:
    assert (await send(face, route, data)).status == example_of(route).status


def _required() -> list[Any]:
    cases = []
    for route in WITH_BODY:
        wanted = [f.encode_name for f in _fields(route) if f.required]
        cases += [pytest.param(route, name, id=f"{examples.name(route)} {name}") for name in wanted]
    return cases


def _fields(route: Route) -> Any:
    assert route.body is not None
    return fields(route.body.spec)


@pytest.mark.parametrize(("route", "field"), _required())
async def test_required_field(face: Face, route: Route, field: str) -> None:
    body = dict(example_of(route).body)
    del body[field]
    refused = assert_refused(
        await send(face, route, json.dumps(body).encode()), 422, "VALIDATION_ERROR"
    )
    assert refused["details"] == [{"field": field, "message": "required"}]
    if field == "payload":
        return
    for wrong in (None, [] if field == "filter" else {}, 1.5):
        data = json.dumps({**body, field: wrong}).encode()
        refused = assert_refused(await send(face, route, data), 422, "VALIDATION_ERROR")
        assert refused["details"][0]["field"] == field


@every_body
async def test_optional_fields_may_be_null_and_unknown_ones_are_ignored(
    face: Face, route: Route
) -> None:
    nulls = {f.encode_name: None for f in _fields(route) if not f.required}
    data = json.dumps({**nulls, **example_of(route).body, "future": [1]}).encode()
    assert (await send(face, route, data)).status == example_of(route).status


@every_body
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_body_over_its_limit(face: Face, route: Route, chunked: bool) -> None:
    assert route.body is not None
    limit = route.body.bytes_max
    assert limit in {bounds.BODY_BYTES_MAX, bounds.BULK_BODY_BYTES_MAX}
    over = proper(route).ljust(limit + 1)
    answer = await send(face, route, _pieces(over) if chunked else over)
    assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")
    fits = await face.ask(
        "POST", f"{API}/jobs/bulk", data=proper(_bulk()).ljust(bounds.BODY_BYTES_MAX)
    )
    assert fits.status == 200


@every_body
async def test_body_at_its_limit(face: Face, route: Route) -> None:
    assert route.body is not None
    limit = route.body.bytes_max
    assert limit in {bounds.BODY_BYTES_MAX, bounds.BULK_BODY_BYTES_MAX}
    answer = await send(face, route, proper(route).ljust(limit))
    assert answer.status == example_of(route).status


@pytest.mark.parametrize("excess", [0, 1])
async def test_payload_of_a_mebibyte(face: Face, excess: int) -> None:
    payload = "x" * (MIB - 2 + excess)
    before = face.footprint()
    answer = await face.post("/jobs", {"queue_name": "mail", "payload": payload})
    if excess:
        assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")
        assert face.footprint() == before
    else:
        assert answer.status == 201
        assert (await face.job(answer.json["id"]))["payload"] == payload


async def test_payload_is_measured_without_its_white_space(face: Face) -> None:
    data = b'{"queue_name":"mail","payload":[' + b" " * (MIB + 9) + b"1 ]}"
    answer = await face.ask("POST", f"{API}/jobs", data=data)
    assert answer.status == 201


@pytest.mark.parametrize("excess", [0, 1])
async def test_result_of_a_mebibyte(face: Face, excess: int) -> None:
    job_id = await face.create()
    await face.claim()
    before = face.footprint()
    body = {"worker_id": ME, "result": "x" * (MIB - 2 + excess)}
    answer = await face.post(f"/jobs/{job_id}/complete", body)
    if excess:
        assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")
        assert face.footprint() == before
    else:
        assert answer.status == 200
        assert (await face.job(job_id))["status"] == "completed"


@every_body
async def test_content_that_is_not_compressed_as_told(face: Face, route: Route) -> None:
    answer = await send(face, route, b"not gzip at all", **{"Content-Encoding": "gzip"})
    assert_refused(answer, 400, "BAD_REQUEST")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_the_content_type_does_not_matter(face: Face, kind: str) -> None:
    answer = await face.ask(
        "POST", f"{API}/jobs", {"queue_name": "q", "payload": 1}, headers={"Content-Type": kind}
    )
    assert answer.status == 201


def _bulk() -> Route:
    return next(route for route in ROUTES if route.body is BULK_JOBS)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 65_536):
        yield data[start : start + 65_536]
