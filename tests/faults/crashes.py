"""What a crash may leave of a simulated disk.

Nothing un-synced, or any byte prefix of it, or any of its 512-byte sectors while the others read as
before or zero, or a file that grew and holds zeros; and each un-synced name kept or lost. The mark,
which is never synced, may be as it is, as it was, torn or missing.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import product
from math import prod
from random import Random

from msgspec import Struct

from eventlog.mark import parse_slots
from eventlog.tail import SECTOR_BYTES
from tests.faults.simdisk import LOCK_NAME, Change, Directory, File

Tree = dict[str, bytes | None]
"""what is on a disk: every file's content, and None for a directory"""

MARK_NAME = "DURABLE"
_SECTORS_EXHAUSTIVE = 10
_SECTORS_SAMPLED = 300
_NAMES_EXHAUSTIVE = 5
_NAMES_SAMPLED = 32


class Reach(Struct, frozen=True):
    """How many of the states are looked at."""

    every_byte: bool
    """else a few places to cut"""
    sectors: int
    """of so many sectors all subsets, of more a sample"""
    product_max: int = 20_000
    """up to so many combinations of several files' contents, else each content with some others"""


FULL = Reach(every_byte=True, sectors=_SECTORS_EXHAUSTIVE)
FULLEST = Reach(every_byte=True, sectors=_SECTORS_EXHAUSTIVE, product_max=1_000_000)
THIN = Reach(every_byte=False, sectors=3)


def frozen(root: Directory) -> Directory:
    """Copy a disk's state, for its crash states to be enumerated later."""
    copies: dict[int, File | Directory] = {}

    def copy(node: File | Directory) -> File | Directory:
        known = copies.get(id(node))
        if known is not None:
            return known
        if isinstance(node, File):
            made = File(node.data, node.durable, list(node.pending), list(node.lost))
            copies[id(node)] = made
            return made
        copies[id(node)] = directory = Directory()
        directory.names = {name: copy(one) for name, one in node.names.items()}
        directory.durable = {name: copy(one) for name, one in node.durable.items()}
        directory.pending = [
            type(change)(
                change.gone, change.name, None if change.node is None else copy(change.node)
            )
            for change in node.pending
        ]
        return directory

    made = copy(root)
    assert isinstance(made, Directory)
    return made


def crash_states(root: Directory, rng: Random, reach: Reach = FULL) -> Iterator[Tree]:
    """Give what may be on the disk after a crash here. The same tree may come more than once."""
    for layout in _layouts(root, "", rng):
        fixed: Tree = {}
        open_: dict[str, list[bytes | None]] = {}
        for path, node in layout.items():
            variants = _variants(path, node, rng, reach)
            if len(variants) == 1:
                fixed[path] = variants[0]
            else:
                open_[path] = variants
        for contents in _combinations(list(open_.values()), rng, reach):
            chosen = zip(open_, contents, strict=True)
            kept = {
                path: one
                for path, one in chosen
                if path.rpartition("/")[2] != MARK_NAME or one is not None
            }
            yield {**fixed, **kept}


def a_crash_state(root: Directory, rng: Random) -> Tree:
    """Give one of them at random."""
    tree: Tree = {}
    for path, node in _a_layout(root, "", rng).items():
        content = rng.choice(_variants(path, node, rng, THIN))
        if node is None or content is not None:
            tree[path] = content
    return tree


def fingerprint(tree: Tree) -> bytes:
    """Give what is equal for equal trees; a mark counts as what it reads as."""
    made = blake2b(digest_size=16)
    for path in sorted(tree):
        content = tree[path]
        if content is not None and path.endswith(MARK_NAME):
            mark, slot = parse_slots(content)
            content = b"%d %d %b" % (mark.position, slot, mark.chain)
        size = -1 if content is None else len(content)
        made.update(b"%b %d " % (path.encode(), size))
        made.update(content or b"")
    return made.digest()


def _layouts(directory: Directory, path: str, rng: Random) -> Iterator[dict[str, File | None]]:
    """Give every choice of names below a directory."""
    for names in _name_choices(directory, rng):
        files = {
            f"{path}/{name}": node
            for name, node in names.items()
            if isinstance(node, File) and name != LOCK_NAME
        }
        below = [
            [{f"{path}/{name}": None, **layout} for layout in _layouts(node, f"{path}/{name}", rng)]
            for name, node in names.items()
            if isinstance(node, Directory)
        ]
        for chosen in product(*below):
            layout: dict[str, File | None] = dict(files)
            for part in chosen:
                layout.update(part)
            yield layout


