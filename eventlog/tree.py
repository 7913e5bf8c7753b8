"""The Merkle tree over the records of a log: its roots, its proofs, and what is kept of it.

**Leaves.** The record at position n is leaf n - 1; its bytes are ``b"<position> " + body``, exactly
what enters the hash chain. So batch, epoch and segment do not matter, a compressed segment, a backup
and a fork have the same leaves, and whoever holds a record can make its leaf again.

What is kept stands in ``TREE``, see `eventlog.treefile`. A piece counts when the log itself tells the
state at its end, or at the end of a later one: the state vouches for all records before it, so a
piece of another history, after a repair or in a fork, does not count. What does not count is made
anew from the records. Where they have expired it cannot be, and then nothing is told at all. The
writer of the log has no part in this.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from msgspec import Struct

from eventlog import merkle
from eventlog.directory import SegmentInfo, read_mark, survey
from eventlog.disk import Disk
from eventlog.errors import HashesMissing, TreeRefuted
from eventlog.home import Home
from eventlog.log import Entry
from eventlog.treefile import Piece, piece, read_pieces, write_pieces
from eventlog.walker import Walker

Progress = Callable[[int], None]
"""hears the position reached"""


def leaves(entries: Iterable[Entry]) -> list[bytes]:
    """Hash records as leaves."""
    return [sha256(b"\0%d %b" % entry).digest() for entry in entries]


def leaf_bytes(position: int, body: bytes) -> bytes:
    """Give what is hashed of a record."""
    return b"%d %b" % (position, body)


class Extent(Struct, frozen=True):
    """What a log holds: its segments, up to where they are sealed, and up to where it is durable."""

    segments: list[SegmentInfo]
    sealed: int
    durable: int

    @property
    def first(self) -> int:
        """The first position that is there, or will be."""
        return self.segments[0].base if self.segments else 1


def extent(disk: Disk, home: Home, cluster: str) -> Extent:
    """Say what no crash can take from the log: up to the mark, or up to the last seal.

    The mark is moved after a sync, and a footer is written after one, so both tell of records that
    are on the device, whatever the sync mode. Others may be as durable; that is not known here.
    """
    mark = read_mark(disk, home)[0].position  # before the segments: they reach as far as it does
    segments = survey(disk, home, cluster)
    sealed = max((one.footer.last for one in segments if one.footer is not None), default=0)
    begun = segments[-1].base - 1 if segments else 0
    return Extent(segments, max(sealed, begun), max(mark, sealed, begun))


def confirmed(pieces: list[Piece], segments: list[SegmentInfo]) -> int:
    """Give how many of the pieces are known to be of this log."""
    states = {one.base - 1: one.header.state for one in segments}
    states |= {one.footer.last: one.footer.state for one in segments if one.footer is not None}
    for count in range(len(pieces), 0, -1):
        if states.get(pieces[count - 1].last) == pieces[count - 1].state:
            return count
    return 0


class Tree:
    """The tree over the durable records of a log at one moment. Reads; `keep` alone writes.

    `cuts` are positions where a piece shall end, besides where segments do. The whole of it is read
    where the pieces that are kept do not count, and the end of it always.
    """

    def __init__(
        self,
        disk: Disk,
        home: Home,
        cluster: str,
        found: Extent,
        *,
        cuts: Iterable[int] = (),
        progress: Progress | None = None,
    ) -> None:
        self._disk = disk
        self._home = home
        self._cluster = cluster
        self._extent = found
        self._progress = progress
        self._kept, self._whole = read_pieces(disk, home)
        self._known = confirmed(self._kept, found.segments)
        self._ends = {one.last for one in self._kept}.union(cuts)
        self.pieces = list(self._made())
        self._read: tuple[Piece, list[bytes]] | None = None
        """the leaves of the piece that was read last"""

    @property
    def size(self) -> int:
        """How many records it stands over."""
        return self.pieces[-1].last if self.pieces else 0

    def root(self, size: int) -> bytes:
        """Give the root over the first `size` records.

        Raises:
            HashesMissing: it lies among records that have expired, and no checkpoint was made there.

        """
        return merkle.root(self.range(0, size))

    def inclusion(self, position: int, size: int) -> list[bytes]:
        """Prove that a record is in the tree of that size.

        Raises:
            HashesMissing: it has expired.

        """
        return merkle.prove(merkle.inclusion_spans(position - 1, size), self.range)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove that the tree of the size `new` goes on from that of the size `old`.

        Raises:
            HashesMissing: as `root`.

        """
        return merkle.prove(merkle.consistency_spans(old, new), self.range)

    def range(self, begin: int, end: int) -> merkle.Range:
        """Give the subtrees of a stretch of leaves."""
        assert begin < end <= self.size, "the tree is that large"
        index = bisect_right(self.pieces, begin, key=lambda one: one.first - 1) - 1
        parts: list[merkle.Range] = []
        while begin < end:
            one = self.pieces[index]
            upto = min(end, one.last)
            found = merkle.part(one.range, begin, upto)
            parts.append(found or self._of_leaves(one, begin, upto))
            begin, index = upto, index + 1
        return merkle.joined(parts)

    def keep(self) -> None:
        """Write down what is not, durably. The caller holds `keeping`."""
        ends = self._ends | {one.footer.last for one in self._extent.segments if one.footer}
        count = len(self.pieces)
        while count and self.pieces[count - 1].last not in ends:
            count -= 1
        if not self._whole or self.pieces[:count] != self._kept:
            write_pieces(self._disk, self._home, self.pieces[:count])
        else:
            # Who wrote it may have been killed before the name was durable.
            self._disk.sync_directory(self._home.directory)

    def _made(self) -> Iterator[Piece]:
        """Give the pieces from record 1 on: as they are kept where that counts, else made anew."""
        counting = {(one.first, one.last): one for one in self._kept[: self._known]}
        position, walker = 0, None
        for end in self._all_ends():
            one = counting.get((position + 1, end))
            if one is not None:
                walker = None
            else:
                walker = walker or self._walk(position, end)
                one = self._make(walker, position, end)
            yield one
            position = end

    def _all_ends(self) -> list[int]:
        found, first = self._extent, self._extent.first
        ends = self._ends | {found.durable}
        ends |= {one.footer.last for one in found.segments if one.footer is not None}
        ends |= {one.base - 1 for one in found.segments}
        known = {one.last for one in self._kept[: self._known]}
        return sorted(
            end for end in ends if 0 < end <= found.durable and (end >= first or end in known)
        )

    def _walk(self, after: int, end: int) -> Walker:
        if after + 1 < self._extent.first:
            raise HashesMissing(after + 1, min(end, self._extent.first - 1))
        return Walker(
            self._disk, self._home, self._cluster, after, segments=list(self._extent.segments)
        )

    def _make(self, walker: Walker, after: int, end: int) -> Piece:
        found = merkle.Range(after, after)
        while batch := walker.next(end):
            found = merkle.join(found, merkle.build(found.end, leaves(batch)))
            if self._progress is not None:
                self._progress(found.end)
        assert walker.cursor is not None, "a walker that gave records has a place"
        return piece(found, walker.cursor.state.hex())

    def _of_leaves(self, one: Piece, begin: int, end: int) -> merkle.Range:
        hashes = self._leaves(one)
        return merkle.build(begin, hashes[begin - one.first + 1 : end - one.first + 1])

    def _leaves(self, one: Piece) -> list[bytes]:
        if self._read is None or self._read[0] is not one:
            walker = self._walk(one.first - 1, one.last)
            hashes: list[bytes] = []
            while batch := walker.next(one.last):
                hashes += leaves(batch)
            if merkle.build(one.first - 1, hashes) != one.range:
                raise TreeRefuted(
                    f"{self._home.tree} tells other hashes than records {one.first} to {one.last}"
                    " have: it was changed by somebody. Remove it, and see"
                    " `spoolog log verify --checkpoint`"
                )
            self._read = one, hashes
        return self._read[1]
