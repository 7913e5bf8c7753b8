"""Proofs as texts: golden, whole, and refused by two checkers as soon as one byte differs."""

import asyncio
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.checkpoint import Checkpoint, Note, parse_note, verify_note
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
        found = _parsed(data.decode())
        match found:
            case Inclusion():
                notes, right = [found.note], found.holds
            case Consistency():
                notes, right = [found.old, found.new], found.holds
            case _:
                notes, right = [found], True
        for note in notes:
            verify_note(note, [SIGNER.verifier])
    except (CheckpointRefused, UnicodeDecodeError):
        return False
    return right


def _parsed(text: str) -> Note | Inclusion | Consistency:
    with suppress(CheckpointRefused):
        return parse_note(text)
    return parse_proof(text)


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


PIECES = st.sampled_from(
    [
        "\n",
        "\n\n",
        "\r",
        " ",
        "\t",
        "+",
        "=",
        "0",
        "\0",
        "\x7f",
        "\u2028",
        "\ufeff",
        "extra ",
        "index 0\n",
        "old 1\n",
        "\u2014 x QUFBQUE=\n",
        "\u2014 x QUFBQQ==\n",
        "\u2014 x AAAA\n",
        "\u2014 x y QUFBQUE=\n",
        "\u2014 a+b QUFBQUE=\n",
        "\u2014 \x01 QUFBQUE=\n",
        "\u2014 \xa0 QUFBQUE=\n",
        "\u2014  QUFBQUE=\n",
        "c2sp.org/tlog-proof@v1\n",
    ]
)
PLACES = st.sampled_from(["end", "blank line", "line", "anywhere"])
TEXTS: list[str] = []


async def _texts() -> list[str]:
    disk = await a_log()
    notes = [checkpoint(disk, HOME, size) for size in (1, 7, 8, LAST)]
    return [
        *(note.whole for note in notes),
        *(inclusion(disk, 1, note) for note in notes),
        *(consistency(disk, notes[0], note) for note in notes),
        consistency(disk, notes[1], notes[3]),
    ]


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_both_checkers_agree_on_whatever_is_made_of_proofs(data: st.DataObject) -> None:
    if not TEXTS:
        TEXTS.extend(asyncio.run(_texts()))
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            at = _place(data.draw(PLACES), text, data.draw(st.integers(0, 2000)))
            text = text[:at] + data.draw(PIECES) + text[at:]
            continue
        lines = text.split("\n")
        other = data.draw(st.sampled_from(TEXTS)).split("\n")
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + data.draw(st.integers(0, 2))] = other[: data.draw(st.integers(0, 3))]
        text = "\n".join(lines)
    holds(text.encode())


def _place(named: str, text: str, number: int) -> int:
    match named:
        case "end":
            return len(text)
        case "blank line":
            return text.rfind("\n\n") + 1 + number % 2
        case "line":
            return text.find("\n", number % (len(text) + 1)) + 1
        case _:
            return number % (len(text) + 1)


@pytest.mark.parametrize(
    "told",
    [
        Checkpoint("spoolog/c1", 0, bytes(32)),
        Checkpoint("spoolog/c1", 0, sha256(b"").digest()),
        Checkpoint("spoolog/c1", 10**19 - 1, bytes(32)),
        Checkpoint("spoolog/c1", 10**19, bytes(32)),
        Checkpoint("spoolog/c1", -1, bytes(32)),
        Checkpoint("spoolog/c1\r", 5, bytes(32)),
        Checkpoint("caf\xe9", 5, bytes(32)),
        Checkpoint("", 5, bytes(32)),
        Checkpoint("spoolog/c1", 5, bytes(31)),
        Checkpoint("spoolog/c1", 5, bytes(32), ("more",)),
        Checkpoint("spoolog/c1", 5, bytes(32), ("", "more")),
    ],
)
def test_both_checkers_agree_on_checkpoints_that_nobody_should_sign(told: Checkpoint) -> None:
    holds(SIGNER.sign(told).whole.encode())


def test_the_offline_checker_does_not_end_well_without_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert offline.main() == offline.main("proof.tlog-proof") == 2
    assert offline.main(VKEY, str(tmp_path / "missing"), str(tmp_path)) == 1
    assert capsys.readouterr().out.count("NOT PROVEN") == 2


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
