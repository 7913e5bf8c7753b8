"""Proofs as texts that can be checked with nothing but a key: what they look like, whether they hold.

A proof of inclusion is a C2SP tlog-proof. Its ``extra`` line holds the record, as it was hashed::

    c2sp.org/tlog-proof@v1
    extra <base64 of "<position> <body>">
    index <position - 1>
    <base64 of a hash, from the leaf's sibling up to the root's child>
    …

    <checkpoint>

A proof of consistency is made likewise, of the hashes of RFC 9162 section 2.1.4.1 and both
checkpoints::

    spoolog/tlog-consistency@v1
    old <size>
    new <size>
    <base64 of a hash>
    …

    <older checkpoint>

    <newer checkpoint>
"""

from typing import Final

from msgspec import Struct

from eventlog import merkle
from eventlog.checkpoint import Note, decoded, encoded, parse_note
from eventlog.errors import CheckpointRefused
from eventlog.frame import number

INCLUSION: Final = "c2sp.org/tlog-proof@v1"
CONSISTENCY: Final = "spoolog/tlog-consistency@v1"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_PATH_MAX: Final = 64
"""hashes in a proof: a tree cannot be higher, nor need more than one a level"""


class Inclusion(Struct, frozen=True):
    """That a record is in the log of a checkpoint."""

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    note: Note

    @property
    def position(self) -> int:
        """Where the record stands, as it says itself; 0 where that is no number."""
        return number(self.leaf.partition(b" ")[0]) or 0

    @property
    def body(self) -> bytes:
        """What the record holds."""
        return self.leaf.partition(b" ")[2]

    @property
    def holds(self) -> bool:
        """Whether the hashes lead to the checkpoint's root. The signature is another matter."""
        told, leaf = self.note.checkpoint, merkle.leaf_hash(self.leaf)
        proven = merkle.verifies_inclusion(self.index, told.size, leaf, self.path, told.root)
        return proven and self.position == self.index + 1

    @property
    def text(self) -> str:
        """All of it, as it stands in a file."""
        lines = (INCLUSION, _EXTRA + encoded(self.leaf), f"{_INDEX}{self.index}")
        return _lines(*lines, *map(encoded, self.path)) + "\n" + self.note.whole


class Consistency(Struct, frozen=True):
    """That the log of one checkpoint begins with that of an older one."""

    path: tuple[bytes, ...]
    old: Note
    new: Note

    @property
    def holds(self) -> bool:
        """Whether the hashes lead to both roots. The signatures are another matter."""
        old, new = self.old.checkpoint, self.new.checkpoint
        proven = merkle.verifies_consistency(old.size, new.size, old.root, new.root, self.path)
        return proven and old.origin == new.origin

    @property
    def text(self) -> str:
        """All of it, as it stands in a file."""
        sizes = (f"old {self.old.checkpoint.size}", f"new {self.new.checkpoint.size}")
        head = _lines(CONSISTENCY, *sizes, *map(encoded, self.path))
        return f"{head}\n{self.old.whole}\n{self.new.whole}"


def parse_proof(text: str) -> Inclusion | Consistency:
    """Read a proof; whether it holds is another matter.

    Raises:
        CheckpointRefused: it is none.

    """
    head, _, rest = text.partition("\n\n")
    kind, *lines = head.split("\n")
    if kind == INCLUSION:
        return _inclusion(lines, rest)
    if kind == CONSISTENCY:
        return _consistency(lines, rest)
    raise CheckpointRefused("this is no proof of a kind that is known here")


def _inclusion(lines: list[str], rest: str) -> Inclusion:
    if len(lines) < 2 or not lines[0].startswith(_EXTRA):  # noqa: PLR2004
        raise CheckpointRefused("this proof of inclusion brings no record with it")
    leaf = decoded(lines[0].removeprefix(_EXTRA))
    index = _count(lines[1], _INDEX)
    return Inclusion(leaf, index, _path(lines[2:]), parse_note(rest))


def _consistency(lines: list[str], rest: str) -> Consistency:
    parts = rest.split("\n\n")
    if len(lines) < 2 or len(parts) != 4:  # noqa: PLR2004 - two sizes; two texts, two signatures
        raise CheckpointRefused("this proof of consistency has not both checkpoints")
    old, new = parse_note("\n\n".join(parts[:2]) + "\n"), parse_note("\n\n".join(parts[2:]))
    sizes = (_count(lines[0], "old "), _count(lines[1], "new "))
    if sizes != (old.checkpoint.size, new.checkpoint.size):
        raise CheckpointRefused("this proof of consistency is of other checkpoints")
    return Consistency(_path(lines[2:]), old, new)


def _path(lines: list[str]) -> tuple[bytes, ...]:
    hashes = tuple(map(decoded, lines))
    if len(hashes) > _PATH_MAX or any(len(one) != merkle.HASH_BYTES for one in hashes):
        raise CheckpointRefused("a hash of this proof cannot be read")
    return hashes


def _count(line: str, mark: str) -> int:
    text = line.removeprefix(mark)
    found = 0 if text == "0" else number(text.encode())
    if found is None or not line.startswith(mark):
        raise CheckpointRefused(f"this proof has no line {mark.strip()!r}")
    return found


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
