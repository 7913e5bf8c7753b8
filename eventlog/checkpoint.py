"""Checkpoints: what a log held, signed. Bytes and keys only; no file, no clock, no randomness.

A checkpoint is a C2SP signed note with the text of a C2SP tlog-checkpoint: an origin that names the
log, the number of records, the root of the tree over them in base64, an empty line, and a line for
each signature: an em dash, the key's name, and in base64 four bytes that tell the key and the
Ed25519 signature of the text::

    spoolog/0192f3a4-5b6c-7d8e-9f01-23456789abcd
    14
    jsR0jd7m6lZtNtuUHGqZGPvrwz4E7dYzLwhyBKSQ4iI=

    — spoolog/0192f3a4-5b6c-7d8e-9f01-23456789abcd 2Q0v3k…

Keys are written as Go's ``note`` package writes them: ``<name>+<8 hex>+<base64>`` is what verifies,
the same behind ``PRIVATE+KEY+`` is what signs. The key's name is the origin.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from eventlog.errors import CheckpointRefused
from eventlog.frame import number
from eventlog.merkle import EMPTY_ROOT, HASH_BYTES

SEED_BYTES: Final = 32
TEXT_BYTES_MAX: Final = 64 * 1024
"""of a whole note; one with a hundred signatures needs less"""
_ED25519: Final = b"\x01"
_PRIVATE: Final = "PRIVATE+KEY+"
_DASH: Final = "\N{EM DASH} "
_ID_BYTES: Final = 4
_TEXT_LINES: Final = 3


class Checkpoint(Struct, frozen=True):
    """What a checkpoint says: of which log, how many records, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """lines of others' meaning; never written here"""

    @property
    def text(self) -> str:
        """What is signed."""
        lines = (self.origin, str(self.size), encoded(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


class Signature(Struct, frozen=True):
    """A line under a checkpoint."""

    name: str
    key_id: bytes
    value: bytes


class Note(Struct, frozen=True):
    """A checkpoint with its signatures, which have yet to be checked."""

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]

    @property
    def whole(self) -> str:
        """All of it, as it stands in a file."""
        lines = (
            f"{_DASH}{one.name} {encoded(one.key_id + one.value)}\n" for one in self.signatures
        )
        return f"{self.checkpoint.text}\n{''.join(lines)}"


class Verifier(Struct, frozen=True):
    """A public key and its name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """What tells it from other keys of that name; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as people hand it on."""
        return f"{self.name}+{self.key_id.hex()}+{encoded(_ED25519 + self.public)}"


class Signer:
    """A private key and its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The key as it is kept, which nobody else may read."""
        verifier = self.verifier
        secret = encoded(_ED25519 + self._seed)
        return f"{_PRIVATE}{verifier.name}+{verifier.key_id.hex()}+{secret}"

    def sign(self, checkpoint: Checkpoint) -> Note:
        """Sign what a checkpoint says."""
        value = self._key.sign(checkpoint.text.encode())
        signature = Signature(self.verifier.name, self.verifier.key_id, value)
        return Note(checkpoint, (signature,))


def origin_of(cluster: str) -> str:
    """Give the name of a log in its checkpoints; a note cannot hold every character."""
    return f"spoolog/{quote(cluster, safe='')}"


def parse_signer(text: str) -> Signer:
    """Read a private key.

    Raises:
        CheckpointRefused: it is none.

    """
    body = text.strip()
    if not body.startswith(_PRIVATE):
        raise CheckpointRefused("this is no private key for checkpoints")
    name, key_id, seed = _key_parts(body[len(_PRIVATE) :])
    signer = Signer(name, seed)
    if signer.verifier.key_id != key_id:
        raise CheckpointRefused("this private key is not what was written")
    return signer


def parse_verifier(text: str) -> Verifier:
    """Read a public key.

    Raises:
        CheckpointRefused: it is none.

    """
    name, key_id, public = _key_parts(text.strip())
    verifier = Verifier(name, public)
    if verifier.key_id != key_id:
        raise CheckpointRefused(f"{text.strip()!r} is not a verifier key as it was written")
    return verifier


def parse_note(text: str) -> Note:
    """Read a checkpoint; its signatures are not checked here.

    Raises:
        CheckpointRefused: it is none.

    """
    body, empty, signatures = text.rpartition("\n\n")
    lines = body.split("\n")
    controls = any(char < " " and char != "\n" for char in text)
    if controls or not empty or len(lines) < _TEXT_LINES or not all(lines):
        raise CheckpointRefused("this has not the form of a checkpoint")
    size = 0 if lines[1] == "0" else number(lines[1].encode())
    root = decoded(lines[2])
    if size is None or len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise CheckpointRefused("the size or the root of this checkpoint cannot be read")
    checkpoint = Checkpoint(lines[0], size, root, tuple(lines[_TEXT_LINES:]))
    if not signatures.endswith("\n"):
        raise CheckpointRefused("this checkpoint has no signature, or half of one")
    return Note(checkpoint, tuple(map(_signature, signatures[:-1].split("\n"))))


def verify_note(note: Note, verifiers: Iterable[Verifier]) -> Verifier:
    """Check the signatures of known keys; give the key of the first. Unknown ones count for nothing.

    Raises:
        CheckpointRefused: none is of a known key, or one is not right.

    """
    known = {(one.name, one.key_id): one for one in verifiers}
    text, found = note.checkpoint.text.encode(), None
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature.value, text)
        except InvalidSignature as wrong:
            raise CheckpointRefused(
                f"the signature of {signature.name} under this checkpoint is not right"
            ) from wrong
        found = found or verifier
    if found is None:
        raise CheckpointRefused("this checkpoint is signed by none of the keys that were given")
    return found


def _signature(line: str) -> Signature:
    name, space, value = line.removeprefix(_DASH).rpartition(" ")
    data = decoded(value)
    if not line.startswith(_DASH) or not space or not _is_name(name) or len(data) <= _ID_BYTES:
        raise CheckpointRefused("a signature under this checkpoint cannot be read")
    return Signature(name, data[:_ID_BYTES], data[_ID_BYTES:])


def encoded(data: bytes) -> str:
    """Write base64."""
    return b64encode(data).decode()


def decoded(text: str) -> bytes:
    """Read base64 in the one way in which it is written.

    Raises:
        CheckpointRefused: it is none.

    """
    try:
        data = b64decode(text, validate=True)
    except (NotBase64, ValueError) as wrong:
        raise CheckpointRefused("this is no base64, or not all of it") from wrong
    if encoded(data) != text:
        raise CheckpointRefused("this is base64 that nobody writes: another text has that meaning")
    return data


def _key_parts(text: str) -> tuple[str, bytes, bytes]:
    name, _, rest = text.partition("+")
    key_id, _, secret = rest.partition("+")
    data = decoded(secret)
    shaped = len(data) == 1 + SEED_BYTES and data.startswith(_ED25519)
    try:
        told = bytes.fromhex(key_id)
    except ValueError:
        told = b""
    if not shaped or len(told) != _ID_BYTES or key_id != told.hex() or not _is_name(name):
        raise CheckpointRefused("this has not the form of an Ed25519 key for checkpoints")
    return name, told, data[1:]


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(char.isspace() for char in text)
