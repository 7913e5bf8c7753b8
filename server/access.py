"""API keys on this server: hashing, the bootstrap key and its file, and who a bearer is.

A key is 32 random bytes (or what the operator chose), so a fast hash is enough; it is keyed with a
secret that lives beside the log and never in it, so that a log can be shown to auditors.
"""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Final

from projections.decide import Caller
from projections.decide.access import NewKey
from projections.errors import BadCredentials
from projections.state import State
from server import ids

KEY_FILE: Final = "api-key"
SECRET_FILE: Final = "secret"  # noqa: S105 - a file name
REVOKED_FILE: Final = "revoked-tokens"
PRIVATE_FILES: Final = (SECRET_FILE, KEY_FILE, REVOKED_FILE)
"""What a copy of the data directory takes along for its owner alone, where it is there."""
_PREFIX_CHARACTERS: Final = 8


def hashed(secret: bytes, key: str) -> str:
    """Give the keyed hash of an API key (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(
        key.encode(errors="surrogateescape"), digest_size=32, key=secret
    ).hexdigest()


def caller_of(state: State, secret: bytes, key: str, request_id: str) -> Caller:
    """Give the caller that an API key stands for.

    Raises:
        BadCredentials: unknown or revoked.

    """
    digest = hashed(secret, key)
    known = state.keys_by_hash.get(digest)
    if known is None or not hmac.compare_digest(known.hash, digest) or not known.active:
        raise BadCredentials
    return Caller(known.org, known.id, request_id, frozenset(known.queues))


def bootstrap_key(data_dir: Path, configured: str | None, prefix: str) -> tuple[str, bool]:
    """Give the server's own key, and whether it was made just now.

    The configured one wins; else the one in the key file; else a new one, kept there (mode 0600).
    """
    if configured is not None:
        return configured, False
    path = data_dir / KEY_FILE
    if path.exists():
        return path.read_text(encoding="utf-8").strip(), False
    key = ids.api_key(prefix)
    write_private(path, key.encode() + b"\n")
    return key, True


def hash_secret(data_dir: Path) -> bytes:
    """Give the secret that key hashes are keyed with, made at the first start (mode 0600)."""
    path = data_dir / SECRET_FILE
    if not path.exists():
        write_private(path, ids.hash_secret().hex().encode() + b"\n")
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def new_key(secret: bytes, name: str, key: str) -> NewKey:
    """Give what the log may know of a key."""
    return NewKey(name=name, hash=hashed(secret, key), prefix=key[:_PREFIX_CHARACTERS])


def write_private(path: Path, content: bytes) -> None:
    """Write a small file that only we may read; whole or not at all, also after a crash."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # a crash after this line cannot lose the name any more
    finally:
        os.close(directory)
