"""What server-sent events and WebSocket messages are made of, for the description of the API."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from projections.frames import NAMES

_CONTENT: Final[dict[str, Any]] = {
    "contentMediaType": "application/json",
    "contentSchema": {
        "type": "object",
        "required": ["type", "data"],
        "properties": {
            "type": {"type": "string", "enum": list(NAMES)},
            "data": {"type": "object", "required": ["timestamp"]},
        },
    },
}


class ServerSentEvent(Struct, frozen=True):
    """One of them: `data` is JSON, and `id` what to send as `Last-Event-ID` to go on behind it."""

    data: Annotated[str, Meta(extra_json_schema=_CONTENT)]
    id: str | None = None
