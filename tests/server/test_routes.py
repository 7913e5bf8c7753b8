import re

import pytest

from server.http.route import Route
from server.http.routes import ROUTES
from tests.server import examples
from tests.server.examples import CLOSED, WITH_ID, Stock, example_of, perform, stocked
from tests.server.harness import API, KEY, Answer, Face, assert_refused

SCRIPT = "text/javascript; charset=utf-8"
TEXTS = {
    "/": "text/html; charset=utf-8",
    "/dashboard/{file}": "text/css; charset=utf-8",
    "/dashboard/js/{file}": SCRIPT,
    "/dashboard/js/{folder}/{file}": SCRIPT,
    "/docs": "text/html; charset=utf-8",
    "/metrics": "text/plain; version=0.0.4; charset=utf-8",
}
SECURITY = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
every_route = pytest.mark.parametrize("route", ROUTES, ids=examples.name)
closed_route = pytest.mark.parametrize("route", CLOSED, ids=examples.name)


def assert_standard(answer: Answer, caching: str = "no-store") -> None:
    assert answer.headers["X-API-Version"] == "1"
    assert answer.headers.getall("Cache-Control") == [caching]
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY


def test_every_route_has_an_example() -> None:
    assert set(examples.EXAMPLES) == {(route.method, route.path) for route in ROUTES}


def test_what_is_open() -> None:
    assert {route.path for route in ROUTES if route.open} == {
        "/",
        "/dashboard/{file}",
        "/dashboard/js/{file}",
        "/dashboard/js/{folder}/{file}",
        "/health",
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/docs",
        "/metrics",
        f"{API}/auth/login",
        f"{API}/auth/refresh",
        f"{API}/auth/validate",
    }


@every_route
async def test_example_is_answered(face: Face, route: Route) -> None:
    stock = await stocked(face)
    answer = await perform(face, stock, route)
    assert answer.status == example_of(route).status, answer.content
    assert_standard(answer, "no-cache" if route in examples.FILES else "no-store")
    if answer.status == 204 or route.path.endswith(("/health/live", "/workers/{id}/heartbeat")):
        assert answer.content == b""
    elif route.path in TEXTS:
        assert answer.headers["Content-Type"] == TEXTS[route.path]
    elif "/events" in route.path:
        assert answer.headers["Content-Type"] == "text/event-stream"
    elif route.path.endswith("/log/records"):
        assert answer.headers["Content-Type"] == "application/x-ndjson"
    else:
        assert answer.headers["Content-Type"] == "application/json"
        assert isinstance(answer.json, dict | list)


@every_route
async def test_has_more_is_told_by_pages_only(face: Face, route: Route) -> None:
    answer = await perform(face, await stocked(face), route)
    paths = ("jobs", "jobs/dlq", "jobs/{id}/history", "log/records")
    paged = {f"GET {API}/{path}" for path in paths}
    wanted = "false" if examples.name(route) in paged else None
    assert answer.headers.get("X-Has-More") == wanted


@every_route
async def test_request_id_is_echoed_and_another_made_each_time(face: Face, route: Route) -> None:
    stock = await stocked(face)
    first = await perform(face, stock, route)
    second = await perform(face, stock, route)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    third = await perform(face, stock, route, headers={"X-Request-Id": "abc-123"})
    assert third.headers["X-Request-Id"] == "abc-123"


@pytest.mark.parametrize("sent", ["", "two words", "x" * 129, "caf\u00e9"])
async def test_unfit_request_id_is_replaced(face: Face, sent: str) -> None:
    answer = await face.get("/queues", headers={"X-Request-Id": sent})
    assert answer.status == 200
    assert re.fullmatch(r"id-\d{6}", answer.headers["X-Request-Id"])


async def test_request_id_of_128_characters_is_kept(face: Face) -> None:
    answer = await face.get("/queues", headers={"X-Request-Id": "x" * 128})
    assert answer.headers["X-Request-Id"] == "x" * 128


@every_route
async def test_api_version_1_is_spoken_and_no_other(face: Face, route: Route) -> None:
    stock = await stocked(face)
    before = face.footprint()
    refused = await perform(face, stock, route, headers={"X-API-Version": "2"})
    assert_refused(refused, 400, "BAD_REQUEST")
    assert_standard(refused)
    assert face.footprint() == before
    spoken = await perform(face, stock, route, headers={"X-API-Version": "1"})
    assert spoken.status == example_of(route).status


@pytest.mark.parametrize("malformed", ["", "v-2", "1" * 17, "2/1"])
async def test_malformed_api_version_is_ignored(face: Face, malformed: str) -> None:
    answer = await face.get("/queues", headers={"X-API-Version": malformed})
    assert answer.status == 200


