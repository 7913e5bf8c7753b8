"""Vectors over the columns of jobs. Nothing here knows what is looked for."""

from array import array
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

_TYPES: Final = {"b": np.int8, "i": np.int32, "q": np.int64, "Q": np.uint64}


def column(values: "array[int]") -> NDArray[Any]:
    """Lay a vector over a column; it must be dropped before the column grows, which it never does."""
    return np.frombuffer(values, dtype=_TYPES[values.typecode])


def taken(table: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    """Look codes up; one that is newer than the table belongs to a job that is not looked for."""
    if not len(table):
        return np.zeros(len(codes), dtype=table.dtype)
    looked_up: NDArray[Any] = table.take(codes, mode="clip")
    return looked_up
