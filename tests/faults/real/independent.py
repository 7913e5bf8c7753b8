"""An independent verifier: reads a log by its format text alone, with nothing but the standard library.

It imports nothing of the project, so that the project cannot be wrong in the same place twice.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Wrong(Exception):
    """The log is not as its format says."""


class Found(NamedTuple):
    position: int
    chain: str
    body: bytes


def records(data_dir: Path, after: int = 0) -> Iterator[Found]:
    """Give every record behind a position; whole segments before it are left out."""
    paths = sorted((data_dir / "log").glob("*.log"))
    while len(paths) > 1 and int(paths[1].stem) <= after + 1:
        del paths[0]
    before = None  # what a segment leaves to the next: position, state, sha256, epoch, batch
    for path in paths:
        if before is None and path is not paths[0]:
            raise Wrong(f"{paths[0]} is not sealed and not the last")
        before = yield from _segment(path, before, after)


def mark(data_dir: Path) -> tuple[int, str]:
    """Give the durable mark: the higher slot of the two whose checksum is right."""
    content = (data_dir / "DURABLE").read_bytes()
    slots = [_checked(slot.rstrip(b" \n")) for slot in (content[:64], content[64:])]
    known = [(int(rest[:20]), rest[21:53].decode()) for rest in slots if rest is not None]
    return max(known, default=(0, ""))


def _segment(path: Path, before: tuple | None, after: int) -> Iterator[Found]:  # noqa: C901
    *lines, torn = path.read_bytes().split(b"\n")
    rests = [_checked(line) for line in lines]
    if None in rests or not rests or not rests[0].startswith(b"#seg "):
        raise Wrong(f"{path}: line {rests.index(None) + 1 if None in rests else 1} is damaged")
    head = json.loads(rests[0][5:])
    at, state, batch = head["base"] - 1, bytes.fromhex(head["state"]), 0
    if before is not None:
        epoch, batch = before[3:]  # a start that wrote nothing took an epoch as well
        if before[:3] != (at, state, head["prev_sha256"]) or head["epoch"] < epoch:
            raise Wrong(f"{path}: does not continue the segment before")
    for rest in rests[1:]:
        if rest.startswith(b"#end "):
            body = b"".join(line + b"\n" for line in lines[:-1])
            end = {"records": at - head["base"] + 1, "first": head["base"], "last": at}
            end |= {"bytes": len(body), "state": state.hex()}
            end["sha256"] = hashlib.sha256(body).hexdigest()
            if json.loads(rest[5:]) != end or rest is not rests[-1] or torn:
                raise Wrong(f"{path}: the footer does not fit: {end}")
            return at, state, end["sha256"], head["epoch"], batch
        position, its_batch, epoch, chain, body = rest.split(b" ", 4)
        at += 1
        state = hashlib.sha256(state + b"%d " % at + body).digest()
        if (int(position), int(epoch), chain.decode()) != (at, head["epoch"], state.hex()[:32]):
            raise Wrong(f"{path}: record {at} is not where or what it must be")
        if not batch <= int(its_batch) <= at:
            raise Wrong(f"{path}: record {at} has batch {int(its_batch)} after {batch}")
        batch = int(its_batch)
        if at > after:
            yield Found(at, chain.decode(), body)
    return None


def _checked(line: bytes) -> bytes | None:
    crc, _, rest = line.partition(b" ")
    return rest if crc == b"%08x" % zlib.crc32(rest) else None
