"""Older record shapes to today's, before decoding. Released steps are frozen.

A step takes the plain JSON object of a record of vocabulary n and gives the one of n + 1. Records
are never rewritten on disk; every reader sees the newest shape only.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

VOCABULARY: Final = 4
"""The vocabulary that this version writes."""

READ_AS_IS: Final = frozenset({1, 2, 3})
"""Vocabularies whose records mean today what they meant: the next one only added to them."""

Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: Final[Mapping[int, Step]] = {}
"""Vocabulary n -> the step to n + 1, where one is needed."""

_decode = Decoder(dict[str, Any]).decode
_encode = Encoder().encode


def upcast(
    version: int,
    body: bytes,
    *,
    to: int = VOCABULARY,
    steps: Mapping[int, Step] = STEPS,
) -> bytes:
    """Bring a body of an older vocabulary to `to`, step by step.

    Raises:
        DecodeError: the vocabulary is newer than `to`, or no step leads from it.

    """
    record = _decode(body)
    while version != to:
        step = steps.get(version) if version < to else None
        if step is not None:
            record = step(record)
        elif version not in READ_AS_IS:
            raise DecodeError(f"no way from vocabulary {version} to {to}")
        version += 1
    return _encode(record)
