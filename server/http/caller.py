"""Who is asking: the API key of a request becomes a caller."""

from aiohttp import web

from projections.decide import Caller
from projections.errors import Unauthenticated
from server.access import caller_of
from server.http.middleware import REQUEST_ID
from server.http.service import SERVICE

CALLER = web.RequestKey("caller", Caller)


def admit(request: web.Request) -> None:
    """Put the caller on the request.

    Raises:
        Unauthenticated, BadCredentials: no key; a key that is not valid.

    """
    service = request.app[SERVICE]
    key = _key(request)
    request[CALLER] = caller_of(service.engine.state, service.secret, key, request[REQUEST_ID])


def _key(request: web.Request) -> str:
    authorization = request.headers.get("Authorization")
    if authorization is None:
        key = request.headers.get("X-API-Key")
        if not key:
            raise Unauthenticated("Missing Authorization header")
        return key
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated
    return key
