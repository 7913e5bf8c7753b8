"""``spoolog log checkpoint``: sign what the log holds, to be kept elsewhere.

What a checkpoint is stands in ``eventlog.checkpoint``, the tree in ``eventlog.tree``. What
`verify --checkpoint` and ``spoolog prove`` need of both stands here as well.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click

from eventlog import Locked, Reader
from eventlog.checkpoint import (
    Checkpoint,
    Note,
    Verifier,
    origin_of,
    parse_note,
    parse_verifier,
    verify_note,
)
from eventlog.copy import put
from eventlog.disk import OsDisk
from eventlog.errors import CheckpointRefused
from eventlog.home import Home, keeping
from eventlog.recount import Recount
from eventlog.tree import Tree, extent
from server import housekeeping
from server.ids import process_name
from server.signing import SIGNING_KEY_FILE, Key, signing_key
from spoolog.point import Point
from tools import output
from tools.options import PointType, data_dir_option, json_option

WAIT_SECS: Final = 60.0
"""A snapshot that is being made, or another checkpoint, is waited for so long."""
_POLL_SECS: Final = 0.2

file_type = click.Path(dir_okay=False, path_type=Path)
signing_key_option = click.option(
    "--key",
    "key_file",
    type=file_type,
    help=f"File of the signing key, made when it is missing.  [default: {SIGNING_KEY_FILE} in the"
    " data directory]",
)
verifiers_option = click.option(
    "--key",
    "vkeys",
    metavar="VKEY",
    multiple=True,
    help="Verifier key that a checkpoint must be signed with; repeatable, one of them suffices.",
)


@click.command()
@data_dir_option
@click.option("--out", type=file_type, help="Write it here, in place of an earlier one.")
@click.option(
    "--at", type=PointType(), help="Last position or time.  [default: all that is synced]"
)
@signing_key_option
@json_option
def checkpoint(
    *, data_dir: Path, out: Path | None, at: Point | None, key_file: Path | None, as_json: bool
) -> None:
    """Sign how many records the log holds and the root of the Merkle tree over them.

    Works beside a running server, over the records that are known to be synced. Keep what it prints,
    and the verifier key, where who runs the server cannot change them. With --out, a checkpoint that
    stands there already must be of what the log still is; otherwise exit 1, and it stays.
    """
    with alone(data_dir):
        note, key = make_checkpoint(data_dir, at, key_file, before=_earlier(out))
        if out is not None:
            write(out, note.whole)
    told = note.checkpoint
    facts: dict[str, object] = {
        "origin": told.origin,
        "records": told.size,
        "root": told.root.hex(),
        "verifier_key": key.signer.verifier.vkey,
        "key_file": str(key.path),
        "key_is_new": key.made,
        "out": None if out is None else str(out),
    }
    if as_json:
        output.say_json(facts | {"checkpoint": note.whole})
    elif out is not None:
        output.facts("Checkpoint", facts.items())
    else:
        click.echo(note.whole, nl=False)
        output.note(f"verifier key: {key.signer.verifier.vkey}")


def make_checkpoint(
    data_dir: Path, at: Point | None, key_file: Path | None, *, before: Checkpoint | None = None
) -> tuple[Note, Key]:
    """Sign the log up to a point, and keep the hashes that the checkpoint needs later."""
    reader = Reader(data_dir)
    origin = origin_of(reader.identity.cluster)
    size = None if at is None else _position_of(reader, at)
    tree, size = open_tree(reader, size, what="checkpoint")
    found = Checkpoint(origin, size, tree.root(size))
    if before is not None:
        _refuse_other_past(tree, before, found)
    key = signing_key(key_file or data_dir / SIGNING_KEY_FILE, origin)
    try:
        tree.keep()
    except OSError as failed:
        raise output.Problem(f"nothing was signed: the hashes were not kept: {failed}") from failed
    return key.signer.sign(found), key


def open_tree(reader: Reader, size: int | None, *, what: str) -> tuple[Tree, int]:
    """Open the tree over what is durable; give how many records are asked for, all without a size."""
    disk, home = OsDisk(), Home(reader.data_dir)
    found = extent(disk, home, reader.identity.cluster)
    wanted = found.durable if size is None else size
    if not 0 < wanted <= found.durable:
        raise output.Misuse(
            f"no {what} can be made of {wanted} records: {found.durable} are known to be synced"
        )
    with output.progress("hashing") as advance:
        tree = Tree(
            disk,
            home,
            reader.identity.cluster,
            found,
            cuts=(wanted,),
            progress=lambda position: advance(position, found.durable),
        )
    return tree, wanted


def read(path: Path) -> Note:
    """Read a checkpoint from a file.

    Raises:
        CheckpointRefused: none stands there.

    """
    try:
        return parse_note(text_of(path))
    except CheckpointRefused as reason:
        raise CheckpointRefused(f"{path}: {reason}") from reason


def text_of(path: Path) -> str:
    """Read a small file of text as it stands.

    Raises:
        CheckpointRefused: it is no such thing.

    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as reason:
        raise CheckpointRefused(f"{path} cannot be read: {reason}") from reason


