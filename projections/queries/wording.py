"""What must be read of each job to tell whether it matches: its payload, and its last error.

No column holds these texts, so they are read last, of the jobs that all other criteria leave. Which
kind an error is of is worked out once, and noted in the job's chunk as a number.
"""

import re
from array import array
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from projections.columns import Chunk
from projections.entities import Job
from projections.queries.vectors import Mask, Numbers, column
from projections.signature import NO_TEXT, signature
from projections.specs import JobFilter

_PLACEHOLDERS: Final = re.compile(r"<\w+>|\s+|…")
_SIGNATURE_COST_BYTES: Final = 16_000
"""Making a signature takes as long as looking through so many bytes of payload."""


class Wording:
    """Text in the payload, byte for byte; text in the last error, in any case; that error's kind."""

    def __init__(self, wanted: JobFilter) -> None:
        self.needle = None if wanted.contains is None else wanted.contains.encode()
        self._error = None if wanted.error is None else wanted.error.lower()
        self._kind = None if wanted.error_signature is None else _number(wanted.error_signature)
        self._word = _telling_word(wanted.error_signature or NO_TEXT)

    @staticmethod
    def of(wanted: JobFilter) -> "Wording | None":
        """Give what must be read; nothing when no text is asked for."""
        texts = (wanted.contains, wanted.error, wanted.error_signature)
        return None if texts == (None, None, None) else Wording(wanted)

    def restrict(self, chunk: Chunk, mask: Mask) -> None:
        """Leave out the rows of which it is known, without reading, that they do not match."""
        if self._error is None and self._kind is None:
            return
        mask &= column(chunk.error) != 0
        if self._kind is not None and chunk.error_kinds:
            kinds = column(chunk.error_kinds)
            mask &= (kinds == self._kind) | (kinds == 0)

    def is_known(self, chunk: Chunk, rows: Numbers) -> bool:
        """Whether all of these rows match, as was noted when they were last read."""
        if self._kind is None or self._error is not None or self.needle is not None:
            return False
        return bool(chunk.error_kinds) and bool(column(chunk.error_kinds)[rows].all())

    def judge(self, job: Job, chunk: Chunk, row: int) -> tuple[bool, int]:
        """Tell whether a job matches, and what that cost, in bytes of payload."""
        matches, cost = self._judge_error(job.last_error, chunk, row)
        if not matches or self.needle is None:
            return matches, cost
        payload = bytes(job.payload)
        return self.needle in payload, cost + len(payload)

    def _judge_error(self, error: str | None, chunk: Chunk, row: int) -> tuple[bool, int]:
        if self._error is None and self._kind is None:
            return True, 0
        if error is None:
            return False, 0
        if self._error is not None and self._error not in error.lower():
            return False, len(error)
        if self._kind is None:
            return True, len(error)
        return self._judge_kind(error, chunk, row)

    def _judge_kind(self, error: str, chunk: Chunk, row: int) -> tuple[bool, int]:
        known = chunk.error_kinds[row] if chunk.error_kinds else 0
        if known or self._word not in error:
            return known == self._kind, len(error)
        return _note_kind(error, chunk, row) == self._kind, len(error) + _SIGNATURE_COST_BYTES


def _note_kind(error: str, chunk: Chunk, row: int) -> int:
    if not chunk.error_kinds:
        chunk.error_kinds = array("q", bytes(8 * len(chunk.jobs)))
    kind = chunk.error_kinds[row] = _number(signature(error))
    return kind


@lru_cache(maxsize=1_000)
def _number(kind: str) -> int:
    """Give a number that stands for a kind of error, never 0: 64 bits of a hash, which no two share."""
    return int.from_bytes(blake2b(kind.encode(), digest_size=8).digest(), signed=True) or 1


def _telling_word(kind: str) -> str:
    """Give the longest text that every error of a kind holds as it is."""
    return "" if kind == NO_TEXT else max(_PLACEHOLDERS.split(kind), key=len)
