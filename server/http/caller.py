"""Who is asking: the API key of a request becomes a caller."""

from collections.abc import Mapping

from projections.decide import Caller
from projections.errors import BadCredentials, Unauthenticated
from server.access import caller_of
from server.http.call import Call


def admitted(call: Call) -> Caller:
    """Give the caller that the request's key stands for.

    Raises:
        Unauthenticated, BadCredentials: no key; a key that is not valid.
        TooManyRequests: too many keys that are not valid came from the client's address.

    """
    key = _key(call.request.headers)
    guessing, address = call.service.guessing, call.request.remote or ""
    try:
        caller = caller_of(call.engine.state, call.service.secret, key, call.request_id)
    except BadCredentials:
        guessing.failed(address)
        raise
    guessing.passed(address, caller.by)
    return caller


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
