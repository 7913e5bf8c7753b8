"""Short-lived tokens that stand for an API key: made, read, and taken back.

A token is a JWT (RFC 7519), signed with HS256 and a key derived from the server's secret, so it
outlives a restart: clients keep one until shortly before it expires and do not ask for another when
it is refused. Whatever it says, it is worth no more than its API key is at that moment.

What was taken back stands in a small file beside the log until it would have expired anyway; so a
restart does not forget it, and the log is not told who comes and goes.
"""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import jwt
from msgspec import Struct

from projections.bounds import KIB, SECOND_US
from projections.entities import ApiKey
from projections.state import State
from server.access import write_private

REVOKED_MAX: Final = 10_000
"""Tokens that were taken back and have not expired; no more are taken back while there are so many."""
FIRST_LETTERS: Final = "eyJ"
"""How every token begins, and no API key: it is the start of a JSON object in base64."""
TOKEN_CHARACTERS_MAX: Final = 16 * KIB
"""More than any of ours has. What a token says of itself is taken apart before its signature is checked."""

Kind = Literal["access", "refresh"]
_ALGORITHM: Final = "HS256"
_REQUIRED: Final = (
    *("sub", "org_id", "api_key_id", "queues"),
    *("iat", "nbf", "exp", "jti", "token_type"),
)
# The library reads the clock itself; times are compared here, on the engine's.
_OPTIONS: Final[Any] = {
    "require": _REQUIRED,
    **{f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}


class Forged(Exception):
    """No token that this server signed."""


class Stale(Exception):
    """The token has expired, was taken back, is of the other kind, or its API key is revoked."""


class TooManyRevoked(Exception):
    """No more tokens can be taken back before some of them expire."""


class Claims(Struct, frozen=True):
    """What a token says, in the words of the wire; times are Unix seconds."""

    sub: str
    org_id: str
    api_key_id: str
    queues: list[str]
    iat: int
    nbf: int
    exp: int
    jti: str
    token_type: str


class Revocations:
    """Ids of tokens that were taken back, with the second in which each would expire.

    Kept in `path`, where there is one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._until: dict[str, int] = {}
        self._writing = asyncio.Lock()
        if path is not None and path.exists():
            for line in path.read_text(encoding="ascii").splitlines():
                expires_at, token_id = line.split(" ")
                self._until[token_id] = int(expires_at)

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._until

    async def add(self, revoked: list[Claims], now_secs: int) -> None:
        """Take tokens back; when this returns, no restart forgets it.

        Raises:
            TooManyRevoked: there is no room; nothing was taken back.
            OSError: it could not be written; they are taken back until the next restart.

        """
        until = {token: at for token, at in self._until.items() if at > now_secs}
        until.update((claims.jti, claims.exp) for claims in revoked)
        if len(until) > REVOKED_MAX:
            raise TooManyRevoked
        self._until = until
        if self._path is None:
            return
        async with self._writing:  # one after the other, each with all that is known by then
            lines = "".join(f"{at} {token}\n" for token, at in self._until.items())
            await asyncio.to_thread(write_private, self._path, lines.encode("ascii"))


class Tokens:
    """Makes and reads the tokens of one server."""

    def __init__(
        self,
        secret: bytes,
        now_us: Callable[[], int],
        new_id: Callable[[], str],
        *,
        access_secs: int,
        refresh_secs: int,
    ) -> None:
        self.secs: Final[dict[Kind, int]] = {"access": access_secs, "refresh": refresh_secs}
        self.revocations = Revocations()
        self._key = hashlib.blake2b(digest_size=32, key=secret, person=b"spoolog tokens").digest()
        self._now_us = now_us
        self._new_id = new_id

    def issue(self, key: ApiKey, kind: Kind) -> str:
        """Make a token for an API key, unlike every other."""
        now_secs = self.now_secs()
        claims = {
            "sub": key.org,
            "org_id": key.org,
            "api_key_id": key.id,
            "queues": key.queues,
            "iat": now_secs,
            "nbf": now_secs,
            "exp": now_secs + self.secs[kind],
            "jti": self._new_id(),
            "token_type": kind,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, state: State, token: str, kind: Kind) -> Claims:
        """Give what a token says, if it is good for anything.

        Raises:
            Forged, Stale: it is not.

        """
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Forged
        try:
            found = jwt.decode(token, self._key, [_ALGORITHM], options=_OPTIONS)
            claims = Claims(**{name: found[name] for name in _REQUIRED})
        except (jwt.InvalidTokenError, UnicodeEncodeError) as reason:
            raise Forged from reason
        if not self.stands(state, claims) or claims.token_type != kind:
            raise Stale
        if claims.exp <= self.now_secs():
            raise Stale
        return claims

    def stands(self, state: State, claims: Claims) -> bool:
        """Whether neither the token was taken back nor its API key revoked."""
        key = state.tables.keys.get(claims.api_key_id)
        return key is not None and key.active and claims.jti not in self.revocations

    def now_secs(self) -> int:
        """Give the time that tokens are judged by, in whole Unix seconds."""
        return self._now_us() // SECOND_US