def write(path: Path, text: str) -> None:
    """Write a file, all of it or nothing."""
    try:
        put(OsDisk(), path, [text.encode()])
    except OSError as failed:
        raise output.Problem(f"{path} was not written: {failed}") from failed


def verifiers_of(vkeys: tuple[str, ...]) -> list[Verifier]:
    """Read verifier keys."""
    return [parse_verifier(one) for one in vkeys]


class Comparison:
    """What `verify --checkpoint` compares the log with, and tells when it fits."""

    def __init__(self, data_dir: Path, path: Path, vkeys: tuple[str, ...]) -> None:
        reader, note = Reader(data_dir), read(path)
        keys = verifiers_of(vkeys)
        try:
            signed = verify_note(note, keys).vkey if keys else None
        except CheckpointRefused as refused:
            raise output.Problem(f"{path}: {refused}") from refused
        self._recount = Recount(OsDisk(), Home(data_dir), reader.identity.cluster, note.checkpoint)
        self.take = self._recount.take
        self.judge = self._recount.judge
        self.facts: dict[str, object] = {
            "extends_checkpoint": note.checkpoint.size,
            "checkpoint_root": note.checkpoint.root.hex(),
            "signed_with": signed or "not checked: no --key was given",
        }


def _earlier(out: Path | None) -> Checkpoint | None:
    return read(out).checkpoint if out is not None and out.exists() else None


def _refuse_other_past(tree: Tree, before: Checkpoint, found: Checkpoint) -> None:
    """Sign nothing that contradicts the checkpoint that it would take the place of."""
    if before.origin != found.origin:
        raise output.Misuse(f"the checkpoint there is of {before.origin}, not of {found.origin}")
    if before.size > found.size:
        raise output.Problem(
            f"the checkpoint there was made of {before.size} records, and this would be one of"
            f" {found.size}: it was left as it is"
        )
    if before.size and tree.root(before.size) != before.root:
        raise output.Problem(
            f"the log is not what the checkpoint there was made of, up to record {before.size}: it"
            " was left as it is. See `spoolog log verify --checkpoint`"
        )


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Be the only one who keeps hashes; wait for others a while."""
    home = Home(data_dir)
    Reader(data_dir)  # where there is no log, no lock is left either
    deadline = time.monotonic() + WAIT_SECS
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(keeping(OsDisk(), home, process_name()))
            except Locked:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_POLL_SECS)
            else:
                break
        yield


def _position_of(reader: Reader, point: Point) -> int:
    if point.position is not None:
        return point.position
    assert point.at_us is not None
    return housekeeping.first_at(reader, point.at_us + 1) - 1
