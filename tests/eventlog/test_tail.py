"""The decision itself, rule by rule; what it does to whole logs is in test_recovery.py."""

import pytest

from eventlog.frame import Footer, first_state, footer_line, next_state, record_line
from eventlog.tail import SECTOR_BYTES, damage_in_tail


def line(position: int, batch: int) -> bytes:
    return record_line(position, batch, 1, next_state(first_state("c1"), position, b"{}"), b"{}")


HALF = line(5, 5)[:20]
FOOTER = footer_line(Footer(5, 1, 5, 999, "0a" * 32, "0b" * 32))


@pytest.mark.parametrize(
    "tail",
    [
        HALF,
        line(5, 5)[:-1],
        HALF + bytes(100),
        bytes(700) + line(6, 5),
        HALF + bytes(SECTOR_BYTES * 2) + line(6, 5),
        bytes(700) + b"\n",
        FOOTER[:-1],
    ],
)
def test_interrupted_write_is_torn(tail: bytes) -> None:
    assert damage_in_tail(tail, offset=300, position=5, mark=4) is None


@pytest.mark.parametrize(
    ("tail", "mark", "reason"),
    [
        (HALF, 5, "acknowledged"),
        (line(7, 5), 4, "does not belong"),
        (HALF + b"\n" + line(6, 6), 4, "record 6 behind it"),
        (bytes(600) + line(6, 6), 4, "record 6 behind it"),
        (bytes(600) + FOOTER, 4, "sealed"),
        (HALF + b"\n", 4, "no interrupted write"),
        (HALF + b"\n" + line(6, 5), 4, "no interrupted write"),
        (HALF + bytes(30) + b"\n" + line(6, 5), 4, "no interrupted write"),
        (line(5, 5)[:-1] + b"\x0b", 4, "no interrupted write"),
    ],
)
def test_anything_else_is_damage(tail: bytes, mark: int, reason: str) -> None:
    assert reason in (damage_in_tail(tail, offset=300, position=5, mark=mark) or "")
