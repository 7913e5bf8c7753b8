"""The only readers of randomness: ids, lease tokens, keys.

Ids are UUID version 7 (RFC 9562 section 5.7): sortable by time, 74 random bits.
"""

import secrets
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from server.clock import WallClock

_RANDOMS: Final = Struct("=HQ")
_IDS_PER_FETCH: Final = 256
_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62
_RANDOM_A: Final = 0xFFF << 64
_RANDOM_B: Final = (1 << 62) - 1


def uuid7_source(clock: WallClock) -> Callable[[], str]:
    """Make a source of UUIDv7 texts on this clock.

    Random bytes are fetched for many ids at a time: a system call for each would cost more than the
    id itself.
    """
    pool: Iterator[tuple[int, ...]] = iter(())

    def uuid7() -> str:
        nonlocal pool
        random = next(pool, None)
        if random is None:
            pool = _RANDOMS.iter_unpack(secrets.token_bytes(_RANDOMS.size * _IDS_PER_FETCH))
            random = next(pool)
        value = (clock() // 1_000) << 80 | _VERSION_7 | _VARIANT
        value |= ((random[0] << 64) & _RANDOM_A) | (random[1] & _RANDOM_B)
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

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
