r"""The file ``TREE``: hashes of the log's records, few enough to be kept for ever.

Each line stands for a *piece* of the log and holds the largest whole subtrees of its records, as
`eventlog.merkle` makes them, and the hash chain's state after the last of them::

    <crc32> #tree {"first":1,"last":3,"state":"<64 hex>","hashes":["<64 hex>","<64 hex>"]}

The pieces follow one another from record 1 on. One ends wherever a segment ends and wherever a
checkpoint was made, and stays when its records expire: so every root that was ever signed can be
computed again. That is one or two kilobytes a piece, whatever the number of records; the hashes of
single records are not kept, they are made from the records.

All of it is derived. What cannot be read, and all behind it, counts as not there, and whether the
rest is of this log is told by the states; see `eventlog.tree`.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import MsgspecError, Struct, json

from eventlog import merkle
from eventlog.copy import chunks_of, put
from eventlog.disk import Disk
from eventlog.frame import Count, Hash, framed, unframed
from eventlog.home import Home

_MARK: Final = b"#tree "


class Piece(Struct, frozen=True):
    """A stretch of the log and its hashes."""

    first: Count
    last: Count
    state: Hash
    """the hash chain's state after the last record"""
    hashes: list[Hash]

    @property
    def range(self) -> merkle.Range:
        """The same as subtrees: the record at position 1 is leaf 0."""
        return merkle.Range(self.first - 1, self.last, tuple(map(bytes.fromhex, self.hashes)))


def piece(found: merkle.Range, state: str) -> Piece:
    """Make a piece of subtrees."""
    return Piece(found.begin + 1, found.end, state, [one.hex() for one in found.hashes])


def read_pieces(disk: Disk, home: Home) -> tuple[list[Piece], bool]:
    """Give the pieces up to the first that cannot be read, and whether that is all of the file."""
    try:
        data = b"".join(chunks_of(disk, home.tree))
    except FileNotFoundError:
        return [], True
    *lines, rest = data.split(b"\n")
    found: list[Piece] = []
    for line in lines:
        one = _parse(line)
        if one is None or one.first != (found[-1].last + 1 if found else 1):
            return found, False
        found.append(one)
    return found, not rest


def write_pieces(disk: Disk, home: Home, pieces: Iterable[Piece]) -> None:
    """Write the file, in place of the one before."""
    put(disk, home.tree, [b"".join(framed(_MARK + json.encode(one)) for one in pieces)])


def copy_pieces(disk: Disk, source: Home, target: Home, *, upto: int | None = None) -> None:
    """Copy the file to another data directory, if it is whole; with `upto`, no piece behind that.

    One that is not would take the place of one that may be.
    """
    pieces, whole = read_pieces(disk, source)
    wanted = [one for one in pieces if upto is None or one.last <= upto]
    if whole and wanted and wanted != read_pieces(disk, target)[0]:
        write_pieces(disk, target, wanted)


def _parse(line: bytes) -> Piece | None:
    rest = unframed(line)
    if rest is None or not rest.startswith(_MARK):
        return None
    try:
        found = json.decode(rest[len(_MARK) :], type=Piece)
    except (MsgspecError, ValueError, RecursionError):
        return None
    return found if found.first <= found.last and merkle.fits(found.range) else None
