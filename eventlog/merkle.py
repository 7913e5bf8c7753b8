"""Merkle trees as RFC 6962 and RFC 9162 hash them: pure functions over hashes, no record, no file.

A leaf is ``sha256(0x00 + data)``, a node ``sha256(0x01 + left + right)``. The tree over any number of
leaves is the one of RFC 9162 section 2.1.1; what it is made of is a row of *whole subtrees*: their
size is a power of two and they begin at a multiple of it. `Range` holds those of a stretch of leaves,
so a stretch of any length is a few dozen hashes, and neighbours can be joined without their leaves.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from msgspec import Struct

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
Span = tuple[int, int]
"""leaves from one index up to, not including, another"""


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash what stands above two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Range(Struct, frozen=True):
    """The whole subtrees, as large as can be, that the leaves of a stretch make up, left to right."""

    begin: int
    end: int
    hashes: tuple[bytes, ...] = ()


def spans(begin: int, end: int) -> Iterator[Span]:
    """Give where the subtrees of a `Range` stand."""
    while begin < end:
        size = 1 << ((end - begin).bit_length() - 1)
        if begin:
            size = min(size, begin & -begin)
        yield begin, begin + size
        begin += size


def build(begin: int, leaves: Sequence[bytes]) -> Range:
    """Make the range of leaf hashes that stand at `begin` and behind."""
    left: list[bytes] = []
    right: list[bytes] = []
    row, index = list(leaves), begin
    while row:
        if index & 1:  # its sibling stands before the range
            left.append(row.pop(0))
            index += 1
        if len(row) & 1:  # its sibling stands behind the range
            right.append(row.pop())
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [sha256(b"\1" + one + other).digest() for one, other in pairs]
        index >>= 1
    return Range(begin, begin + len(leaves), (*left, *reversed(right)))


def join(one: Range, other: Range) -> Range:
    """Put a range and the one behind it together."""
    assert one.end == other.begin, "ranges are joined where they meet"
    stack: list[tuple[int, int, bytes]] = []
    for part in (one, other):
        for (begin, end), value in zip(spans(part.begin, part.end), part.hashes, strict=True):
            start, size, top = begin, end - begin, value
            while stack and stack[-1][1] == size and not stack[-1][0] % (2 * size):
                start, _, sibling = stack.pop()
                size, top = 2 * size, node_hash(sibling, top)
            stack.append((start, size, top))
    return Range(one.begin, other.end, tuple(value for _, _, value in stack))


def part(found: Range, begin: int, end: int) -> Range | None:
    """Give a part of a range, if whole subtrees of it make that up."""
    inside = [
        (span, value)
        for span, value in zip(spans(found.begin, found.end), found.hashes, strict=True)
        if begin <= span[0] and span[1] <= end
    ]
    if not inside or (inside[0][0][0], inside[-1][0][1]) != (begin, end):
        return None
    return Range(begin, end, tuple(value for _, value in inside))


def root(found: Range) -> bytes:
    """Give the hash over a range that begins where a tree of that size may: 0, or a whole subtree."""
    if not found.hashes:
        return EMPTY_ROOT
    *rest, value = found.hashes
    for left in reversed(rest):
        value = node_hash(left, value)
    return value


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Say which hashes prove a leaf in a tree of `size`: from its sibling up to the root's child."""
    assert 0 <= index < size, "the leaf is in the tree"
    found: list[Span] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Say which hashes prove that a tree of `new` leaves begins with the one of `old`."""
    assert 0 < old <= new, "the older tree has leaves, and not more than the newer one"
    found: list[Span] = []
    begin, end = 0, new
    while old < end:
        middle = begin + _split(end - begin)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    if begin:  # else the whole old tree is a subtree, and its root is known
        found.append((begin, end))
    return found[::-1]


def _split(size: int) -> int:
    """Give the largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def verifies_inclusion(
    index: int, size: int, leaf: bytes, path: Iterable[bytes], expected_root: bytes
) -> bool:
    """Tell whether a path proves a leaf's hash (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            node, last = _up_while_left(node, last)
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == expected_root


def verifies_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Tell whether a path proves that one tree begins with another (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in {0, new}:
        same = old_root == (EMPTY_ROOT if old == 0 else new_root)
        return same and not path and (new > 0 or new_root == EMPTY_ROOT)
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            node, last = _up_while_left(node, last)
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and older == old_root and newer == new_root


def _up_while_left(node: int, last: int) -> Span:
    """Go up from the last node of a row as long as it has no sibling there."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def fits(found: Range) -> bool:
    """Tell whether a range has as many hashes as it must, of the right length."""
    count = sum(1 for _ in spans(found.begin, found.end))
    return count == len(found.hashes) and all(len(one) == HASH_BYTES for one in found.hashes)


def prove(wanted: Iterable[Span], hashes_of: Callable[[int, int], Range]) -> list[bytes]:
    """Fetch the hashes of a proof."""
    return [root(hashes_of(begin, end)) for begin, end in wanted]


def joined(parts: Iterable[Range]) -> Range:
    """Put ranges together that follow one another, from leaf 0 or from where the first begins."""
    found: Range | None = None
    for part in parts:
        found = part if found is None else join(found, part)
    return found or Range(0, 0)
