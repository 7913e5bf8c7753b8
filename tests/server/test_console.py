"""What the server says of itself: one line a message, whole, and never at the cost of a request."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from server.console import QUEUED_MAX, Console, fields, speaking
from tests.server.harness import API, KEY, Face

_logger = logging.getLogger("spoolog.tests")


class Stuck(io.StringIO):
    """A reader that takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.began.set()
        self.go_on.wait()
        return super().write(text)


@contextmanager
def heard(form: Console) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with speaking(form, lambda: 42, stream):
        yield stream


def test_text_is_one_line_with_position_and_fields() -> None:
    with heard(Console.TEXT) as stream:
        _logger.warning("the disk is %s", "slow", extra=fields(request_id="r-1"))
    (line,) = stream.getvalue().splitlines()
    moment, _, rest = line.partition(" ")
    assert moment.endswith("Z")
    assert rest == "WARNING spoolog.tests the disk is slow position=42 request_id=r-1"


def test_json_is_one_object_a_line_with_the_traceback_inside() -> None:
    with heard(Console.JSON) as stream:
        error = ValueError("no\nway")
        _logger.error("broke off", exc_info=error, extra=fields(request_id="r-2"))
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    assert "ValueError: no\nway" in told.pop("traceback")
    assert told == {
        "level": "error",
        "logger": "spoolog.tests",
        "message": "broke off",
        "position": 42,
        "request_id": "r-2",
    }


@pytest.mark.parametrize("form", Console)
def test_a_client_cannot_write_lines_of_its_own(form: Console) -> None:
    with heard(form) as stream:
        _logger.info("GET %s", "/x\n2026 ERROR forged\x1b[2J")
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line


def test_a_reader_that_takes_nothing_costs_messages_and_no_time() -> None:
    stream = Stuck()
    with speaking(Console.TEXT, lambda: 1, stream):
        _logger.info("first")
        stream.began.wait()
        for _ in range(QUEUED_MAX + 5):
            _logger.info("more")
        stream.go_on.set()
        while "more" not in stream.getvalue():
            pass
        _logger.info("last")
    lines = stream.getvalue().splitlines()
    assert "last position=1 lines_lost_before=5" in lines[-1]


def test_nothing_is_left_behind() -> None:
    logger = logging.getLogger("spoolog")
    before = list(logger.handlers), logger.level, logger.propagate
    with heard(Console.TEXT):
        assert logger.handlers != before[0]
    assert (list(logger.handlers), logger.level, logger.propagate) == before


async def access_lines(face: Face, *paths: str, **options: Any) -> list[dict[str, Any]]:
    face.service.access_log = True
    with heard(Console.JSON) as stream:
        for path in paths:
            await face.ask("GET", path, **options)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_the_access_log_tells_of_each_request(face: Face) -> None:
    (known, unknown) = await access_lines(
        face, f"{API}/jobs/no-such?token=secret", "/nowhere", headers={"X-Request-Id": "r-3"}
    )
    assert known["message"] == f"GET {API}/jobs/no-such"
    assert known["route"] == f"{API}/jobs/{{id}}"
    assert known["status"] == unknown["status"] == 404
    assert known["request_id"] == "r-3"
    assert known["actor"] == next(iter(face.engine.state.tables.keys))
    assert known["ms"] >= 0
    assert "secret" not in json.dumps(known)
    assert KEY not in json.dumps(known)
    assert unknown["route"] == "other"


async def test_a_path_cannot_look_like_other_fields(face: Face) -> None:
    (line,) = await access_lines(face, "/x%20status=200%20actor=someone")
    assert line["message"] == "GET /x%20status=200%20actor=someone"


async def test_without_it_nothing_is_told(face: Face) -> None:
    with heard(Console.JSON) as stream:
        assert (await face.ask("GET", "/health")).status == 200
    assert stream.getvalue() == ""
