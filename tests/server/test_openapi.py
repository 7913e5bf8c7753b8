"""The description of the API against the API: every answer is as the document says."""

import json
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from server.http.openapi import document
from server.http.route import Route
from server.http.routes import ROUTES
from tests.server import examples
from tests.server.examples import perform, stocked
from tests.server.harness import Answer, Face

OF_THE_PAST = ("X-Log-Position", "X-Log-Time")
DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(ROUTES)))


def operation_of(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def answer_of(route: Route, status: int) -> dict[str, Any]:
    found: dict[str, Any] = operation_of(route)["responses"][str(status)]
    if "$ref" in found:
        return dict(DOCUMENT["components"]["responses"][found["$ref"].rpartition("/")[2]])
    return found


def check(route: Route, answer: Answer) -> None:
    """Check status, headers and body of an answer against the document."""
    told = answer_of(route, answer.status)
    for name in told["headers"]:
        if name in OF_THE_PAST and name not in answer.headers:
            continue  # only with `at`
        header = DOCUMENT["components"]["headers"][name]
        value: Any = answer.headers[name]
        if header["schema"]["type"] == "integer":
            value = int(value)
        Draft202012Validator(header["schema"]).validate(value)
    content = told.get("content")
    if content is None:
        assert answer.content == b""
    elif "application/json" in content:
        schema = {**content["application/json"]["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema, validate_formats=True).validate(answer.json)
    else:
        assert answer.headers["Content-Type"].partition(";")[0] in content


@pytest.mark.parametrize("route", ROUTES, ids=examples.name)
async def test_answers_are_as_described(face: Face, route: Route) -> None:
    check(route, await perform(face, await stocked(face), route))


@pytest.mark.parametrize("route", ROUTES, ids=examples.name)
async def test_refusals_are_as_described(face: Face, route: Route) -> None:
    stock = await stocked(face)
    check(route, await perform(face, stock, route, headers={"X-API-Version": "2"}))
    if not route.open:
        check(route, await perform(face, stock, route, key=None))
    if route.body is not None:
        path = stock.path(route, examples.example_of(route))
        check(route, await face.ask(route.method, path, data=b"["))
        check(route, await face.ask(route.method, path, data=b"[]"))


def test_the_document_is_valid_openapi() -> None:
    from openapi_spec_validator import validate  # noqa: PLC0415 - slow to import

    validate(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert meta.is_valid(schema), name


def test_every_route_is_described_once_and_by_its_own_words() -> None:
    ids = [operation_of(route)["operationId"] for route in ROUTES]
    assert len(set(ids)) == len(ROUTES) == sum(len(path) for path in DOCUMENT["paths"].values())
    for route in ROUTES:
        assert operation_of(route)["summary"].endswith((".", ":", "204", "202"))
        assert ("requestBody" in operation_of(route)) == (route.body is not None)
        told = operation_of(route).get("security", DOCUMENT["security"])
        assert ("bearer" in {name for one in told for name in one}) != route.open
        assert ("token" in {name for one in told for name in one}) == route.token_in_query


def test_patterns_are_those_of_ecma_262() -> None:
    text = json.dumps(DOCUMENT)
    assert "\\Z" not in text
    assert DOCUMENT["components"]["schemas"]["NewJob"]["properties"]["queue_name"]["pattern"] == (
        "^[A-Za-z0-9_][A-Za-z0-9._-]*$"
    )


async def test_the_document_is_served(face: Face) -> None:
    assert (await face.ask("GET", "/openapi.json", key=None)).json == DOCUMENT


class Page(HTMLParser):
    """Collects what a page could load or run, its ids and its links within."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "src" or name.startswith("on"):
                self.loaded.append(value or "")


async def test_the_page_stands_alone_and_tells_of_every_operation(face: Face) -> None:
    answer = await face.ask("GET", "/docs", key=None)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    page = Page()
    page.feed(answer.content.decode())
    assert page.loaded == []
    assert not page.tags & {"script", "link", "iframe", "img", "form"}
    assert len(set(page.ids)) == len(page.ids)
    assert {operation_of(route)["operationId"] for route in ROUTES} <= set(page.ids)
    within = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert within <= set(page.ids)
    assert [link for link in page.links if not link.startswith("#")] == ["openapi.json"]
    for route in ROUTES:
        assert escape(operation_of(route)["summary"]) in answer.content.decode()
