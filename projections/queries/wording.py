"""What must be read of each job to tell whether it matches: its payload, and its last error.

No column holds these texts, so they are read last, of the jobs that all other criteria leave.
"""

import re
from functools import lru_cache
from typing import Final

from projections.entities import Job
from projections.signature import NO_TEXT, signature
from projections.specs import JobFilter

_PLACEHOLDERS: Final = re.compile(r"<\w+>|\s+|…")
_SIGNATURE_COST_BYTES: Final = 16_000
"""Making a signature takes as long as looking through so many bytes of payload."""

_signature = lru_cache(maxsize=1_000)(signature)


class Wording:
    """Text in the payload, byte for byte; text in the last error, in any case; that error's kind."""

    def __init__(self, wanted: JobFilter) -> None:
        self.needle = None if wanted.contains is None else wanted.contains.encode()
        self._error = None if wanted.error is None else wanted.error.lower()
        self._kind = wanted.error_signature
        self._word = _telling_word(wanted.error_signature or NO_TEXT)

    @staticmethod
    def of(wanted: JobFilter) -> "Wording | None":
        """Give what must be read; nothing when no text is asked for."""
        texts = (wanted.contains, wanted.error, wanted.error_signature)
        return None if texts == (None, None, None) else Wording(wanted)

    def judge(self, job: Job) -> tuple[bool, int]:
        """Tell whether a job matches, and what that cost, in bytes of payload."""
        matches, cost = self._judge_error(job.last_error)
        if not matches or self.needle is None:
            return matches, cost
        payload = bytes(job.payload)
        return self.needle in payload, cost + len(payload)

    def _judge_error(self, error: str | None) -> tuple[bool, int]:
        if self._error is None and self._kind is None:
            return True, 0
        if error is None:
            return False, 0
        if self._error is not None and self._error not in error.lower():
            return False, len(error)
        if self._kind is None:
            return True, len(error)
        if self._word not in error:
            return False, len(error)
        return _signature(error) == self._kind, len(error) + _SIGNATURE_COST_BYTES


def _telling_word(kind: str) -> str:
    """Give the longest text that every error of a kind holds as it is."""
    return "" if kind == NO_TEXT else max(_PLACEHOLDERS.split(kind), key=len)
