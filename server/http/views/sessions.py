"""Tokens, and whom they stand for, as the API shows them."""

from typing import Final

from msgspec import Struct

from projections.bounds import SECOND_US
from projections.moments import to_text
from server.http.views.times import Time
from server.tokens import Claims

BEARER: Final = "Bearer"


class LoggedIn(Struct, frozen=True):
    """Answer to POST /auth/login."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    refresh_expires_in: int


class Refreshed(Struct, frozen=True):
    """Answer to POST /auth/refresh."""

    access_token: str
    token_type: str
    expires_in: int


class Me(Struct, frozen=True):
    """Answer to GET /auth/me."""

    organization_id: str
    api_key_id: str
    queues: list[str]
    issued_at: Time
    expires_at: Time


class Validated(Struct, frozen=True, omit_defaults=True):
    """Answer to POST /auth/validate: what the token says, or that it is good for nothing."""

    valid: bool
    error: str | None = None
    claims: Claims | None = None


def me(claims: Claims, queues: list[str]) -> Me:
    """Give whom a token stands for, and the queues that its key covers now."""
    return Me(
        organization_id=claims.org_id,
        api_key_id=claims.api_key_id,
        queues=queues,
        issued_at=to_text(claims.iat * SECOND_US),
        expires_at=to_text(claims.exp * SECOND_US),
    )
