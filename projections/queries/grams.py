"""Which payloads cannot hold a text: a sieve over the four-byte pieces of many payloads at a time.

For every group of rows it notes which pieces occur, by a hash that may mistake one for another but
never overlooks one. What passes the sieve is read; what does not need not be. Made in parts when it
is first wanted, and kept with the chunk, since payloads never change.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from projections.columns import CHUNK_ROWS, Chunk

PIECE: Final = 4
"""Shorter texts are not sieved."""
_GROUP_ROWS: Final = 64
_PART_ROWS: Final = 1_024
_BUCKET_BITS: Final = 15
_PART_BYTES_MAX: Final = 512 * 1024
"""With longer payloads every piece would occur in every group, and a part would take too long."""
_MULTIPLIER: Final = np.uint32(0x9E3779B1)

Words = NDArray[np.uint8]


class Grams:
    """The sieve of one full chunk, part by part; `done` once it says something of every row."""

    __slots__ = ("_parts", "done", "useless")

    def __init__(self) -> None:
        self._parts: list[Words] = []
        self.done = False
        self.useless = False

    def add_part(self, chunk: Chunk) -> None:
        """Take in the next rows."""
        begin = len(self._parts) * _PART_ROWS
        jobs = chunk.jobs[begin : begin + _PART_ROWS]
        payloads = [b"" if job is None else bytes(job.payload) for job in jobs]
        if sum(map(len, payloads)) > _PART_BYTES_MAX:
            self.useless = self.done = True
            self._parts.clear()
            return
        self._parts.append(_sieve(payloads))
        self.done = len(self._parts) * _PART_ROWS >= CHUNK_ROWS

    def passing(self, rows: NDArray[np.int64], needle: bytes) -> NDArray[np.int64]:
        """Give those of the rows whose payload may hold `needle`."""
        if self.useless:
            return rows
        buckets = np.unique(_buckets(np.frombuffer(needle, dtype=np.uint8)))
        table = np.concatenate(self._parts)
        bits = table[:, buckets >> 3] >> (7 - (buckets & 7)).astype(np.uint8) & 1
        groups: NDArray[np.bool_] = np.all(bits, axis=1)
        passing: NDArray[np.int64] = rows[groups[rows // _GROUP_ROWS]]
        return passing


def _sieve(payloads: list[bytes]) -> Words:
    """Give one line of bits for each group of payloads: which buckets occur in it."""
    groups = len(payloads) // _GROUP_ROWS
    table = np.zeros((groups, 1 << _BUCKET_BITS), dtype=np.bool_)
    for group in range(groups):
        text = b"\n".join(payloads[group * _GROUP_ROWS : (group + 1) * _GROUP_ROWS])
        if len(text) >= PIECE:
            table[group, _buckets(np.frombuffer(text, dtype=np.uint8))] = True
    return np.packbits(table, axis=1)


def _buckets(text: Words) -> NDArray[Any]:
    """Give the bucket of every piece of a text."""
    wide = text.astype(np.uint32)
    pieces = wide[:-3] << np.uint32(24) | wide[1:-2] << np.uint32(16) | wide[2:-1] << np.uint32(8)
    hashes: NDArray[np.uint32] = (pieces | wide[3:]) * _MULTIPLIER
    buckets: NDArray[np.uint32] = hashes >> np.uint32(32 - _BUCKET_BITS)
    return buckets
