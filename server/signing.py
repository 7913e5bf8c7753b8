"""The key that signs checkpoints: where it is kept, and that it is made when it is first needed.

What a key looks like stands in ``eventlog.checkpoint``. Whoever has it can sign any past for this
log, so it may be kept away from the data directory.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from eventlog.checkpoint import Signer, parse_signer
from eventlog.copy import put
from eventlog.disk import OsDisk
from eventlog.errors import CheckpointRefused
from server import ids

SIGNING_KEY_FILE: Final = "checkpoint-key"


class Key(Struct, frozen=True):
    """A key, and whether it was made just now."""

    signer: Signer
    path: Path
    made: bool


def signing_key(path: Path, name: str) -> Key:
    """Read the key of a log, or make it and keep it there (mode 0600).

    Raises:
        CheckpointRefused: what stands there is no key, or the key of another log; or none can be
            written there.

    """
    try:
        if not path.exists():
            signer = Signer(name, ids.signing_seed())
            put(OsDisk(), path, [signer.text.encode() + b"\n"], private=True)
            return Key(signer, path, made=True)
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as reason:
        raise CheckpointRefused(f"the key {path} cannot be read or made: {reason}") from reason
    try:
        signer = parse_signer(text)
    except CheckpointRefused as reason:
        raise CheckpointRefused(f"{path}: {reason}") from reason
    if signer.verifier.name != name:
        raise CheckpointRefused(f"{path} is the key of {signer.verifier.name}, not of {name}")
    return Key(signer, path, made=False)
