"""The tree of RFC 6962 and its proofs: the known vectors, all small trees, and nothing but the truth."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import merkle
from eventlog.merkle import Range, build, join, leaf_hash, node_hash, root

# The leaves and roots that the reference implementation of RFC 6962 is tested with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
PATH_OF_0_IN_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]

MANY = 64
HASHES = [leaf_hash(b"%d" % index) for index in range(MANY)]
OTHER = leaf_hash(b"other")


def defined(hashes: Sequence[bytes]) -> bytes:
    """Give the root as RFC 9162 section 2.1.1 defines it."""
    if not hashes:
        return bytes.fromhex(EMPTY)
    if len(hashes) == 1:
        return hashes[0]
    middle = 1
    while middle * 2 < len(hashes):
        middle *= 2
    return node_hash(defined(hashes[:middle]), defined(hashes[middle:]))


ROOT_OF = [defined(HASHES[:size]) for size in range(MANY + 1)]


def part(begin: int, end: int) -> Range:
    return build(begin, HASHES[begin:end])


def inclusion(index: int, size: int) -> list[bytes]:
    return merkle.prove(merkle.inclusion_spans(index, size), part)


def consistency(old: int, new: int) -> list[bytes]:
    return merkle.prove(merkle.consistency_spans(old, new), part)


def changed(path: list[bytes]) -> list[list[bytes]]:
    """Give paths that are one step away from a right one."""
    wrong = [[*path[:at], OTHER, *path[at + 1 :]] for at in range(len(path))]
    wrong += [[*path[:at], *path[at + 1 :]] for at in range(len(path))]
    wrong += [[*path[:at], OTHER, *path[at:]] for at in range(len(path) + 1)]
    return wrong


def test_known_roots() -> None:
    assert merkle.EMPTY_ROOT.hex() == root(build(0, [])).hex() == EMPTY
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [root(build(0, hashes[:size])).hex() for size in range(1, 9)] == ROOTS


def test_known_path() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    spans = merkle.inclusion_spans(0, 8)
    found = merkle.prove(spans, lambda begin, end: build(begin, hashes[begin:end]))
    assert [one.hex() for one in found] == PATH_OF_0_IN_8


def test_leaf_is_no_node() -> None:
    pair = HASHES[0] + HASHES[1]
    assert leaf_hash(pair) != node_hash(HASHES[0], HASHES[1])


@pytest.mark.parametrize("begin", range(0, MANY, 3))
def test_every_range_is_the_sum_of_its_parts(begin: int) -> None:
    for end in range(begin, MANY + 1):
        whole = part(begin, end)
        assert merkle.fits(whole)
        for middle in range(begin, end + 1):
            assert join(part(begin, middle), part(middle, end)) == whole
        if begin == 0:
            assert root(whole) == ROOT_OF[end]


@given(st.integers(0, MANY), st.integers(0, MANY), st.integers(0, MANY), st.integers(0, MANY))
def test_a_part_of_a_range_is_that_range_or_not_to_be_had(a: int, b: int, c: int, d: int) -> None:
    begin, first, last, end = sorted((a, b, c, d))
    found = merkle.part(part(begin, end), first, last)
    assert found is None or found == part(first, last)
    assert merkle.part(part(begin, end), begin, end) == (part(begin, end) if begin < end else None)


def test_a_range_with_too_many_or_short_hashes_is_told() -> None:
    whole = part(3, 40)
    for hashes in (whole.hashes[1:], (*whole.hashes, OTHER), (b"", *whole.hashes[1:])):
        assert not merkle.fits(Range(3, 40, hashes))


@pytest.mark.parametrize("size", range(1, MANY + 1))
def test_every_leaf_of_every_tree_is_proven_and_nothing_else(size: int) -> None:
    for index in range(size):
        path = inclusion(index, size)

        def holds(
            path: list[bytes],
            index: int = index,
            leaf: bytes = HASHES[index],
            top: bytes = ROOT_OF[size],
        ) -> bool:
            return merkle.verifies_inclusion(index, size, leaf, path, top)

        assert holds(path)
        assert not holds(path, leaf=OTHER)
        assert not holds(path, top=OTHER)
        assert not any(holds(path, index=other) for other in range(-1, size + 2) if other != index)
        assert not any(map(holds, changed(path)))


@pytest.mark.parametrize("new", range(1, MANY + 1))
def test_every_two_trees_are_proven_consistent_and_no_others(new: int) -> None:
    for old in range(1, new + 1):
        path = consistency(old, new)

        def holds(
            path: list[bytes],
            old: int = old,
            older: bytes = ROOT_OF[old],
            newer: bytes = ROOT_OF[new],
        ) -> bool:
            return merkle.verifies_consistency(old, new, older, newer, path)

        assert holds(path)
        assert not holds(path, older=OTHER)
        assert not holds(path, newer=OTHER)
        assert not any(map(holds, changed(path)))
        assert not any(holds(path, old=other) for other in range(1, new + 2) if other != old)


@given(st.data())
def test_every_changed_bit_of_a_proof_refuses(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MANY))
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(index, size)
    at = data.draw(st.integers(0, len(path) * 256 - 1))
    flipped = bytearray(path[at // 256])
    flipped[at % 256 // 8] ^= 1 << at % 8
    path[at // 256] = bytes(flipped)
    assert not merkle.verifies_inclusion(index, size, HASHES[index], path, ROOT_OF[size])


def test_trees_without_leaves() -> None:
    empty = bytes.fromhex(EMPTY)
    assert merkle.verifies_consistency(0, 0, empty, empty, [])
    assert merkle.verifies_consistency(0, 5, empty, ROOT_OF[5], [])
    assert not merkle.verifies_consistency(0, 5, OTHER, ROOT_OF[5], [])
    assert not merkle.verifies_consistency(0, 0, empty, OTHER, [])
    assert not merkle.verifies_consistency(6, 5, ROOT_OF[6], ROOT_OF[5], [])
    assert not merkle.verifies_inclusion(0, 0, HASHES[0], [], empty)
