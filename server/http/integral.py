"""Whole numbers that were written with a fraction, such as 5.0: to JSON they are integers.

msgspec tells them apart, so a body that it refused for one is rewritten there and read again. The
rest of the body stays as it was sent.
"""

import re
from typing import Any, Final

from msgspec import Raw
from msgspec.json import Decoder, Encoder

_REFUSED: Final = re.compile(r"Expected `int[^`]*`, got `float` - at `\$(?P<path>[^`]*)`")
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_EXACT_MAX: Final = 1 << 53

_decode_object = Decoder(dict[str, Raw]).decode
_decode_array = Decoder(list[Raw]).decode
_encode = Encoder().encode


def rewritten(body: bytes, message: str) -> bytes | None:
    """Give the body with the integer that `message` is about written as one.

    Nothing when the message is about something else, or the number is not whole.
    """
    found = _REFUSED.fullmatch(message)
    if found is None:
        return None
    steps = [name or int(index) for name, index in _STEP.findall(found["path"])]
    return _at(body, steps)


def _at(document: bytes, steps: list[str | int]) -> bytes | None:
    if not steps:
        number = float(document)
        exact = abs(number) <= _EXACT_MAX and number.is_integer()
        return b"%d" % int(number) if exact else None
    step, rest = steps[0], steps[1:]
    items: Any = (_decode_array if isinstance(step, int) else _decode_object)(document)
    inner = _at(bytes(items[step]), rest)
    if inner is None:
        return None
    items[step] = Raw(inner)
    return _encode(items)
