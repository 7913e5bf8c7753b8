"""Odd queries and bodies, many of them: each is answered or refused, none breaks the server."""

import json
import random
from typing import Any, Final

import pytest
from msgspec.structs import fields

from projections.digest import digest
from server.http.route import API
from server.startup import replayed
from tests.server.examples import WITH_BODY, example_of, stocked
from tests.server.harness import Face

BODIES: Final = 2_000
PARAMETERS: Final = [
    *("queue_name", "status", "tag", "q", "job_type", "created_after", "created_before"),
    *("order_by", "order_dir", "limit", "offset", "ids"),
]
TEXTS: Final = [
    *("", "0", "-1", "1e5", "nan", "1_000", "%205%20", "%D9%A1", "9" * 20, "9" * 5_000),
    *("%C3%A9", "%ff", "%00", "%ed%a0%80", ",", "*", "completed,pending,,x", "a" * 3_000),
    *("2020-01-01", "2020-01-01T00:00:00", "0001-01-01T00:00:00%2B14:00"),
    "9999-12-31T23:59:59-14:00",
]
VALUES: Final = [
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**63, 2**64, 10**400),
    *("", "x", "mail", "w1", "\u00e9", "a\0b", "\ud800", "x" * 2_049, "https://x", "::"),
    *("2020-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00"),
    *([], {}, [1], {"a": 1}, {"job_type": 5}, {"job_type": "\0"}, ["t", "t"]),
]
READS: Final = [
    *("/jobs?limit=100", "/jobs?order_by=scheduled_at", "/jobs/stats"),
    *("/queues", "/queues/mail/stats", "/workers"),
]


@pytest.mark.parametrize("path", ["/jobs", "/jobs/status"])
@pytest.mark.parametrize("rest", ["", "&queue_name=mail", "&order_by=priority"])
async def test_odd_queries(face: Face, path: str, rest: str) -> None:
    await stocked(face)
    for name in PARAMETERS:
        for text in TEXTS:
            answer = await face.get(f"{path}?{name}={text}{rest}")
            assert answer.status in {200, 400}, (name, text, answer.content)


async def test_offset_beyond_all_numbers_of_the_machine(face: Face) -> None:
    await face.create()
    for rest in ("", "&queue_name=mail", "&order_by=priority"):
        answer = await face.get(f"/jobs?offset={10**20}{rest}")
        assert (answer.status, answer.json) == (200, [])
        assert answer.headers["X-Has-More"] == "false"


def an_odd_body(dice: random.Random, body: dict[str, Any], names: list[str]) -> dict[str, Any]:
    odd = body | {name: dice.choice(VALUES) for name in names if dice.random() < 0.3}
    if "jobs" in body and dice.random() < 0.5:
        item = ("payload", "priority", "idempotency_key", "scheduled_at")
        odd["jobs"] = [{name: dice.choice(VALUES) for name in item} for _ in range(3)]
    return odd


async def test_odd_bodies_and_the_log_they_leave(face: Face) -> None:
    """Whatever got in, it is read back without fault, and a replay gives the same state."""
    stock, dice = await stocked(face), random.Random(5)
    for number in range(BODIES):
        route = dice.choice(WITH_BODY)
        assert route.body is not None
        names = [field.encode_name for field in fields(route.body.spec)]
        example = example_of(route)
        data = json.dumps(an_odd_body(dice, example.body, names)).encode()
        answer = await face.ask(route.method, stock.path(route, example), data=data)
        assert answer.status < 500, (route.path, data, answer.content)
        if number % 100 == 0:
            face.advance(dice.choice([1, 60, 1_000]))
            for path in READS:
                assert (await face.get(path)).status == 200
    assert digest(await replayed(face.log)) == digest(face.engine.state)
    assert (await face.ask("GET", f"{API}/log/digest")).status == 200
