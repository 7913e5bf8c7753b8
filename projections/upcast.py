"""Older record shapes to today's, before decoding. Released steps are frozen.

A step takes the plain JSON object of a record of vocabulary n and gives the one of n + 1. Records
are never rewritten on disk; every reader sees the newest shape only.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

VOCABULARY: Final = 1
"""The vocabulary that this version writes."""

Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: Final[Mapping[int, Step]] = {}
"""Vocabulary n -> the step to n + 1. Empty: vocabulary 1 is the first."""

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
        if step is None:
            raise DecodeError(f"no way from vocabulary {version} to {to}")
        record = step(record)
        version += 1
    return _encode(record)