def _a_layout(directory: Directory, path: str, rng: Random) -> dict[str, File | None]:
    """Give one choice of names below a directory, a name at a time or all or none."""
    share = rng.choice((0.0, 0.5, 0.9, 1.0))
    names = dict(directory.durable)
    for change in directory.pending:
        if rng.random() < share:
            change.apply(names)
    layout: dict[str, File | None] = {}
    for name, node in names.items():
        if isinstance(node, Directory):
            layout |= {f"{path}/{name}": None, **_a_layout(node, f"{path}/{name}", rng)}
        elif name != LOCK_NAME:
            layout[f"{path}/{name}"] = node
    return layout


def _name_choices(directory: Directory, rng: Random) -> Iterator[dict[str, File | Directory]]:
    count = len(directory.pending)
    everything = (1 << count) - 1
    subsets: Iterable[int] = range(1 << count)
    if count > _NAMES_EXHAUSTIVE:
        subsets = [0, everything, *(rng.randrange(1 << count) for _ in range(_NAMES_SAMPLED))]
    for subset in subsets:
        names = dict(directory.durable)
        for number, change in enumerate(directory.pending):
            if subset >> number & 1:
                change.apply(names)
        yield names


def _combinations(
    variants: list[list[bytes | None]], rng: Random, reach: Reach
) -> Iterator[tuple[bytes | None, ...]]:
    if prod(map(len, variants)) <= reach.product_max:
        yield from product(*variants)
        return
    for number, those in enumerate(variants):
        for one in those:
            yield tuple(
                one if n == number else rng.choice(other) for n, other in enumerate(variants)
            )


def _variants(path: str, node: File | None, rng: Random, reach: Reach) -> list[bytes | None]:
    """Give what a file may hold; only the mark may be missing (None) though its name is there."""
    if node is None:
        return [None]
    changes = [*node.lost, *node.pending]
    if path.rpartition("/")[2] == MARK_NAME:
        return [*dict.fromkeys(_marks(node, changes)), None]
    if not changes:
        return [node.durable]
    return list(dict.fromkeys(_contents(node, changes, rng, reach)))


def _marks(node: File, changes: list[Change]) -> Iterator[bytes]:
    yield node.data
    yield node.durable
    content = node.durable
    for change in changes[-3:]:
        yield content  # as it was before the newest changes
        if change.data is not None:
            yield Change(change.offset, change.data[: len(change.data) // 2]).apply(content)
        content = change.apply(content)
    yield bytes(len(node.data))


def _contents(node: File, changes: list[Change], rng: Random, reach: Reach) -> Iterator[bytes]:
    old, new = node.durable, node.data
    yield old
    yield new
    content = old
    for change in changes:
        if change.data is not None:
            for cut in _cuts(len(change.data), reach):
                yield Change(change.offset, change.data[:cut]).apply(content)
                if change.offset + cut > len(old):
                    yield old.ljust(change.offset + cut, b"\0")
        content = change.apply(content)
        yield content
    yield from _sectors(old, new, changes, rng, reach)


def _cuts(size: int, reach: Reach) -> Iterable[int]:
    if reach.every_byte:
        return range(size)
    return sorted({0, 1, size // 2, size - 1})


def _sectors(
    old: bytes, new: bytes, changes: list[Change], rng: Random, reach: Reach
) -> Iterator[bytes]:
    touched = sorted(
        {
            sector
            for change in changes
            if change.data
            for sector in range(
                change.offset // SECTOR_BYTES,
                (change.offset + len(change.data) - 1) // SECTOR_BYTES + 1,
            )
        }
    )
    subsets: Iterable[int] = range(1 << len(touched))
    if len(touched) > reach.sectors:
        sample = _SECTORS_SAMPLED if reach.every_byte else 1 << reach.sectors
        subsets = [rng.randrange(1 << len(touched)) for _ in range(sample)]
    for subset in subsets:
        holed = bytearray(old.ljust(len(new), b"\0"))
        for number, sector in enumerate(touched):
            if subset >> number & 1:
                part = slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
                holed[part] = new[part] + holed[part][len(new[part]) :]
        yield bytes(holed)
