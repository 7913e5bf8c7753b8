"""Signed notes: the text that is written, and that nothing else is taken for one."""

import pytest

from eventlog.checkpoint import (
    Checkpoint,
    Verifier,
    origin_of,
    parse_note,
    parse_signer,
    parse_verifier,
    verify_note,
)
from eventlog.errors import CheckpointRefused
from eventlog.merkle import EMPTY_ROOT, leaf_hash
from tests.eventlog.notes import SIGNER, STRANGER

CHECKPOINT = Checkpoint("spoolog/c1", 14, leaf_hash(b"a"))
GOLDEN = (
    "spoolog/c1\n"
    "14\n"
    "Aippeebat6pa5MPl5F9+l3ESp+Y1k4INvsHsc4ok+Tw=\n"
    "\n"
    "\N{EM DASH} spoolog/c1 M8jw0rw6B9fGuuwau2eKXqHfkXvH9JES28PljNi7erUPMROwFCKbbUd76aIT"
    "mErCvRtVJZyep71ZnMAgzn9EHY1BLgY=\n"
)
# The examples of C2SP tlog-checkpoint and signed-note.
PUBLISHED = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\N{EM DASH} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
    "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
# The key of Go's checksum database, which is written in the same form.
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_golden_text_and_key() -> None:
    assert SIGNER.sign(CHECKPOINT).whole == GOLDEN
    assert (
        SIGNER.verifier.vkey == "spoolog/c1+33c8f0d2+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    )
    assert (
        SIGNER.text
        == "PRIVATE+KEY+spoolog/c1+33c8f0d2+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    )


def test_published_texts_are_read() -> None:
    note = parse_note(PUBLISHED)
    assert note.whole == PUBLISHED
    assert note.checkpoint.size == 20_852_163
    assert parse_verifier(SUMDB).vkey == SUMDB


def test_what_is_written_is_read() -> None:
    note = SIGNER.sign(CHECKPOINT)
    assert parse_note(note.whole) == note
    assert verify_note(note, [SIGNER.verifier]) == SIGNER.verifier
    assert parse_signer(SIGNER.text + "\n").verifier == SIGNER.verifier
    assert parse_verifier(SIGNER.verifier.vkey + "\n") == SIGNER.verifier


def test_every_changed_byte_is_refused() -> None:
    text = GOLDEN.encode()
    for at in range(len(text)):
        for bit in range(8):
            flipped = text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]
            with pytest.raises((CheckpointRefused, UnicodeDecodeError)):
                verify_note(parse_note(flipped.decode()), [SIGNER.verifier])


def test_every_cut_is_refused() -> None:
    for size in range(len(GOLDEN)):
        with pytest.raises(CheckpointRefused):
            parse_note(GOLDEN[:size])


def test_another_key_of_that_name_is_refused() -> None:
    with pytest.raises(CheckpointRefused, match="none of the keys"):
        verify_note(SIGNER.sign(CHECKPOINT), [STRANGER.verifier])
    with pytest.raises(CheckpointRefused, match="none of the keys"):
        verify_note(SIGNER.sign(CHECKPOINT), [])


def test_a_wrong_signature_of_a_known_key_counts_against_a_right_one() -> None:
    right, other = SIGNER.sign(CHECKPOINT), STRANGER.sign(CHECKPOINT)
    both = parse_note(right.whole + other.whole.rpartition("\n\n")[2])
    assert verify_note(both, [STRANGER.verifier]) == STRANGER.verifier
    forged = parse_note(
        right.whole
        + STRANGER.sign(Checkpoint("spoolog/c1", 15, CHECKPOINT.root)).whole.rpartition("\n\n")[2]
    )
    assert verify_note(forged, [SIGNER.verifier]) == SIGNER.verifier
    with pytest.raises(CheckpointRefused, match="not right"):
        verify_note(forged, [SIGNER.verifier, STRANGER.verifier])


def test_a_verifier_whose_id_was_copied_fails() -> None:
    vkey = SIGNER.verifier.vkey.split("+")
    with pytest.raises(CheckpointRefused, match="as it was written"):
        parse_verifier("+".join([*vkey[:2], STRANGER.verifier.vkey.split("+", 2)[2]]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spoolog/c1\n14\n",
        GOLDEN.replace("14", "014"),
        GOLDEN.replace("14", "-1"),
        GOLDEN.replace("14", "0"),
        GOLDEN.replace("\n14\n", "\n\n14\n"),
        GOLDEN.replace("14\n", "14\r\n"),
        GOLDEN.replace("\N{EM DASH} ", "- "),
        GOLDEN.replace("\N{EM DASH} spoolog/c1 ", "\N{EM DASH} spoolog c1 "),
        GOLDEN + "\n",
        GOLDEN + "more\n",
    ],
)
def test_other_texts_are_no_checkpoints(text: str) -> None:
    with pytest.raises(CheckpointRefused):
        parse_note(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        SUMDB.replace("033de0ae", "033de0af"),
        SUMDB.replace("033de0ae", "033DE0AE"),
        SUMDB.replace("+Ac", "+Bc"),
        SUMDB[:-4],
        SUMDB.replace("sum.golang.org", "sum golang"),
        SUMDB.replace("sum.golang.org", ""),
        SIGNER.text,
    ],
)
def test_other_texts_are_no_keys(text: str) -> None:
    with pytest.raises(CheckpointRefused):
        parse_verifier(text)


def test_a_public_key_signs_nothing() -> None:
    with pytest.raises(CheckpointRefused):
        parse_signer(SIGNER.verifier.vkey)
    with pytest.raises(CheckpointRefused):
        parse_signer(SIGNER.text.replace("c1", "c2"))


def test_lines_of_others_are_signed_too() -> None:
    told = Checkpoint("spoolog/c1", 0, EMPTY_ROOT, ("time 1",))
    note = SIGNER.sign(told)
    assert parse_note(note.whole).checkpoint == told
    with pytest.raises(CheckpointRefused):
        verify_note(parse_note(note.whole.replace("time 1", "time 2")), [SIGNER.verifier])


@pytest.mark.parametrize("cluster", ["c1", "a b", "a+b", "ä\n", "x/y"])
def test_every_cluster_makes_a_name_that_a_note_can_hold(cluster: str) -> None:
    note = SIGNER.sign(Checkpoint(origin_of(cluster), 1, CHECKPOINT.root))
    assert parse_note(note.whole) == note
    verifier = Verifier(origin_of(cluster), SIGNER.verifier.public)
    assert parse_verifier(verifier.vkey) == verifier
