"""Bytes in, bytes out: the two ends of every handler.

``read`` bounds, checks and decodes a body into a spec; ``reply`` holds an encoded answer back until
what it tells is durable. The answer is encoded before the first ``await``, so no later command can
leak into it.
"""

from typing import Any, Generic, TypeVar

from aiohttp import web
from msgspec import DecodeError, ValidationError
from msgspec.json import Decoder, Encoder

from projections import bounds
from projections.specs import Spec
from server.http.answer import Answer
from server.http.call import Call
from server.http.intake import check_length
from server.http.integral import rewritten
from server.http.service import SERVICE
from server.http.validation import InvalidJson, from_validation

S = TypeVar("S", bound=Spec)

_encode = Encoder().encode


class Body(Generic[S]):
    """Reads one kind of request body; made once per route.

    With `empty_ok` an empty body stands for ``{}``, as the official clients send it.
    """

    def __init__(
        self, spec: type[S], *, bytes_max: int = bounds.BODY_BYTES_MAX, empty_ok: bool = False
    ) -> None:
        self.spec = spec
        self.bytes_max = bytes_max
        self.empty_ok = empty_ok
        self._decode = Decoder(spec).decode

    async def read(self, request: web.Request) -> S:
        """Give the request's body as a checked spec.

        Raises:
            TooLarge, InvalidJson: over the limit (not read when its length is told); not JSON.
            Overloaded, TooSlow: too many bodies are being read; this one takes too long.
            Invalid, Missing: a rule is broken; a field lacks or has the wrong type.

        """
        check_length(request.content_length or 0, self.bytes_max)
        content = request.content
        if content.is_eof():  # most bodies have arrived with their head
            body = content.read_nowait()
            check_length(len(body), self.bytes_max)
        else:
            body = await request.app[SERVICE].intake.read(request, self.bytes_max)
        return self.parse(body)

    def parse(self, body: bytes) -> S:
        """Decode and check; raises as ``read`` does."""
        if not body and self.empty_ok:
            body = b"{}"
        try:
            if not body.isascii():
                body.decode()  # raw documents are kept undecoded, so the text is checked here
            return self._decoded(body)
        except UnicodeDecodeError as error:
            raise InvalidJson("The body is not valid UTF-8") from error
        except RecursionError as error:
            raise InvalidJson("The body is nested too deeply") from error
        except DecodeError as error:
            raise InvalidJson(f"The body is not valid JSON: {error}") from error

    def _decoded(self, body: bytes) -> S:
        while True:
            try:
                return self._decode(body)
            except ValidationError as error:
                with_integer = rewritten(body, str(error))
                if with_integer is None:
                    raise from_validation(error) from error
                body = with_integer


def at_once(call: Call, view: Any, *, status: int = 200) -> Answer:
    """Answer without waiting: only for views that tell of nothing that is not durable."""
    return Answer(call, status, _encode(view))


async def reply(
    call: Call,
    view: Any,  # any struct, list or dict that msgspec can encode
    *,
    status: int = 200,
    has_more: bool | None = None,
) -> Answer:
    """Answer with `view` once everything it can tell of is durable."""
    further = None
    if has_more is not None:
        further = {"X-Has-More": "true" if has_more else "false"}
    answer = Answer(call, status, _encode(view), further)
    await call.engine.durable(call.engine.state.position)
    return answer


async def done(call: Call, status: int = 204) -> Answer:
    """Answer without a body once everything up to now is durable."""
    answer = Answer(call, status)
    await call.engine.durable(call.engine.state.position)
    return answer
