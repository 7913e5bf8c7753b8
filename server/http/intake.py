"""Bodies on their way in: how long one may be, how long it may take, and how many bytes at a time.

Only for bodies that have not arrived with their head. What is not wanted is not read.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from projections.bounds import MIB
from projections.errors import Refused, TooLarge
from server.pressure import Overloaded

DISCARDED_BYTES_MAX: Final = 4 * MIB
DISCARD_SECS: Final = 1.0


class TooSlow(Refused):
    """The body did not arrive in time."""

    code: ClassVar[str] = "REQUEST_TIMEOUT"


class Intake:
    """All bodies that are being read."""

    def __init__(self, *, bytes_max: int, secs: float) -> None:
        self.bytes = 0
        """what they may amount to: their told lengths, or else the most that is allowed"""
        self.refusals = 0
        self.timeouts = 0
        self._bytes_max = bytes_max
        self._secs = secs

    async def read(self, request: web.Request, bytes_max: int) -> bytes:
        """Give a whole body.

        Raises:
            Overloaded: too much is being read already; nothing of this was.
            TooLarge: it is longer than `bytes_max`; no more was read.
            TooSlow: it took too long.

        """
        with self._room(_expected(request, bytes_max)):
            try:
                async with asyncio.timeout(self._secs):
                    return await _whole(request.content, bytes_max)
            except TimeoutError as late:
                self.timeouts += 1
                raise TooSlow from late

    @contextmanager
    def _room(self, expected: int) -> Iterator[None]:
        if self.bytes + expected > self._bytes_max:
            self.refusals += 1
            raise Overloaded
        self.bytes += expected
        try:
            yield
        finally:
            self.bytes -= expected


def check_length(length: int, bytes_max: int) -> None:
    """Refuse a body that is too long.

    Raises:
        TooLarge: it is.

    """
    if length > bytes_max:
        raise TooLarge(f"The body is larger than {bytes_max} bytes")


def _expected(request: web.Request, bytes_max: int) -> int:
    length = request.content_length
    packed = "Content-Encoding" in request.headers
    return bytes_max if length is None or packed else length


def discardable(request: web.BaseRequest) -> bool:
    """Whether a body that nobody wants is short enough to keep the connection for its end."""
    length = request.content_length
    return length is not None and length <= DISCARDED_BYTES_MAX


async def discard(content: StreamReader) -> None:
    """Give a client that is still sending the time to read its answer.

    A close on top of bytes that were not read resets the connection, and the answer may be lost.
    """
    left = DISCARDED_BYTES_MAX
    try:
        async with asyncio.timeout(DISCARD_SECS):
            while not content.is_eof():
                left -= len(await content.readany())
                if left < 0:
                    await asyncio.sleep(DISCARD_SECS)
    except (TimeoutError, OSError, HttpProcessingError, web.RequestPayloadError):
        return  # the framework closes what has an end that nobody has seen


async def _whole(content: StreamReader, bytes_max: int) -> bytes:
    body = bytearray()
    while chunk := await content.readany():
        body += chunk
        check_length(len(body), bytes_max)
    return bytes(body)
