"""The dashboard's files: what they are sent with, and that they keep to the policy they are sent with.

What the screens do in a browser is for tests/browser.
"""

import re
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Final, get_args

import pytest

from projections.events import Event
from server.http import dashboard
from server.http.dashboard import ROOT
from tests.server.harness import Answer, Face, assert_refused

FILES: Final = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in ROOT.rglob("*")
    if path.is_file()
}
SCRIPTS: Final = {name: text for name, text in FILES.items() if name.endswith(".js")}
SHEET: Final = FILES["dashboard.css"]
LINES_MAX: Final = 200
IMPORTED: Final = re.compile(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""")
FORBIDDEN: Final = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|setHTML"
    r"|DOMParser|\beval\b|new Function|javascript:|srcdoc|cssText\s*=\s*[`\"']"
)
ELSEWHERE: Final = re.compile(r"(?:https?:|wss?:|[\"'(])//[^\s\"')]*")
every_file = pytest.mark.parametrize("name", FILES)
every_script = pytest.mark.parametrize("name", SCRIPTS)


def address_of(name: str) -> str:
    return "/" if name == "index.html" else f"/dashboard/{name}"


async def ask(face: Face, name: str, method: str = "GET", **headers: str) -> Answer:
    return await face.ask(method, address_of(name), key=None, headers=headers)


@every_file
async def test_every_file_is_served_as_it_is(face: Face, name: str) -> None:
    answer = await ask(face, name)
    assert answer.status == 200
    assert answer.content.decode() == FILES[name]
    kinds = {
        "html": "text/html",
        "css": "text/css",
        "js": "text/javascript",
        "svg": "image/svg+xml",
    }
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert kind == kinds[name.rpartition(".")[2]]


@every_file
async def test_the_policy_allows_nothing_that_is_not_ours(face: Face, name: str) -> None:
    headers = (await ask(face, name)).headers
    policy = dict(one.split(" ", 1) for one in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers.getall("Cache-Control") == ["no-cache"]


async def test_what_a_browser_has_is_not_sent_again(face: Face) -> None:
    tag = (await ask(face, "dashboard.css")).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await ask(face, "dashboard.css", **{"If-None-Match": known})
        assert (answer.status, answer.content) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert "Content-Security-Policy" in answer.headers
    for other in ('"other"', tag.strip('"'), ""):
        assert (await ask(face, "dashboard.css", **{"If-None-Match": other})).status == 200


async def test_the_connection_goes_on_after_a_304(face: Face) -> None:
    first = await ask(face, "dashboard.css")
    head = f"Host: x\r\nIf-None-Match: {first.headers['ETag']}\r\n"
    twice = f"GET /dashboard/dashboard.css HTTP/1.1\r\n{head}\r\n"
    last = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await face.exchange((twice + last).encode())
    assert answer.startswith(b"HTTP/1.1 304 ")
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"chunked" not in answer


def test_another_content_has_another_tag(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text("1")
    (tmp_path / "other.js").write_text("2")
    (tmp_path / "notes.txt").write_text("3")
    found = dashboard.files(tmp_path)
    assert set(found) == {"one.js", "other.js"}
    assert found["one.js"].tag != found["other.js"].tag


@pytest.mark.parametrize("name", ["index.html", "dashboard.css", "js/main.js"])
async def test_head_tells_the_same_and_sends_nothing(face: Face, name: str) -> None:
    whole, head = await ask(face, name), await ask(face, name, "HEAD")
    assert (head.status, head.content) == (200, b"")
    for header in ("ETag", "Content-Type", "Content-Length", "Content-Security-Policy"):
        assert head.headers[header] == whole.headers[header]


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/nothing.css",
        "/dashboard/js/nothing.js",
        "/dashboard/js/views/nothing.js",
        "/dashboard/js/",
        "/dashboard/",
        "/dashboard/js/views",
        "/dashboard/%2e%2e%2fapp.py",
        "/dashboard/..%2f..%2fapp.py",
        "/dashboard/js/%2e%2e/%2e%2e",
        "/dashboard/js/..%2f..%2fhttp/dashboard.py",
    ],
)
async def test_what_is_not_there_is_refused_in_shape(face: Face, path: str) -> None:
    assert_refused(await face.ask("GET", path, key=None), 404, "NOT_FOUND")


async def test_other_methods_are_refused(face: Face) -> None:
    answer = await face.ask("POST", "/", {}, key=None)
    assert_refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert set(re.split(r",\s*", answer.headers["Allow"])) == {"GET", "HEAD"}


class Page(HTMLParser):
    """Collects the attributes of every element, and the text of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.within = ""
        self.inline = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.within = tag

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within in {"script", "style"}:
            self.inline += data


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = Page()
    page.feed(FILES["index.html"])
    assert page.inline == ""
    for tag, attributes in page.elements:
        assert tag != "style"
        assert not any(name == "style" or name.startswith("on") for name in attributes)
    assert ("html", {"lang": "en"}) in page.elements


def test_whatever_the_page_loads_exists() -> None:
    page = Page()
    page.feed(FILES["index.html"])
    loaded = [
        attributes[name] or ""
        for tag, attributes in page.elements
        for name in ("src", "href")
        if tag in {"link", "script"} and name in attributes
    ]
    assert len(loaded) == 3
    assert {one.removeprefix("dashboard/") for one in loaded} <= set(FILES)


@every_script
def test_whatever_a_script_imports_exists(name: str) -> None:
    here = PurePosixPath(name).parent
    for target in IMPORTED.findall(SCRIPTS[name]):
        assert target.startswith("."), target
        parts: list[str] = []
        for part in (here / target).parts:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        assert "/".join(parts) in SCRIPTS, target


def test_every_script_is_used() -> None:
    imported = {
        PurePosixPath(target).name for text in SCRIPTS.values() for target in IMPORTED.findall(text)
    }
    unused = {name for name in SCRIPTS if PurePosixPath(name).name not in imported}
    assert unused <= {"js/main.js", "js/live.js"}


@every_script
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    assert FORBIDDEN.findall(SCRIPTS[name]) == []
    assert 'setAttribute("style"' not in SCRIPTS[name]


@every_file
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    found = [one for one in ELSEWHERE.findall(FILES[name]) if "www.w3.org/" not in one]
    assert found == []
    assert "@import" not in FILES[name]


@every_script
def test_scripts_are_small_and_say_what_they_are_for(name: str) -> None:
    lines = SCRIPTS[name].splitlines()
    assert len(lines) < LINES_MAX
    assert lines[0].startswith("/**")


def test_every_type_of_event_can_be_chosen() -> None:
    told = re.findall(r'"([a-z]+\.[a-z_]+)"', SCRIPTS["js/eventtypes.js"])
    assert sorted(told) == sorted(str(kind.__struct_config__.tag) for kind in get_args(Event))


def test_colours_stand_in_the_tokens_only() -> None:
    tokens, rest = SHEET.split("}", 1)
    assert "--accent" in tokens
    assert (
        re.findall(r"#[0-9a-fA-F]{3,8}\b", rest.replace("#screen", "").replace("#tab-", "")) == []
    )
    assert not any(re.search(r"#[0-9a-fA-F]{6}\b", text) for text in SCRIPTS.values())


def test_every_name_of_the_sheet_is_defined() -> None:
    defined = set(re.findall(r"(--[\w-]+):", SHEET))
    assert set(re.findall(r"var\((--[\w-]+)", SHEET)) <= defined
