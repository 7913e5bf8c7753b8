"""Which errors count as the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.signature import NO_TEXT, SIGNATURE_CHARACTERS_MAX, signature

UUID = "0190f3c2-7b7e-7c4a-9d53-0b8f6a1c2d3e"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("Connection timeout", "Connection timeout"),
        ("timeout after 30 s", "timeout after <n> s"),
        ("took 1.25s, limit 1,000", "took <n>s, limit <n>"),
        ("HTTP 503 from https://api.example.com/v1/x?id=7", "HTTP <n> from <url>"),
        ("10.0.0.7:5432 refused", "<n> refused"),
        (f"job {UUID} is gone", "job <uuid> is gone"),
        (f"job {UUID.upper()} is gone", "job <uuid> is gone"),
        ("object at 0x7f3a9c001b20", "object at <hex>"),
        ("commit deadbeef01 is unknown", "commit <hex> is unknown"),
        ("the facade is effaced", "the facade is effaced"),
        ("KeyError: 'user_17'", "KeyError: <text>"),
        ('no such table "jobs of 2024"', "no such table <text>"),
        ("module `x.y` not found", "module <text> not found"),
        ("can't open it, won't try", "can't open it, won't try"),
        ("can't open 'a b' of user's 'c'", "can't open <text> of user's <text>"),
        ("cannot read /var/lib/app/17.json: denied", "cannot read <path>: denied"),
        ("cannot read C:\\Temp\\a1.txt", "cannot read <path>"),
        ("see ./a/b.py and ~/c", "see <path> and <path>"),
        ("read/write error and/or worse", "read/write error and/or worse"),
        ("\n\n  first line 1  \n  File 2, line 3", "first line <n>"),
        ("a\t b   c", "a b c"),
        ("", NO_TEXT),
        (" \n\t ", NO_TEXT),
        ("'unfinished", "'unfinished"),
        ("x" * 500, "x" * (SIGNATURE_CHARACTERS_MAX - 1) + "…"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(<n>)>"),
        ("Größe überschritten: 12 MB", "Größe überschritten: <n> MB"),
    ],
)
def test_signature(error: str, expected: str) -> None:
    assert signature(error) == expected


@pytest.mark.parametrize(
    "error",
    [
        "'" * 2_048,
        "/" * 2_048,
        "a:" * 1_024,
        "f" * 2_048,
        "0-" * 1_024,
        "\\.'/" * 512,
        "1." * 1_024,
    ],
)
def test_the_worst_text_is_bounded(error: str) -> None:
    assert len(signature(error)) <= SIGNATURE_CHARACTERS_MAX


@given(st.text(max_size=2_048), st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_make_no_difference(text: str, one: int, other: int) -> None:
    assert signature(f"{one} {text}") == signature(f"{other} {text}")
