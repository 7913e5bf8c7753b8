"""Who is asking: the API key or the token of a request becomes a caller."""

from collections.abc import Mapping
from typing import Final

from projections.decide import Caller
from projections.errors import BadCredentials, Unauthenticated
from server.access import caller_of
from server.http.call import Call
from server.tokens import FIRST_LETTERS, Claims, Forged, Kind, Stale

_USELESS: Final = "The token is invalid, expired or revoked."


def admitted(call: Call, *, token_in_query: bool = False) -> Caller:
    """Give the caller that the request's key stands for, or its token; `call` keeps what that says.

    Where `token_in_query`, a token may be the parameter of that name, for clients that cannot send
    headers. An API key may not: addresses get into logs and histories.

    Raises:
        Unauthenticated, BadCredentials: no key or token; one that is not valid.
        TooManyRequests: too many that are not valid came from the client's address.

    """
    request = call.request
    asked = request.query.get("token") if token_in_query else None
    if asked and "Authorization" not in request.headers:
        key, is_token = asked, True
    else:
        key = _key(request.headers)
        is_token = key.startswith(FIRST_LETTERS)
    if is_token:
        call.claims = claims_of(call, key, "access")
        caller = _standing_for(call, call.claims)
    else:
        caller = of_key(call, key)
    call.service.guessing.passed(request.remote or "", caller.by)
    return caller


def of_key(call: Call, key: str) -> Caller:
    """Give the caller that an API key stands for.

    Raises:
        BadCredentials: none.
        TooManyRequests: as `admitted`.

    """
    try:
        return caller_of(call.engine.state, call.service.secret, key, call.request_id)
    except BadCredentials:
        call.service.guessing.failed(call.request.remote or "")
        raise


def claims_of(call: Call, token: str, kind: Kind) -> Claims:
    """Give what a token says.

    One that this server once signed is no guess, however long ago.

    Raises:
        BadCredentials: it is good for nothing.
        TooManyRequests: as `admitted`.

    """
    try:
        return call.service.tokens.read(call.engine.state, token, kind)
    except Forged as reason:
        call.service.guessing.failed(call.request.remote or "")
        raise BadCredentials(_USELESS) from reason
    except Stale as reason:
        raise BadCredentials(_USELESS) from reason


def still_admitted(call: Call) -> bool:
    """Whether the caller of a request that takes long would still be let in."""
    state = call.engine.state
    if call.claims is not None:
        return call.service.tokens.stands(state, call.claims)
    key = state.tables.keys.get(call.caller.by)
    return key is not None and key.active


def _standing_for(call: Call, claims: Claims) -> Caller:
    """Give the caller that a token's API key stands for, as it is now."""
    key = call.engine.state.tables.keys[claims.api_key_id]
    return Caller(key.org, key.id, call.request_id, frozenset(key.queues))


def _key(headers: Mapping[str, str]) -> str:
    authorization = headers.get("Authorization")
    if authorization is None:
        key = headers.get("X-API-Key")
        if not key:
            raise Unauthenticated("Missing Authorization header")
        return key
    return bearer(authorization)


def bearer(authorization: str) -> str:
    """Give what the header's value bears.

    Raises:
        Unauthenticated: nothing, or it is of another scheme.

    """
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated
    return key
