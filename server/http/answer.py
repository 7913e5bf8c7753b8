"""A whole response that leaves in one write.

Nearly every answer is small, complete and on a connection that stays open. For those, this puts
status line, headers and body together itself: the framework's general path (streaming, compression,
chunking, cookies) costs several times as much. Everything else takes that general path.
"""

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from server.http.call import Call
from server.http.intake import discard, discardable
from server.http.ratelimit import Standing
from server.http.service import Service

API_VERSION: Final = "1"

# What every answer carries (contract section 1.3), beside its request id.
STANDARD_HEADERS: Final = {
    "X-API-Version": API_VERSION,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Server": "Spoolog",
}

_STANDARD_LINES: Final = "".join(f"{name}: {value}\r\n" for name, value in STANDARD_HEADERS.items())
_HEADS: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n{_STANDARD_LINES}"
    for status in HTTPStatus
}
_WHOLE_BYTES_MAX: Final = 64 * 1024
_BODILESS: Final = (204, 304)
UNREAD_BYTES_MAX: Final = 1024 * 1024
"""Answers that a client may leave unread and still send more requests."""


def headers_of(call: Call) -> dict[str, str]:
    """Give the headers that every answer to a call carries."""
    return {
        **STANDARD_HEADERS,
        "X-Request-Id": call.request_id,
        **_standing(call).headers(),
    }


class Answer(web.StreamResponse):
    """Status, further headers and body of an answer to `call`; a body is JSON unless said.

    Header values come from this package or were checked for line breaks at the edge.
    """

    def __init__(
        self,
        call: Call,
        status: int,
        body: bytes = b"",
        further: dict[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        super().__init__(status=status)
        self._call = call
        self._content = body
        # Nothing is of no type, unless it is nothing of a certain one, such as no lines.
        self._media_type = content_type or ("application/json" if body else None)
        self._further = further or {}
        self._whole: web.BaseRequest | None = None
        self._unread = False

    @property
    def keep_alive(self) -> bool | None:  # type: ignore[explicit-override]  # typing.override is of 3.12
        """Whether the connection stays open after this."""
        return True if self._whole is not None else super().keep_alive

    async def prepare(  # type: ignore[explicit-override]
        self, request: web.BaseRequest
    ) -> AbstractStreamWriter | None:
        """Choose the way out."""
        self._unread = not request.content.is_eof()
        if self._unread and not discardable(request):
            self.force_close()
        if (
            self.keep_alive is None
            and request.version == HttpVersion11
            and request.keep_alive
            and request.method != "HEAD"
            and len(self._content) <= _WHOLE_BYTES_MAX
            and "Cache-Control" not in self._further  # one of its own instead of the standard one
        ):
            self._whole = request
            return None
        self.headers.update(headers_of(self._call) | self._further)
        if self._media_type is not None:
            self.headers["Content-Type"] = self._media_type
        if self.status not in _BODILESS:
            self.content_length = len(self._content)
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:  # type: ignore[explicit-override]
        """Send it.

        Raises:
            ConnectionResetError: the client has gone.

        """
        if self._whole is None:
            # A body after HEAD would be read as the start of the next answer.
            wanted = self._call.request.method != "HEAD"
            await super().write_eof(data or self._content if wanted else b"")
        else:
            transport = self._whole.transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the client has gone")
            if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
                self._call.service.traffic.unread_aborts += 1
                transport.abort()
                raise ConnectionResetError("the client does not read its answers")
            transport.write(self._head().encode("latin-1") + self._content)
        if self._unread:
            await discard(self._call.request.content)

    def _head(self) -> str:
        call, status, content = self._call, self.status, self._content
        date = _http_date(call.engine.now_us() // 1_000_000)
        head = (
            f"{_HEADS[status]}Date: {date}\r\nX-Request-Id: {call.request_id}\r\n"
            f"{_standing(call).lines()}"
        )
        if self._media_type is not None:
            head += f"Content-Type: {self._media_type}\r\n"
        if status not in _BODILESS:  # RFC 9110 section 8.6: no length where no body may be
            head += f"Content-Length: {len(content)}\r\n"
        for name, value in self._further.items():
            head += f"{name}: {value}\r\n"
        return head + "\r\n"


def closing(service: Service, status: int, content: bytes, further: dict[str, str]) -> bytes:
    """Give a whole answer with a body of JSON, after which the connection ends."""
    date = _http_date(service.engine.now_us() // 1_000_000)
    lines = "".join(f"{name}: {value}\r\n" for name, value in further.items())
    head = (
        f"{_HEADS[status]}Date: {date}\r\n{lines}Content-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + content


def _standing(call: Call) -> Standing:
    return call.standing or call.service.limiter.unlimited(call.engine.now_us())


@lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    """Give the Date header of a second (RFC 9110 section 5.6.7)."""
    return formatdate(second, usegmt=True)
