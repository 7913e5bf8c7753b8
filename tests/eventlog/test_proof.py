"""Proofs as texts: golden, whole, and refused by two checkers as soon as one byte differs."""

from pathlib import Path

import pytest

from eventlog.checkpoint import Note, verify_note
from eventlog.directory import Home
from eventlog.errors import CheckpointRefused
from eventlog.proof import Consistency, Inclusion, parse_proof
from eventlog.tree import leaf_bytes
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, body, running
from tests.eventlog.notes import SIGNER, STRANGER, checkpoint, tree
from tools import offline

LAST = 20
VKEY = SIGNER.verifier.vkey


async def a_log() -> MemoryDisk:
    return await running(batches=5, records=4, segment_bytes_max=800)


def inclusion(disk: MemoryDisk, position: int, note: Note, home: Home = HOME) -> str:
    path = tree(disk, home, note.checkpoint.size).inclusion(position, note.checkpoint.size)
    leaf = leaf_bytes(position, body(position))
    return Inclusion(leaf, position - 1, tuple(path), note).text


def consistency(disk: MemoryDisk, old: Note, new: Note) -> str:
    path = tree(disk, HOME).consistency(old.checkpoint.size, new.checkpoint.size)
    return Consistency(tuple(path), old, new).text


def holds(data: bytes, vkey: str = VKEY) -> bool:
    """Ask both checkers, which must agree."""
    try:
        text = data.decode()
        offline.check(text, vkey)
        theirs = True
    except (offline.NotProven, ValueError):
        theirs = False
    assert ours(data) == theirs
    return theirs


def ours(data: bytes) -> bool:
    try:
        proof = parse_proof(data.decode())
        notes = (proof.note,) if isinstance(proof, Inclusion) else (proof.old, proof.new)
        for note in notes:
            verify_note(note, [SIGNER.verifier])
    except (CheckpointRefused, UnicodeDecodeError):
        return False
    return proof.holds


async def test_golden_texts() -> None:
    disk = await running(batches=1, records=3)
    old, new = checkpoint(disk, HOME, 2), checkpoint(disk, HOME)
    golden = Path(__file__).parents[1] / "golden" / "proofs-v1"
    assert inclusion(disk, 2, new) == (golden / "inclusion").read_text()
    assert consistency(disk, old, new) == (golden / "consistency").read_text()
    assert new.whole == (golden / "checkpoint").read_text()
    for name in ("inclusion", "consistency"):
        assert holds((golden / name).read_bytes())
    assert offline.check(new.whole, VKEY).startswith("spoolog/c1 held 3 records")


async def test_every_record_and_all_pairs_are_proven() -> None:
    disk = await a_log()
    notes = {size: checkpoint(disk, HOME, size) for size in range(1, LAST + 1)}
    for size, note in notes.items():
        for position in range(1, size + 1):
            text = inclusion(disk, position, note)
            assert holds(text.encode())
            assert parse_proof(text).text == text
        for old in range(1, size + 1):
            text = consistency(disk, notes[old], note)
            assert holds(text.encode())
            assert parse_proof(text).text == text


async def test_every_changed_byte_is_refused() -> None:
    disk = await a_log()
    old, new = checkpoint(disk, HOME, 7), checkpoint(disk, HOME)
    for text in (inclusion(disk, 6, new).encode(), consistency(disk, old, new).encode()):
        assert holds(text)
        for at in range(len(text)):
            for bit in range(8):
                flipped = text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]
                assert not holds(flipped), (at, bit)
            assert not holds(text[:at])
            assert not holds(text[:at] + text[at + 1 :])


async def test_a_proof_that_a_stranger_signed_is_refused() -> None:
    disk = await a_log()
    note = checkpoint(disk, HOME)
    text = inclusion(disk, 6, STRANGER.sign(note.checkpoint)).encode()
    assert not holds(text)
    assert offline.check(text.decode(), STRANGER.verifier.vkey).startswith("record 6 of 20")


async def test_a_proof_is_of_its_own_checkpoint_only() -> None:
    disk = await a_log()
    seven, new = checkpoint(disk, HOME, 7), checkpoint(disk, HOME)
    path = tree(disk, HOME).inclusion(6, LAST)
    assert not holds(Inclusion(leaf_bytes(6, body(6)), 5, tuple(path), seven).text.encode())
    path = tree(disk, HOME).consistency(7, LAST)
    assert not holds(Consistency(tuple(path), new, new).text.encode())
    assert not holds(Consistency(tuple(path), new, seven).text.encode())
    assert not holds(Consistency((), new, seven).text.encode())


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "c2sp.org/tlog-proof@v1\n", "spoolog/tlog-consistency@v1\nold 1\nnew 2\n\n"],
)
def test_other_texts_are_no_proofs(text: str) -> None:
    assert not holds(text.encode())


def test_the_offline_checker_shares_no_code() -> None:
    text = Path(offline.__file__).read_text()
    imports = [
        line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))
    ]
    roots = {name.partition(".")[0] for name in imports}
    assert roots == {"base64", "hashlib", "sys", "pathlib", "cryptography"}
