"""Free text: the start of an id, or a part of a queue's name or a job type, in any case."""

from typing import Final

import numpy as np

from projections.columns import GONE, Chunk
from projections.queries.vectors import Mask, column, taken
from projections.state import State

_ID_KEY_DIGITS: Final = 16
_DASHES: Final = (8, 13, 18, 23)
_HEX: Final = frozenset("0123456789abcdef")


class FreeText:
    """Free text: the start of an id, or a part of a queue's name or a job type, in any case."""

    def __init__(self, state: State, text: str) -> None:
        self._state = state
        self._text = text.lower()
        self._queues = np.fromiter(
            (self._text in place[1].lower() for place in state.columns.queues.texts),
            dtype=np.bool_,
        )
        self._kinds: list[bool] = []
        self._kinds_table: Mask = np.zeros(0, dtype=np.bool_)
        self._keys = _key_range(self._text)

    def prepare(self, texts_max: int) -> bool:
        """Look at the next job types."""
        texts, done = self._state.columns.kinds.texts, len(self._kinds)
        part = texts[done : done + texts_max]
        self._kinds.extend(self._text in kind[0].lower() for kind in part)
        if len(self._kinds) < len(texts):
            return False
        self._kinds_table = np.array(self._kinds, dtype=np.bool_)
        return True

    def mask(self, chunk: Chunk) -> Mask:
        """Give the rows of a chunk that it is found in."""
        mask = taken(self._queues, column(chunk.queue))
        mask |= taken(self._kinds_table, column(chunk.kind))
        keys = column(chunk.keys_of_ids())
        doubtful = keys == 0
        if self._keys is not None:
            first, last = self._keys
            within = (keys >= np.uint64(first)) & (keys <= np.uint64(last))
            if first == last:
                doubtful |= within  # the text may be longer than the key
            else:
                mask |= within & ~doubtful
        doubtful &= ~mask
        doubtful &= column(chunk.status) != GONE
        for row in np.flatnonzero(doubtful).tolist():
            job = chunk.jobs[row]
            mask[row] = job is not None and job.id.startswith(self._text)
        return mask


def _key_range(text: str) -> tuple[int, int] | None:
    """Give the first and last key of UUIDs that begin with `text`; nothing when none can."""
    if any((character == "-") != (index in _DASHES) for index, character in enumerate(text)):
        return None
    digits = text.replace("-", "")[:_ID_KEY_DIGITS]
    if not _HEX.issuperset(digits):
        return None
    missing = _ID_KEY_DIGITS - len(digits)
    return int(digits + "0" * missing, 16), int(digits + "f" * missing, 16)
