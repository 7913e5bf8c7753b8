"""Hears everything that a page must not do: log an error, break its policy, speak to another host."""

from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_TELL_VIOLATIONS: Final = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""


class Guard:
    """All complaints about the pages of one context. `allow` names what a test provokes."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self._allowed: list[str] = []
        self._heard: list[str] = []
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def allow(self, text: str) -> None:
        """Do not complain about what has this in it."""
        self._allowed.append(text)

    @property
    def complaints(self) -> list[str]:
        return [one for one in self._heard if not any(text in one for text in self._allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            where = message.location
            self._heard.append(f"{message.type}: {message.text} ({where['url']})")

    def _error(self, error: WebError) -> None:
        self._heard.append(f"not caught: {error.error}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme not in {"data", "blob"} and origin != self._origin:
            self._heard.append(f"asked another host: {request.url}")
