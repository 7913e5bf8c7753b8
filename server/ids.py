"""The only readers of randomness: ids, lease tokens, keys; and the name of this process.

Ids are UUID version 7 (RFC 9562 section 5.7): sortable by time, 74 random bits.
"""

import os
import secrets
import socket
from collections.abc import Callable
from typing import Final

from server.clock import WallClock

_IDS_PER_FETCH: Final = 256
_DIGITS_PER_ID: Final = 19
# The variant's two fixed bits and two random ones, by a random digit.
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def uuid7_source(clock: WallClock) -> Callable[[], str]:
    """Make a source of UUIDv7 texts on this clock.

    Random bytes are fetched for many ids at a time, and the text of the time is made once for all
    ids of a millisecond: the rest costs little more than a slice.
    """
    digits, start, known_ms, time = "", 0, -1, ""

    def uuid7() -> str:
        nonlocal digits, start, known_ms, time
        if start >= len(digits):
            # Two digits a byte; an odd one out is cut off.
            count = _IDS_PER_FETCH * _DIGITS_PER_ID
            digits, start = secrets.token_hex((count + 1) // 2)[:count], 0
        now_ms = clock() // 1_000
        if now_ms != known_ms:
            known_ms, time = now_ms, f"{now_ms >> 16:08x}-{now_ms & 0xFFFF:04x}"
        at = start
        start = at + _DIGITS_PER_ID
        variant = _VARIANT[digits[at]]
        return f"{time}-7{digits[at + 1 : at + 4]}-{variant}{digits[at + 4 : at + 7]}-{digits[at + 7 : start]}"

    return uuid7


def fraction() -> float:
    """Give a random number from 0 up to, not including, 1."""
    return secrets.randbits(53) / (1 << 53)


def api_key(prefix: str) -> str:
    """Make a new API key: the prefix and 32 random bytes in base64url."""
    return prefix + secrets.token_urlsafe(32)


def hash_secret() -> bytes:
    """Make the secret that API key hashes are keyed with."""
    return secrets.token_bytes(32)


def signing_seed() -> bytes:
    """Make the private half of a key that signs checkpoints."""
    return secrets.token_bytes(32)


def process_name() -> str:
    """Give what tells this process from others, for the texts in lock files."""
    return f"pid {os.getpid()} on host {socket.gethostname()}"
