"""``spoolog prove``: prove a record, or that the log only grew, to people who have a checkpoint.

What a proof looks like stands in ``eventlog.proof``. `check` reads nothing but the files it is
given; ``tools/offline.py`` does the same and shares no code with it.
"""

from contextlib import suppress
from pathlib import Path

import click

from eventlog import Reader
from eventlog.checkpoint import Note, Verifier, origin_of, parse_note, verify_note
from eventlog.errors import CheckpointRefused
from eventlog.proof import Consistency, Inclusion, parse_proof
from eventlog.tree import Tree, leaf_bytes
from tools import output
from tools.checkpoint import (
    alone,
    file_type,
    make_checkpoint,
    open_tree,
    read,
    signing_key_option,
    text_of,
    verifiers_of,
    verifiers_option,
    write,
)
from tools.options import data_dir_option, json_option

_OTHER = "; see `spoolog log verify --checkpoint`"


@click.group()
def prove() -> None:
    """Prove what the log holds to who has a checkpoint, and check such proofs.

    Works beside a running server; check needs no log at all.
    """


@prove.command()
@data_dir_option
@click.argument("position", type=click.IntRange(min=1))
@click.option(
    "--checkpoint", "path", type=file_type, help="Of which it is proven.  [default: a new one]"
)
@click.option("--out", type=file_type, help="Write it here.  [default: standard output]")
@signing_key_option
@json_option
def inclusion(
    *,
    data_dir: Path,
    position: int,
    path: Path | None,
    out: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Prove that the record at POSITION is in the log of a checkpoint. The proof holds the record."""
    reader = Reader(data_dir)
    note = read(path) if path else _new_checkpoint(data_dir, key_file)
    _refuse_other_log(reader, note)
    size = note.checkpoint.size
    if position > size:
        raise output.Misuse(f"the checkpoint was made of {size} records; {position} is behind it")
    tree = _tree(reader, size)
    _, body = next(reader.entries(position - 1))[0]
    hashes = tuple(tree.inclusion(position, size))
    proof = Inclusion(leaf_bytes(position, body), position - 1, hashes, note)
    if not proof.holds:
        raise output.Problem(
            f"record {position} is not in the log that the checkpoint was made of{_OTHER}"
        )
    _give(proof.text, out, as_json=as_json)


@prove.command()
@data_dir_option
@click.argument("old", type=file_type)
@click.argument("new", type=file_type)
@click.option("--out", type=file_type, help="Write it here.  [default: standard output]")
@json_option
def consistency(*, data_dir: Path, old: Path, new: Path, out: Path | None, as_json: bool) -> None:
    """Prove that the log of the checkpoint NEW begins with all of that of the checkpoint OLD."""
    reader = Reader(data_dir)
    older, newer = read(old), read(new)
    for note in (older, newer):
        _refuse_other_log(reader, note)
    sizes = older.checkpoint.size, newer.checkpoint.size
    if not 0 < sizes[0] <= sizes[1]:
        raise output.Misuse(f"{old} is of {sizes[0]} records, {new} of {sizes[1]}")
    tree = _tree(reader, sizes[1])
    proof = Consistency(tuple(tree.consistency(*sizes)), older, newer)
    if not proof.holds:
        raise output.Problem(
            f"the log is not the one that {old} and {new} were both made of{_OTHER}"
        )
    _give(proof.text, out, as_json=as_json)


@prove.command()
@click.argument("files", type=file_type, nargs=-1, required=True)
@verifiers_option
@json_option
def check(*, files: tuple[Path, ...], vkeys: tuple[str, ...], as_json: bool) -> None:
    """Check proofs and checkpoints; exit 1 if one does not hold. Needs the files and the key only."""
    keys = verifiers_of(vkeys)
    if not keys:
        raise output.Misuse("--key VKEY is needed: a signature by anybody proves nothing")
    told = [_checked(path, keys) for path in files]
    if as_json:
        output.say_json(told)
    else:
        for one in told:
            output.facts("Holds" if one["ok"] else "DOES NOT HOLD", list(one.items())[1:])
    wrong = [str(one["file"]) for one in told if not one["ok"]]
    if wrong:
        raise output.Problem(f"not proven: {', '.join(wrong)}")


def _checked(path: Path, keys: list[Verifier]) -> dict[str, object]:
    try:
        facts = _facts(_parsed(text_of(path)), keys)
    except CheckpointRefused as refused:
        return {"ok": False, "file": str(path), "reason": str(refused)}
    return {"ok": True, "file": str(path)} | facts


def _parsed(text: str) -> Note | Inclusion | Consistency:
    with suppress(CheckpointRefused):
        return parse_note(text)
    return parse_proof(text)


def _facts(found: Note | Inclusion | Consistency, keys: list[Verifier]) -> dict[str, object]:
    """Say what is proven.

    Raises:
        CheckpointRefused: nothing is.

    """
    if isinstance(found, Note):
        return {"kind": "checkpoint"} | _signed(found, keys)
    if not found.holds:
        raise CheckpointRefused("the hashes of this proof do not lead to the root")
    if isinstance(found, Inclusion):
        record = {"position": found.position, "record": found.body.decode(errors="replace")}
        return {"kind": "inclusion"} | record | _signed(found.note, keys)
    verify_note(found.old, keys)
    old = found.old.checkpoint
    told = {"old_records": old.size, "old_root": old.root.hex()}
    return {"kind": "consistency"} | told | _signed(found.new, keys)


def _signed(note: Note, keys: list[Verifier]) -> dict[str, object]:
    signer, told = verify_note(note, keys), note.checkpoint
    return {
        "origin": told.origin,
        "records": told.size,
        "root": told.root.hex(),
        "signed_with": signer.vkey,
    }


def _new_checkpoint(data_dir: Path, key_file: Path | None) -> Note:
    with alone(data_dir):
        return make_checkpoint(data_dir, None, key_file)[0]


def _tree(reader: Reader, size: int) -> Tree:
    """Open the tree over what a checkpoint was made of, all of which must be there."""
    tree, known = open_tree(reader, None, what="proof")
    if size > known:
        raise output.Problem(
            f"the log is known to reach to record {known}, the checkpoint was made of {size}{_OTHER}"
        )
    return tree


def _refuse_other_log(reader: Reader, note: Note) -> None:
    origin = origin_of(reader.identity.cluster)
    if note.checkpoint.origin != origin:
        raise output.Misuse(f"the checkpoint is of {note.checkpoint.origin}, this log is {origin}")


def _give(text: str, out: Path | None, *, as_json: bool) -> None:
    if out is not None:
        write(out, text)
    if as_json:
        output.say_json({"proof": text, "out": None if out is None else str(out)})
    elif out is None:
        click.echo(text, nl=False)
