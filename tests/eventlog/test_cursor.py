import pytest

from eventlog import Entry
from eventlog.cursor import Cursor
from eventlog.frame import Header, first_state, framed, next_state, record_line

STATE = first_state("c1")
HEADER = Header(1, 1, STATE.hex(), "", 2, "c1", 0, "spoolog")


def lines(*batches: int, epoch: int = 2) -> list[bytes]:
    state, made = STATE, []
    for position, batch in enumerate(batches, start=1):
        state = next_state(state, position, b"{}")
        made.append(record_line(position, batch, epoch, state, b"{}")[:-1])
    return made


def taken(given: list[bytes]) -> tuple[Cursor, list[Entry], int]:
    cursor, out = Cursor(HEADER, 100), list[Entry]()
    return cursor, out, cursor.take(given, out)


def test_good_lines_are_taken_and_counted() -> None:
    given = lines(1, 1, 3)
    cursor, out, count = taken(given)
    assert (count, out) == (3, [(1, b"{}"), (2, b"{}"), (3, b"{}")])
    assert (cursor.position, cursor.records, cursor.batch, cursor.line) == (3, 3, 3, 5)
    assert cursor.offset == 100 + sum(map(len, given)) + 3
    assert cursor.last_offset == cursor.offset - len(given[-1]) - 1


@pytest.mark.parametrize(
    ("bad", "objection"),
    [
        (b"", "checksum"),
        (b"nonsense", "checksum"),
        (framed(b"3 3 2 aa")[:-1], "form of no record"),
        (framed(b"#end {}")[:-1], "footer"),
        (lines(1, 1, 3, 3)[3], "record 4 stands in its place"),
        (lines(1, 1, 3, epoch=3)[2], "epoch 3, its segment of epoch 2"),
        (lines(1, 1, 4)[2], "batch is 4"),
        (lines(1, 1, 0)[2], "form of no record"),
        (framed(b"3 3 2 " + b"a" * 32 + b" {}")[:-1], "hash chain"),
    ],
)
def test_first_bad_line_ends_it(bad: bytes, objection: str) -> None:
    cursor, out, count = taken([*lines(1, 2), bad, *lines(1, 1, 3, 4)[3:]])
    assert (count, len(out), cursor.position) == (2, 2, 2)
    assert objection in cursor.objection(bad)


def test_batch_may_not_go_back() -> None:
    assert taken(lines(1, 2, 1))[2] == 2
    assert "batch is 1 after batch 2" in taken(lines(1, 2, 1))[0].objection(lines(1, 2, 1)[2])
