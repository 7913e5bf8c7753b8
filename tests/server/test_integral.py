"""A whole number is an integer however it is written (JSON Schema, section 6.1.1)."""

from typing import Any

import pytest

from server.http.integral import rewritten
from tests.server.harness import ME, Face, assert_refused


@pytest.mark.parametrize("number", ["5.0", "5.000", "-5.0", "0.0", "1e2", "-0.1E+3"])
async def test_a_fraction_of_nothing_is_no_fraction(face: Face, number: str) -> None:
    data = f'{{"queue_name":"mail","payload":{{"n":2.50}},"priority":{number}}}'.encode()
    answer = await face.ask("POST", "/api/v1/jobs", data=data)
    assert answer.status == 201
    job = await face.get(f"/jobs/{answer.json['id']}")
    assert job.json["priority"] == int(float(number))
    assert b'{"n":2.50}' in job.content


async def test_several_and_deep_ones(face: Face) -> None:
    items = ",".join(f'{{"payload":{n}.0,"priority":{n}.0}}' for n in range(3))
    data = f'{{"queue_name":"mail","default_max_retries":2.0,"jobs":[{items}]}}'.encode()
    answer = await face.ask("POST", "/api/v1/jobs/bulk", data=data)
    assert answer.json["success_count"] == 3
    claimed: list[dict[str, Any]] = await face.claim(limit=3)
    assert [job["priority"] for job in claimed] == [2, 1, 0]
    assert {job["max_retries"] for job in claimed} == {2}


@pytest.mark.parametrize(
    ("number", "status"),
    [("5.5", 422), ("1e400", 400), ("500.0", 400), ('"5"', 422), ("1e300", 422)],
)
async def test_other_numbers_are_refused_as_before(face: Face, number: str, status: int) -> None:
    data = f'{{"queue_name":"mail","worker_id":"{ME}","limit":{number}}}'.encode()
    answer = await face.ask("POST", "/api/v1/jobs/claim", data=data)
    assert_refused(answer, status, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "message", ["Expected `int`, got `str` - at `$.a`", "Invalid", "Expected `str`, got `float`"]
)
def test_other_refusals_are_not_its_business(message: str) -> None:
    assert rewritten(b'{"a":5.0}', message) is None
