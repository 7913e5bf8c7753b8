from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import frame

BODIES = st.binary().filter(lambda content: b"\n" not in content and b"\0" not in content)
COUNTS = st.integers(min_value=1, max_value=10**18)

HEADER = frame.Header(
    format=1,
    base=7,
    state="0a" * 32,
    prev_sha256="",
    epoch=2,
    cluster="c1",
    created_at_us=5,
    writer="spoolog",
)
FOOTER = frame.Footer(records=3, first=7, last=9, bytes=500, state="0a" * 32, sha256="0b" * 32)


@given(COUNTS, COUNTS, COUNTS, BODIES)
def test_record_survives_its_line(position: int, batch: int, epoch: int, body: bytes) -> None:
    state = frame.next_state(frame.first_state("c1"), position, body)
    line = frame.record_line(position, batch, epoch, state, body)
    assert line.endswith(b"\n")
    record = frame.parse_record(line[:-1])
    assert record == frame.RecordFields(position, batch, epoch, state[:16].hex().encode(), body)


def test_record_line_is_what_the_format_says() -> None:
    state = sha256(sha256(b"c1").digest() + b"1 " + b'{"a": 1}').digest()
    rest = b"1 1 2 " + state.hex()[:32].encode() + b' {"a": 1}'
    expected = b"%08x " % crc32(rest) + rest + b"\n"
    assert frame.record_line(1, 1, 2, state, b'{"a": 1}') == expected
    assert frame.next_state(frame.first_state("c1"), 1, b'{"a": 1}') == state


def test_header_and_footer_survive_their_lines() -> None:
    assert frame.parse_header(frame.header_line(HEADER)[:-1]) == HEADER
    assert frame.parse_footer(frame.footer_line(FOOTER)[:-1]) == FOOTER
    assert frame.parse_header(frame.footer_line(FOOTER)[:-1]) is None
    assert frame.parse_footer(frame.header_line(HEADER)[:-1]) is None


@given(st.binary())
def test_arbitrary_bytes_raise_nothing(data: bytes) -> None:
    for line in (data, frame.framed(data)[:-1], frame.framed(b"#seg " + data)[:-1]):
        assert frame.parse_header(line) is None
        assert frame.parse_footer(line) is None
        frame.parse_record(line)


@pytest.mark.parametrize(
    "rest",
    [
        b"1 1 1",
        b"1 1 1 chain",
        b"-1 1 1 chain {}",
        b"+1 1 1 chain {}",
        b"01 1 1 chain {}",
        b"1_0 1 1 chain {}",
        b"\xb2 1 1 chain {}",
        b"9" * 5000 + b" 1 1 chain {}",
        b"1 0 1 chain {}",
        b'#seg {"format":' + b"[" * 100_000,
        b'#seg {"format":' + b"9" * 5_000 + b"}",
        b'#end {"records":0}',
        b'#seg {"cluster":"\xff"}',
    ],
)
def test_odd_lines_are_nothing(rest: bytes) -> None:
    line = frame.framed(rest)[:-1]
    assert frame.parse_record(line) is None
    assert frame.parse_header(line) is None
    assert frame.parse_footer(line) is None


def test_checksum_has_one_spelling() -> None:
    line = next(
        line
        for line in (frame.framed(b"x%d" % n)[:-1] for n in range(99))
        if line[:8].upper() != line[:8]
    )
    assert frame.unframed(line) is not None
    assert frame.unframed(line[:8].upper() + line[8:]) is None
