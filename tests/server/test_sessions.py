"""Tokens: what they are good for, for whom, how long, and how they end."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from eventlog import MemoryLog
from projections.decide import Decision, access
from projections.events import KeyRevoked
from server import tokens as tokens_module
from server.access import new_key
from server.engine import SYSTEM
from server.http.route import API
from server.tokens import TOKEN_CHARACTERS_MAX, Claims, Revocations
from tests.server.harness import KEY, SECRET, Answer, Face, assert_refused, started

LIMITED = "sp_test_limited"
HOUR, DAY = 3_600, 86_400


async def login(face: Face, key: str = KEY) -> dict[str, Any]:
    entered = await face.post("/auth/login", {"api_key": key}, key=None)
    assert entered.status == 200, entered.content
    found: dict[str, Any] = entered.json
    return found


async def validated(face: Face, token: str) -> dict[str, Any]:
    answer = await face.post("/auth/validate", {"token": token}, key=None)
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


async def refreshed(face: Face, token: str) -> Answer:
    return await face.post("/auth/refresh", {"refresh_token": token}, key=None)


def revoke(face: Face, name: str) -> None:
    (key,) = [key.id for key in face.engine.state.tables.keys.values() if key.name == name]
    face.engine.execute(lambda state, ctx: Decision((KeyRevoked(key=key),), None), SYSTEM)


def forged(token: str, **changes: Any) -> str:
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    return jwt.encode(claims, SECRET, "HS256")


def unsigned(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, "", "none")


# -- what a token is good for


async def test_login_gives_a_token_that_stands_for_the_key(face: Face) -> None:
    entered = await login(face)
    assert (entered["token_type"], entered["expires_in"]) == ("Bearer", HOUR)
    assert entered["refresh_expires_in"] == DAY
    token = entered["access_token"]
    made = await face.post("/jobs", {"queue_name": "mail", "payload": 1}, key=token)
    assert made.status == 201
    (history, *_) = (await face.get(f"/jobs/{made.json['id']}/history", key=token)).json
    me = (await face.get("/auth/me", key=token)).json
    assert history["actor"] == me["api_key_id"]
    assert me["organization_id"] == "default"
    assert me["issued_at"] == "2026-11-23T19:14:16.000000Z"
    assert me["expires_at"] == "2026-11-23T20:14:16.000000Z"


async def test_validation_tells_what_a_token_says(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    entered = await login(face, LIMITED)
    found = await validated(face, entered["access_token"])
    assert set(found) == {"valid", "claims"}
    claims = found["claims"]
    assert (claims["org_id"], claims["sub"], claims["queues"]) == ("default", "default", ["mail"])
    assert claims["exp"] - claims["iat"] == HOUR
    assert (claims["token_type"], claims["iat"]) == ("access", claims["nbf"])
    assert claims == jwt.decode(entered["access_token"], options={"verify_signature": False})
    for useless in ("", "x", entered["refresh_token"], forged(entered["access_token"])):
        assert await validated(face, useless) == {
            "valid": False,
            "error": "Invalid or expired token",
        }


async def test_every_token_is_another(face: Face) -> None:
    entered = await login(face)
    again = await login(face)
    more = [(await refreshed(face, entered["refresh_token"])).json for _ in range(3)]
    found = [one["access_token"] for one in (entered, again, *more)]
    assert len(set(found)) == len(found)
    assert set(more[0]) == {"access_token", "token_type", "expires_in"}
    for token in found:
        assert (await face.get("/queues", key=token)).status == 200


async def test_a_token_is_limited_as_its_key_is(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    other = await face.create("other")
    token = (await login(face, LIMITED))["access_token"]
    body = {"queue_name": "other", "payload": 1}
    assert_refused(await face.post("/jobs", body, key=token), 403, "ACCESS_DENIED")
    assert_refused(await face.get(f"/jobs/{other}", key=token), 404, "NOT_FOUND")
    assert (await face.get("/auth/me", key=token)).json["queues"] == ["mail"]


# -- what is refused


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/auth/login", {}, 422),
        ("/auth/login", {"api_key": 1}, 422),
        ("/auth/login", {"api_key": "short"}, 400),
        ("/auth/refresh", {}, 422),
        ("/auth/refresh", {"refresh_token": "short"}, 400),
        ("/auth/validate", {}, 422),
        ("/auth/validate", {"token": None}, 422),
    ],
)
async def test_bodies_that_say_nothing(face: Face, path: str, body: Any, status: int) -> None:
    assert_refused(await face.post(path, body, key=None), status, "VALIDATION_ERROR")


@pytest.mark.parametrize("changed", ["forged", "unsigned", "cut", "refresh", "lacking"])
async def test_a_token_that_is_none(face: Face, changed: str) -> None:
    entered = await login(face)
    token = entered["access_token"]
    given = {
        "forged": forged(token, org_id="other"),
        "unsigned": unsigned(token),
        "cut": token[:-3],
        "refresh": entered["refresh_token"],
        "lacking": jwt.encode({"sub": "default"}, face.service.tokens._key, "HS256"),
    }[changed]
    for answer in (
        await face.get("/queues", key=given),
        await face.post("/auth/logout", key=given),
    ):
        assert_refused(answer, 401, "AUTHENTICATION_FAILED")
    # What this server signed once is no guess.
    assert face.service.guessing.failures == (0 if changed == "refresh" else 2)


async def test_a_token_in_no_text_at_all_is_forged(face: Face) -> None:
    """Bytes of a header that are no UTF-8 are not the server's fault."""
    head = b"GET /api/v1/queues HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
    answer = await face.exchange(head + b"Bearer eyJ\xff\xfe.a.b\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'"AUTHENTICATION_FAILED"' in answer
    assert face.service.guessing.failures == 1


async def test_a_token_larger_than_any_of_ours_is_not_taken_apart(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of itself is read before its signature is: megabytes of it took seconds."""
    token = (await login(face))["access_token"]
    large = {"padding": "x" * TOKEN_CHARACTERS_MAX}
    padded = jwt.encode({"sub": "default"}, face.service.tokens._key, "HS256", large)
    monkeypatch.setattr(jwt, "decode", None)  # it would fail
    assert await validated(face, padded) == {"valid": False, "error": "Invalid or expired token"}
    assert_refused(await refreshed(face, padded), 401, "AUTHENTICATION_FAILED")
    assert len(token) < TOKEN_CHARACTERS_MAX / 10


async def test_an_access_token_gets_no_other(face: Face) -> None:
    entered = await login(face)
    assert_refused(await refreshed(face, entered["access_token"]), 401, "AUTHENTICATION_FAILED")


async def test_a_key_is_no_token(face: Face) -> None:
    for asking in (face.get("/auth/me"), face.post("/auth/logout")):
        assert_refused(await asking, 401, "AUTHENTICATION_FAILED")


async def test_a_token_in_the_query_is_none_for_most(face: Face) -> None:
    token = (await login(face))["access_token"]
    answer = await face.get(f"/queues?token={token}", key=None)
    assert_refused(answer, 401, "UNAUTHORIZED")


async def test_email_is_not_offered(face: Face) -> None:
    for path in ("/auth/email/start", "/auth/email/verify"):
        assert_refused(await face.post(path, {"email": "a@example.com"}), 404, "NOT_FOUND")
    assert_refused(await face.get("/auth/check-email?email=a@example.com"), 404, "NOT_FOUND")


# -- how it ends


async def test_a_token_ends_with_its_time(face: Face) -> None:
    entered = await login(face)
    token = entered["access_token"]
    face.clock.advance(HOUR - 1)
    assert (await face.get("/queues", key=token)).status == 200
    face.clock.advance(1)
    assert_refused(await face.get("/queues", key=token), 401, "AUTHENTICATION_FAILED")
    assert (await validated(face, token))["valid"] is False
    another = (await refreshed(face, entered["refresh_token"])).json["access_token"]
    assert (await face.get("/queues", key=another)).status == 200
    face.clock.advance(DAY - HOUR)
    refused = await refreshed(face, entered["refresh_token"])
    assert_refused(refused, 401, "AUTHENTICATION_FAILED")
    assert face.service.guessing.failures == 0


async def test_its_times_are_options(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, token_secs=60, refresh_token_secs=120)
    entered = await login(face)
    assert (entered["expires_in"], entered["refresh_expires_in"]) == (60, 120)
    face.clock.advance(60)
    answer = await face.get("/queues", key=entered["access_token"])
    assert_refused(answer, 401, "AUTHENTICATION_FAILED")


async def test_logout_takes_the_token_back(face: Face) -> None:
    entered, other = await login(face), await login(face)
    token = entered["access_token"]
    assert (await face.post("/auth/logout", key=token)).status == 204
    for answer in (
        await face.get("/queues", key=token),
        await face.post("/auth/logout", key=token),
    ):
        assert_refused(answer, 401, "AUTHENTICATION_FAILED")
    assert (await validated(face, token))["valid"] is False
    assert (await face.get("/queues", key=other["access_token"])).status == 200
    assert (await refreshed(face, entered["refresh_token"])).status == 200


async def test_logout_takes_the_refresh_token_along(face: Face) -> None:
    entered, other = await login(face), await login(face)
    body = {"refresh_token": entered["refresh_token"]}
    assert (await face.post("/auth/logout", body, key=entered["access_token"])).status == 204
    refused = await refreshed(face, entered["refresh_token"])
    assert_refused(refused, 401, "AUTHENTICATION_FAILED")
    assert (await refreshed(face, other["refresh_token"])).status == 200


async def test_logout_ends_nobody_elses(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    theirs, ours = await login(face), await login(face, LIMITED)
    for useless in (theirs["refresh_token"], "nonsense", ours["access_token"]):
        token = (await login(face, LIMITED))["access_token"]
        body = {"refresh_token": useless}
        assert (await face.post("/auth/logout", body, key=token)).status == 204
    assert (await refreshed(face, theirs["refresh_token"])).status == 200


async def test_a_revoked_key_ends_its_tokens(face: Face) -> None:
    face.add_key(LIMITED, "mail")
    entered = await login(face, LIMITED)
    revoke(face, "limited")
    for answer in (
        await face.get("/queues", key=entered["access_token"]),
        await refreshed(face, entered["refresh_token"]),
        await face.post("/auth/login", {"api_key": LIMITED}, key=None),
    ):
        assert_refused(answer, 401, "AUTHENTICATION_FAILED")
    assert (await validated(face, entered["access_token"]))["valid"] is False


async def test_a_replaced_bootstrap_key_ends_its_tokens(face: Face) -> None:
    token = (await login(face))["access_token"]
    face.engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "next", "another-key"))
    assert_refused(await face.get("/queues", key=token), 401, "AUTHENTICATION_FAILED")


# -- restarts


async def test_a_restart_forgets_neither_tokens_nor_their_ends(
    aiohttp_client: Any, tmp_path: Path
) -> None:
    log = MemoryLog()
    face = await started(aiohttp_client, log=log)
    path = tmp_path / "revoked"
    face.service.tokens.revocations = Revocations(path)
    kept, ended = await login(face), await login(face)
    body = {"refresh_token": ended["refresh_token"]}
    assert (await face.post("/auth/logout", body, key=ended["access_token"])).status == 204
    assert path.stat().st_mode & 0o777 == 0o600
    # Ids are counted anew by the tests' next server, and its key has the first id again.
    after = await started(aiohttp_client)
    after.service.tokens.revocations = Revocations(path)
    assert (await after.get("/queues", key=kept["access_token"])).status == 200
    assert_refused(
        await after.get("/queues", key=ended["access_token"]), 401, "AUTHENTICATION_FAILED"
    )
    refused = await refreshed(after, ended["refresh_token"])
    assert_refused(refused, 401, "AUTHENTICATION_FAILED")


async def test_what_has_expired_is_forgotten(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "revoked"
    face.service.tokens.revocations = Revocations(path)
    for _ in range(3):
        token = (await login(face))["access_token"]
        await face.post("/auth/logout", key=token)
        face.clock.advance(HOUR / 2)
    assert len(path.read_text().splitlines()) == 1 + 1
    assert Revocations(path)._until == face.service.tokens.revocations._until


async def test_only_so_many_can_be_taken_back(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "REVOKED_MAX", 2)
    for status in (204, 204, 503):
        token = (await login(face))["access_token"]
        assert (await face.post("/auth/logout", key=token)).status == status
    assert (await face.get("/queues", key=token)).status == 200
    face.clock.advance(HOUR)
    token = (await login(face))["access_token"]
    assert (await face.post("/auth/logout", key=token)).status == 204


# -- guessing


async def test_five_wrong_keys_of_one_beginning(face: Face) -> None:
    face.add_key(LIMITED)
    await login(face)
    before = face.footprint()
    for number in range(5):
        wrong = await face.post("/auth/login", {"api_key": f"sp_test_wrong_{number}"}, key=None)
        assert_refused(wrong, 401, "AUTHENTICATION_FAILED")
    for key in ("sp_test_wrong_again", LIMITED):
        refused = await face.post("/auth/login", {"api_key": key}, key=None)
        assert_refused(refused, 429, "RATE_LIMIT_EXCEEDED")
        assert refused.headers["Retry-After"] == "12"
    other = await face.post("/auth/login", {"api_key": "sk_live_wrong"}, key=None)
    assert_refused(other, 401, "AUTHENTICATION_FAILED")
    await login(face)  # it was right before
    assert (await face.get("/queues", key=LIMITED)).status == 200, "only logging in is refused"
    assert face.footprint() == before
    face.clock.advance(12)
    await login(face, LIMITED)


async def test_forged_tokens_are_guesses(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client, auth_failures_per_min=3)
    entered = await login(face)
    token = forged(entered["access_token"])
    for _ in range(3):
        assert (await face.get("/queues", key=token)).status == 401
    assert_refused(await face.get("/queues", key=token), 429, "RATE_LIMIT_EXCEEDED")
    assert_refused(await refreshed(face, token), 429, "RATE_LIMIT_EXCEEDED")
    assert (await face.get("/queues", key=entered["access_token"])).status == 200


async def test_answers_keep_tokens_out_of_caches(face: Face) -> None:
    body = json.dumps({"api_key": KEY}).encode()
    answer = await face.ask("POST", f"{API}/auth/login", data=body, key=None)
    assert answer.headers["Cache-Control"] == "no-store"


def test_claims_are_the_words_of_the_wire() -> None:
    assert set(Claims.__struct_fields__) == {
        *("sub", "org_id", "api_key_id", "queues"),
        *("iat", "nbf", "exp", "jti", "token_type"),
    }
