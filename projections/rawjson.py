"""The client's own JSON on its way into an event: minified, bounded, otherwise untouched.

Number spelling, key order and duplicate keys stay as sent. The text never becomes Python objects,
except tags, whose words are indexed.
"""

import re
from typing import Any, Final

from msgspec import UNSET, DecodeError, Raw, UnsetType
from msgspec.json import Decoder
from msgspec.json import format as reformat

from projections import bounds
from projections.errors import Invalid, TooLarge

EMPTY_OBJECT: Final = Raw(b"{}")
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_INNERMOST: Final = re.compile(rb"\[\]|\{\}")
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_decode = Decoder(Any).decode
_decode_tags = Decoder(dict[str, Any] | list[Any]).decode


def minified(field: str, raw: Raw) -> bytes:
    """Copy `raw` out of its request body, on one line and without spaces.

    Raises:
        Invalid: it is nested deeper than any reader of the log could be trusted to follow.

    """
    text = bytes(raw)
    if _may_be_deep(text) and _depth_exceeds(text, bounds.NESTING_MAX):
        raise Invalid(field, f"JSON nested deeper than {bounds.NESTING_MAX} levels")
    return reformat(text, indent=-1)


def document(field: str, raw: Raw, bytes_max: int) -> Raw:
    """Give a payload or result, minified.

    Raises:
        TooLarge: longer than `bytes_max` when minified.
        Invalid: nested too deeply.

    """
    text = minified(field, raw)
    if len(text) > bytes_max:
        raise TooLarge(f"{field} is larger than {bytes_max} bytes")
    return Raw(text)


def bounded(
    field: str, raw: Raw | UnsetType | None, bytes_max: int, kinds: bytes
) -> Raw | UnsetType:
    """Give an optional document whose first byte must be one of `kinds` (``{`` or ``[``), minified.

    Raises:
        Invalid: another kind of value, too long, or nested too deeply.

    """
    given = present(raw)
    if given is None:
        return UNSET
    text = minified(field, given)
    if text[0] not in kinds:
        wanted = " or ".join({"{": "an object", "[": "an array"}[chr(kind)] for kind in kinds)
        raise Invalid(field, f"must be {wanted}")
    if len(text) > bytes_max:
        raise Invalid(field, f"longer than {bytes_max} bytes")
    return Raw(text)


def present(raw: Raw | UnsetType | None) -> Raw | None:
    """Give an optional document; null counts as left out (contract section 1.4).

    Structs say ``Raw | UnsetType``: msgspec 0.22 encodes ``Raw | None`` and cannot decode it.
    """
    return None if raw is None or raw is UNSET or bytes(raw) == b"null" else raw


def copied(raw: Raw | UnsetType) -> Raw | UnsetType:
    """Give an optional document with bytes of its own: it kept those of its whole line alive."""
    return UNSET if raw is UNSET else raw.copy()


def or_null(raw: Raw | UnsetType) -> Raw | None:
    """Give an optional document as answers show it."""
    return None if raw is UNSET else raw


def words(tags: Raw | UnsetType) -> tuple[str, ...]:
    """List what a tag filter matches: elements of an array, keys and text values of an object.

    Raises:
        DecodeError: it holds a number that no machine type can; ``decide`` lets no such tags in.

    """
    if tags is UNSET:
        return ()
    found = _decode_tags(tags)
    values = [*found, *found.values()] if isinstance(found, dict) else found
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


def job_type(payload: Raw) -> str:
    """Give ``payload.job_type`` when it is text, else the empty text (contract section 2.3)."""
    if b'"job_type"' not in bytes(payload):
        return ""
    try:
        found = _decode(payload)
    except DecodeError:  # valid JSON that Python cannot hold, such as a number beyond its range
        return ""
    kind = found.get("job_type") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) else ""


def _may_be_deep(text: bytes) -> bool:
    return text.count(b"[") + text.count(b"{") > bounds.NESTING_MAX


def _depth_exceeds(text: bytes, levels_max: int) -> bool:
    """Peel the innermost brackets off, one level a pass."""
    brackets = _STRING.sub(b"", text).translate(None, delete=_NOT_BRACKETS)
    for _ in range(levels_max):
        if not brackets:
            return False
        brackets = _INNERMOST.sub(b"", brackets)
    return bool(brackets)
