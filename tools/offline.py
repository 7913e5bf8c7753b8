"""Checks proofs and checkpoints of a Spoolog without Spoolog: one file to read, then to believe.

    python offline.py VKEY FILE...

It needs Python and, for the signature alone, the ``cryptography`` package; no other file. It shares
no code with the rest of the project and follows the texts only: C2SP signed-note, tlog-checkpoint and
tlog-proof, and RFC 9162 sections 2.1.3.2 and 2.1.4.2. It must stay so.
"""

import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DASH = "\u2014"


class NotProven(Exception):
    """The file proves nothing."""


def must(condition: object, reason: str) -> None:
    """Go on only when something is so."""
    if not condition:
        raise NotProven(reason)


def unbase64(text: str) -> bytes:
    """Read base64 that is written in the one right way."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as wrong:
        raise NotProven("bad base64") from wrong
    must(base64.b64encode(data).decode() == text, "bad base64")
    return data


def count(text: str) -> int:
    """Read a number without sign or leading zero."""
    must(text.isascii() and text.isdigit() and len(text) < 20, "bad number")  # noqa: PLR2004
    must(str(int(text)) == text, "bad number")
    return int(text)


def over(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def open_checkpoint(text: str, vkey: str) -> tuple[str, int, bytes]:
    """Check a checkpoint's signature; give origin, number of records, root."""
    name, key_id, key = vkey.split("+", 2)
    key_bytes = unbase64(key)
    must(key_bytes[:1] == b"\x01" and len(key_bytes) == 33, "not an Ed25519 key")  # noqa: PLR2004
    told = hashlib.sha256(name.encode() + b"\n" + key_bytes).digest()[:4]
    must(told.hex() == key_id, "the key is not as it was written")
    must(not any(char < " " and char != "\n" for char in text), "control characters")
    body, _, signatures = text.rpartition("\n\n")
    signed = f"{body}\n".encode()
    right = False
    must(signatures.endswith("\n"), "the end is missing")
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        signer, _, value = rest.partition(" ")
        must(dash == DASH and signer and "+" not in signer, "bad signature line")
        must(not any(char.isspace() for char in signer), "bad signature line")
        data = unbase64(value)
        must(len(data) > 4, "bad signature line")  # noqa: PLR2004
        if signer == name and data[:4] == told:
            try:
                Ed25519PublicKey.from_public_bytes(key_bytes[1:]).verify(data[4:], signed)
            except InvalidSignature as wrong:
                raise NotProven("wrong signature") from wrong
            right = True
    must(right, "not signed with this key")
    lines = body.split("\n")
    must(len(lines) > 2 and all(lines), "not a checkpoint")  # noqa: PLR2004
    origin, size, root = lines[0], count(lines[1]), unbase64(lines[2])
    must(len(root) == 32, "not a checkpoint")  # noqa: PLR2004
    must(size > 0 or root == hashlib.sha256(b"").digest(), "a root over nothing")
    return origin, size, root


def check_inclusion(lines: list[str], rest: str, vkey: str) -> str:
    """Check that a record is in a checkpoint's log."""
    origin, size, root = open_checkpoint(rest, vkey)
    must(len(lines) > 1 and lines[0].startswith("extra "), "no record")
    must(lines[1].startswith("index "), "no index")
    record, index = unbase64(lines[0][6:]), count(lines[1][6:])
    must(index < size, "behind the checkpoint")
    value, at, last = hashlib.sha256(b"\x00" + record).digest(), index, size - 1
    for line in lines[2:]:
        must(last > 0, "too many hashes")
        sibling = unbase64(line)
        if at % 2 == 1 or at == last:
            value = over(sibling, value)
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            value = over(value, sibling)
        at, last = at // 2, last // 2
    must(last == 0 and value == root, "the hashes do not lead to the root")
    position, _, body = record.partition(b" ")
    must(count(position.decode("ascii", "replace")) == index + 1, "the record stands elsewhere")
    return f"record {index + 1} of {size} in {origin}: {body.decode(errors='replace')}"


def check_consistency(lines: list[str], rest: str, vkey: str) -> str:
    """Check that a log goes on from where an older checkpoint saw it."""
    parts = rest.split("\n\n")
    must(len(parts) == 4, "not two checkpoints")  # noqa: PLR2004
    origin, old, old_root = open_checkpoint(f"{parts[0]}\n\n{parts[1]}\n", vkey)
    other, new, new_root = open_checkpoint(f"{parts[2]}\n\n{parts[3]}", vkey)
    must(origin == other and 0 < old <= new, "not two checkpoints of one log")
    must(lines[:2] == [f"old {old}", f"new {new}"], "of other checkpoints")
    hashes = [unbase64(line) for line in lines[2:]]
    if old == new:
        must(not hashes and old_root == new_root, "two roots of one size")
        return f"{origin} has the same {new} records"
    if old & (old - 1) == 0:  # the older tree is one whole subtree
        hashes.insert(0, old_root)
    must(hashes, "no hashes")
    at, last = old - 1, new - 1
    while at % 2 == 1:
        at, last = at // 2, last // 2
    older = newer = hashes[0]
    for sibling in hashes[1:]:
        must(last > 0, "too many hashes")
        if at % 2 == 1 or at == last:
            older, newer = over(sibling, older), over(sibling, newer)
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            newer = over(newer, sibling)
        at, last = at // 2, last // 2
    must(
        last == 0 and older == old_root and newer == new_root, "the hashes do not lead to the roots"
    )
    return f"{origin} with {new} records begins with the {old} of the older checkpoint"


def check(text: str, vkey: str) -> str:
    """Check a file's text; say what is proven."""
    head, _, rest = text.partition("\n\n")
    kind, *lines = head.split("\n")
    if kind == "c2sp.org/tlog-proof@v1":
        return check_inclusion(lines, rest, vkey)
    if kind == "spoolog/tlog-consistency@v1":
        return check_consistency(lines, rest, vkey)
    origin, size, root = open_checkpoint(text, vkey)
    return f"{origin} held {size} records with the root {root.hex()}"


def main(vkey: str = "", *paths: str) -> int:
    """Check files; 0 when all hold."""
    if not paths:  # nothing was proven, and nobody shall read a 0 as if it were
        sys.stderr.write("usage: offline.py VKEY FILE...\n")
        return 2
    wrong = 0
    for path in paths:
        try:
            told = check(Path(path).read_bytes().decode(), vkey)
        except (NotProven, OSError, ValueError) as reason:
            told, wrong = f"NOT PROVEN: {reason}", 1
        sys.stdout.write(f"{path}: {told}\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
