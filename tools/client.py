"""Asks a running server for a JSON document. A question or two; load is made elsewhere."""

import http.client
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import DecodeError, json

from server.access import KEY_FILE
from tools.output import Misuse, Problem

_TIMEOUT_SECS = 120


def get_json(url: str, path: str, api_key: str) -> Any:
    """GET a document; see `post_json`."""
    return _asked("GET", url, path, api_key)


def post_json(
    url: str, path: str, api_key: str, body: object, *, timeout_secs: int = _TIMEOUT_SECS
) -> Any:
    """POST a document, and give the one that is answered.

    Raises:
        Misuse: the address is none, or nobody answers there.
        Problem: the answer is not what was asked for.

    """
    return _asked("POST", url, path, api_key, json.encode(body), timeout_secs)


def _asked(  # noqa: PLR0917 - one question
    method: str,
    url: str,
    path: str,
    api_key: str,
    body: bytes | None = None,
    timeout_secs: int = _TIMEOUT_SECS,
) -> Any:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise Misuse(f"{url!r} is not an http address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout_secs)
    try:
        connection.request(
            method,
            parts.path.rstrip("/") + path,
            body=body,
            headers={"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as reason:
        raise Misuse(f"no answer from {url}: {reason}") from reason
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise Problem(
            f"{url}{path} answered {answer.status}: {content[:500].decode(errors='replace')}"
        )
    try:
        return json.decode(content)
    except DecodeError as reason:
        raise Problem(f"{url}{path} answered no JSON: {reason}") from reason


def key_of(data_dir: Path, api_key: str | None) -> str:
    """Give the key to ask with: the given one, else the one the server keeps beside its log.

    Raises:
        Misuse: there is neither.

    """
    path = data_dir / KEY_FILE
    if api_key is None and not path.exists():
        raise Misuse(f"--api-key is needed: there is no {path}")
    return api_key or path.read_text(encoding="utf-8").strip()