@closed_route
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic eHg6eXk="}]
)
async def test_without_a_key(face: Face, route: Route, headers: dict[str, str]) -> None:
    stock = await stocked(face)
    before = face.footprint()
    answer = await perform(face, stock, route, key=None, headers=headers)
    assert_refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert_standard(answer)
    assert face.footprint() == before


@closed_route
async def test_with_a_wrong_key(face: Face, route: Route) -> None:
    stock = await stocked(face)
    before = face.footprint()
    answer = await perform(face, stock, route, key="invalid-key")
    assert_refused(answer, 401, "AUTHENTICATION_FAILED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert face.footprint() == before


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_key_that_is_not_utf_8_is_a_wrong_key(face: Face, header: str) -> None:
    value = "Bearer k\udcff" if header == "Authorization" else "k\udcff"
    head = f"GET {API}/queues HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}: {value}\r\n\r\n"
    answer = await face.exchange(head.encode("utf-8", "surrogateescape"))
    assert answer.startswith(b"HTTP/1.1 401 "), answer
    assert b'"AUTHENTICATION_FAILED"' in answer


@pytest.mark.parametrize("headers", [{"X-API-Key": "KEY"}, {"Authorization": "bEaReR   KEY "}])
async def test_other_spellings_of_a_good_key(face: Face, headers: dict[str, str]) -> None:
    sent = {name: value.replace("KEY", KEY) for name, value in headers.items()}
    assert (await face.get("/queues", key=None, headers=sent)).status == 200


@pytest.mark.parametrize("route", [r for r in ROUTES if r.open], ids=examples.name)
async def test_what_is_open_needs_no_key(face: Face, route: Route) -> None:
    assert (await perform(face, await stocked(face), route, key=None)).status == 200


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.open and r.method == "GET"], ids=examples.name
)
async def test_what_is_open_may_be_asked_by_head(face: Face, route: Route) -> None:
    path = Stock({}).path(route, example_of(route))
    found = await face.ask("GET", path, key=None)
    asked = await face.ask("HEAD", path, key=None)
    assert (asked.status, asked.content) == (200, b"")
    if route.path != "/metrics":
        assert asked.headers.get("Content-Length", "0") == str(len(found.content))


@every_route
async def test_wrong_method(face: Face, route: Route) -> None:
    stock = await stocked(face)
    before = face.footprint()
    path = stock.path(route, example_of(route))
    answer = await face.ask("PATCH", path, {})
    assert_refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert route.method in re.split(r",\s*", answer.headers["Allow"])
    assert_standard(answer)
    assert face.footprint() == before


@pytest.mark.parametrize(
    "path",
    ["/x", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/jobs", "/api/v1/jobs/", "/x%00"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_unknown_route(face: Face, method: str, path: str) -> None:
    before = face.footprint()
    answer = await face.ask(method, path)
    assert_refused(answer, 404, "NOT_FOUND")
    assert_standard(answer)
    assert face.footprint() == before


@pytest.mark.parametrize(
    "route", [r for r in WITH_ID if "/events/" not in r.path], ids=examples.name
)
@pytest.mark.parametrize("subject", ["nobody", "%2e%2e%2fjobs", "%00", "x" * 4_000])
async def test_unknown_id(face: Face, route: Route, subject: str) -> None:
    await stocked(face)
    before = face.footprint()
    path = route.path.replace("{id}", subject)
    answer = await face.ask(route.method, path, example_of(route).body)
    body = assert_refused(answer, 404, "NOT_FOUND")
    assert subject not in body["message"]
    assert face.footprint() == before


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("POST", "/resume")])
async def test_unknown_queue(face: Face, method: str, rest: str) -> None:
    before = face.footprint()
    assert_refused(await face.ask(method, f"{API}/queues/none{rest}"), 404, "NOT_FOUND")
    assert face.footprint() == before


@pytest.mark.parametrize("route", [r for r in ROUTES if "{name}" in r.path], ids=examples.name)
@pytest.mark.parametrize(
    "name", [".hidden", "-dash", "a%20b", "a%2Fb", "mail%0A", "x" * 101, "%C3%A9"]
)
async def test_bad_queue_name_in_the_path(face: Face, route: Route, name: str) -> None:
    before = face.footprint()
    path = route.path.replace("{name}", name)
    answer = await face.ask(route.method, path, example_of(route).body)
    assert_refused(answer, 400, "BAD_REQUEST")
    assert face.footprint() == before
