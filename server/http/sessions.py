"""Handlers of tokens: an API key becomes one, a token gets another, is shown, checked or taken back."""

from projections.entities import ApiKey
from projections.errors import BadCredentials
from projections.specs import Login, Logout, Refresh, TokenValidation
from server.access import hashed
from server.http.answer import Answer
from server.http.call import Call
from server.http.caller import claims_of, of_key
from server.http.views import sessions as views
from server.http.wire import Body, done, reply
from server.pressure import Overloaded
from server.tokens import Claims, Forged, Stale, TooManyRevoked

LOGIN = Body(Login)
REFRESH = Body(Refresh)
LOGOUT = Body(Logout, empty_ok=True)
VALIDATION = Body(TokenValidation)

_PREFIX_CHARACTERS = 8


async def login(call: Call) -> Answer:
    """Give a token for an API key, and one that gets further ones."""
    spec = await LOGIN.read(call.request)
    service = call.service
    place = _place(call, spec.api_key)
    try:
        caller = of_key(call, spec.api_key)
    except BadCredentials:
        service.logins.failed(place)
        raise
    service.logins.passed(place, caller.by)
    service.guessing.passed(call.request.remote or "", caller.by)
    key, tokens = call.engine.state.tables.keys[caller.by], service.tokens
    view = views.LoggedIn(
        access_token=tokens.issue(key, "access"),
        refresh_token=tokens.issue(key, "refresh"),
        token_type=views.BEARER,
        expires_in=tokens.secs["access"],
        refresh_expires_in=tokens.secs["refresh"],
    )
    return await reply(call, view)


async def refresh(call: Call) -> Answer:
    """Give another access token."""
    spec = await REFRESH.read(call.request)
    claims = claims_of(call, spec.refresh_token, "refresh")
    call.service.guessing.passed(call.request.remote or "", claims.api_key_id)
    tokens = call.service.tokens
    token = tokens.issue(_key(call, claims), "access")
    return await reply(call, views.Refreshed(token, views.BEARER, tokens.secs["access"]))


async def logout(call: Call) -> Answer:
    """Take the token back that the request bears, and with `refresh_token` that one as well."""
    ours = _claims(call)
    spec = await LOGOUT.read(call.request)
    revoked = [ours]
    if spec.refresh_token is not None:
        theirs = _read(call, spec.refresh_token)
        if theirs is not None and theirs.api_key_id == ours.api_key_id:
            revoked.append(theirs)
    tokens = call.service.tokens
    try:
        await tokens.revocations.add(revoked, tokens.now_secs())
    except TooManyRevoked as reason:
        raise Overloaded from reason
    return await done(call)


async def me(call: Call) -> Answer:
    """Give whom the token stands for that the request bears."""
    claims = _claims(call)
    return await reply(call, views.me(claims, _key(call, claims).queues))


async def validate(call: Call) -> Answer:
    """Tell whether an access token is valid, and what it says."""
    spec = await VALIDATION.read(call.request)
    try:
        claims = call.service.tokens.read(call.engine.state, spec.token, "access")
    except (Forged, Stale):
        return await reply(call, views.Validated(valid=False, error="Invalid or expired token"))
    return await reply(call, views.Validated(valid=True, claims=claims))


def _claims(call: Call) -> Claims:
    if call.claims is None:
        raise BadCredentials("This takes a token, not an API key.")
    return call.claims


def _key(call: Call, claims: Claims) -> ApiKey:
    return call.engine.state.tables.keys[claims.api_key_id]


def _read(call: Call, token: str) -> Claims | None:
    """Give what a refresh token says; nothing when it is good for nothing, and so needs no end."""
    try:
        return call.service.tokens.read(call.engine.state, token, "refresh")
    except (Forged, Stale):
        return None


def _place(call: Call, key: str) -> str:
    """Name the keys that begin alike and come from one address."""
    return hashed(call.service.secret, f"{call.request.remote} {key[:_PREFIX_CHARACTERS]}")
