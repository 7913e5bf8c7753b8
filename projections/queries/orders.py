"""What the rows of a chunk are sorted by, and the best of them."""

import numpy as np
from numpy.typing import NDArray

from projections.columns import STATUSES, Chunk
from projections.queries.vectors import Mask, Numbers, column, taken
from projections.state import State


def order_key(chunk: Chunk, order_by: str, ranks: NDArray[np.int64] | None) -> Numbers:
    """Give what the rows of a chunk are sorted by; `ranks` orders codes by their text."""
    if order_by == "status":
        assert ranks is not None
        by_status: Numbers = ranks[column(chunk.status)]
        return by_status
    if order_by == "queue_name":
        assert ranks is not None
        return taken(ranks, column(chunk.queue))
    # In their own narrow type: a selection among a million bytes is several times as fast.
    keys: Numbers = column(getattr(chunk, order_by))
    return keys


def ranks_of(state: State, order_by: str) -> Numbers | None:
    """Give the place of each status, or each queue name, among the others by its text."""
    if order_by == "status":
        texts = ["" if status is None else status.value for status in STATUSES]
    elif order_by == "queue_name":
        texts = [place[1] for place in state.columns.queues.texts]
    else:
        return None
    ranks = {text: rank for rank, text in enumerate(sorted(set(texts)))}
    return np.array([ranks[text] for text in texts], dtype=np.int64)


def best(keys: Numbers, count: int) -> Mask:
    """Mark the `count` smallest keys; of equals, those that stand first."""
    if count >= len(keys):
        return np.ones(len(keys), dtype=np.bool_)
    if count <= 0:
        return np.zeros(len(keys), dtype=np.bool_)
    bound = np.partition(keys, count - 1)[count - 1]
    mask: Mask = keys < bound
    missing = count - np.count_nonzero(mask)
    mask[np.flatnonzero(keys == bound)[:missing]] = True
    return mask
