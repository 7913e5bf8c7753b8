"""Handlers of the dashboard's files: read once, at the start, and sent as they are.

What the screens show comes from the API, with the key of whoever looks; the files hold nothing
that is not public. A browser may keep them, but asks each time whether they are still the same.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from projections.errors import NotFound
from server.http.answer import Answer
from server.http.call import Call

ROOT: Final = Path(__file__).parents[1] / "dashboard"
_INDEX: Final = "index.html"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MAY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _MAY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
}


class File(Struct, frozen=True):
    """A file as it is sent; the tag names its content."""

    content: bytes
    content_type: str
    tag: str


def files(root: Path) -> Mapping[str, File]:
    """Read all files under `root` that a browser may ask for, by path."""
    return dict(_read(root))


async def page(call: Call) -> Answer:
    """Give the dashboard: the page that the rest hangs on."""
    return _answer(call, _INDEX)


async def file(call: Call) -> Answer:
    """Give a file of the dashboard: its style sheet or its icon."""
    return _answer(call, call.path("file"))


async def script(call: Call) -> Answer:
    """Give a script of the dashboard."""
    return _answer(call, f"js/{call.path('file')}")


async def part(call: Call) -> Answer:
    """Give a script of one of the dashboard's components or screens."""
    return _answer(call, f"js/{call.path('folder')}/{call.path('file')}")


def _answer(call: Call, path: str) -> Answer:
    found = _FILES.get(path)
    if found is None:
        raise NotFound("No such file")
    headers = HEADERS | {"ETag": found.tag}
    if _known(call.request.headers.get("If-None-Match", ""), found.tag):
        return Answer(call, 304, further=headers)
    return Answer(call, 200, found.content, headers, content_type=found.content_type)


def _known(asked: str, tag: str) -> bool:
    """Whether a client that sent these tags has this content (RFC 9110 section 13.1.2)."""
    tags = {one.strip().removeprefix("W/") for one in asked.split(",")}
    return tag in tags or "*" in tags


def _read(root: Path) -> Iterator[tuple[str, File]]:
    for path in sorted(root.rglob("*")):
        content_type = _TYPES.get(path.suffix)
        if content_type is not None:
            content = path.read_bytes()
            tag = f'"{sha256(content).hexdigest()[:32]}"'
            yield path.relative_to(root).as_posix(), File(content, content_type, tag)


_FILES: Final = files(ROOT)
