"""Bits that flip, lines and segments that come, go and change places: refused, told where, untouched.

The log has four segments, three of them sealed, two of another epoch. Only the mark may be damaged
without a word, and the time in meta.json, which nothing depends on.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from eventlog import Entry, LogDamaged
from eventlog.frame import chain_hex, framed, next_state, parse_record
from tests.eventlog.logs import HOME, all_of, entries, open_log, write
from tests.faults.figures import report
from tests.faults.flips import Flip, contents, flipped
from tests.faults.loop import AtOnce, SimLoop

RECORDS = 7
META_TIME = b'"created_at":'


async def _write(directory: Path, cluster: str = "c1") -> None:
    options = {"start_writer": AtOnce, "new_cluster_id": lambda: cluster}
    log = open_log(directory, segment_bytes_max=500, **options)
    await log.begin()
    await write(log, batches=2)
    await log.close()
    log = open_log(directory, segment_bytes_max=400, **options)
    await log.begin()
    await write(log, batches=1, records=1)
    await write(log, batches=1, records=2)
    assert log._lock is not None
    log._disk.close(log._lock)


@pytest.fixture
def log() -> Iterator[Path]:
    in_memory = Path("/dev/shm")  # thousands of starts need not wait for a device
    with TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as place:
        directory = Path(place) / "data"
        SimLoop().run(_write(directory))
        assert len(segments(directory)) == 4
        assert start(directory) == entries(RECORDS)
        yield directory


def segments(directory: Path) -> list[Path]:
    return sorted((directory / "log").iterdir())


def start(directory: Path) -> list[Entry]:
    """Open and read all, as a server does before it changes anything."""
    loop = SimLoop()
    log = open_log(directory)
    try:
        return loop.run(all_of(log))
    finally:
        loop.run(log.close())


def damage(directory: Path) -> LogDamaged:
    """Start, which must be refused and change nothing."""
    before = contents(directory)
    with pytest.raises(LogDamaged) as caught:
        start(directory)
    assert contents(directory) == before
    return caught.value


class Places:
    """Where every line of a log stands."""

    def __init__(self, directory: Path) -> None:
        self.lines = {path: list(_lines(content)) for path, content in contents(directory).items()}
        self.positions = {
            (path, start): parsed.position
            for path, lines in self.lines.items()
            for start, line in lines
            if (parsed := parse_record(line[:-1])) is not None
        }

    def line(self, flip: Flip) -> tuple[int, int, int]:
        """Give the start, the end and the number of the line in which a bit is."""
        for number, (start, line) in enumerate(self.lines[flip.path], start=1):
            if start <= flip.offset < start + len(line):
                return start, start + len(line), number
        raise AssertionError(flip)


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    for line in content.splitlines(keepends=True):
        yield start, line
        start += len(line)


def test_every_flipped_bit_is_refused_with_its_place(log: Path) -> None:
    started = time.monotonic()
    places, harmless = Places(log), dict[str, int]()

    def check(directory: Path, flip: Flip) -> None:
        try:
            found = start(directory)
        except LogDamaged as told:
            judge(told, flip)
        else:
            assert found == entries(RECORDS), "it reads as something else"
            harmless[flip.path.name] = harmless.get(flip.path.name, 0) + 1

    def judge(told: LogDamaged, flip: Flip) -> None:
        if flip.path.name == HOME.meta.name:
            # Changed to the name of another log it accuses the segments, and tells both names.
            assert flip.path == told.file or "belongs to another log" in told.reason
            return
        first, end, number = places.line(flip)
        assert told.file == flip.path
        assert str(flip.path) in str(told)
        assert first <= told.offset < end
        assert told.line - number in {0, 1}  # 1 when the bit made a newline
        position = places.positions.get((flip.path, first))
        if told.position:
            assert position is None or told.position == position
        else:  # a footer, or the newline before it, without which there is none
            assert position is None or flip.offset == end - 1

    flips = flipped(log, check)
    meta = (log / HOME.meta.name).read_bytes()
    assert harmless.keys() == {HOME.mark.name, HOME.meta.name}
    assert harmless[HOME.mark.name] == (log / HOME.mark.name).stat().st_size * 8
    assert harmless[HOME.meta.name] < 4 * len(meta.partition(META_TIME)[2])
    report(
        "bit flips",
        flips=flips,
        refused=flips - sum(harmless.values()),
        harmless_in_mark=harmless[HOME.mark.name],
        harmless_in_meta_time=harmless[HOME.meta.name],
        silently_accepted=0,
        wrong_place=0,
        seconds=round(time.monotonic() - started, 1),
    )


def changed_lines(lines: list[bytes], other: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Give every way to delete, repeat, swap or insert a line, and the first line that shows it."""
    for at, line in enumerate(lines):
        yield at, [*lines[:at], *lines[at + 1 :]]
        yield at + 1, [*lines[: at + 1], line, *lines[at + 1 :]]
        yield at, [*lines[:at], other, *lines[at:]]
    for at in range(len(lines) - 1):
        yield at, [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def test_lines_deleted_repeated_swapped_and_inserted(log: Path) -> None:
    tried = 0
    for path, following in pairwise([*segments(log), None]):
        whole = path.read_bytes()
        path.chmod(0o640)
        lines = whole.splitlines(keepends=True)
        foreign = framed(b"%d 1 1 %b {}" % (RECORDS + 9, b"0" * 32))
        for shows, changed in changed_lines(lines, foreign):
            path.write_bytes(b"".join(changed))
            told = damage(log)
            tried += 1
            assert told.file == path
            before = sum(map(len, changed[:shows]))
            # Survey reads first and last lines, so what spoils the last is told before the rest.
            last = sum(map(len, changed[:-1]))
            assert told.offset in {before, last} or (following is None and told.offset < last)
        path.write_bytes(whole)
    assert start(log) == entries(RECORDS)
    report("lines changed", tried=tried, refused=tried)


def test_segments_dropped_swapped_and_foreign(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    SimLoop().run(_write(other, "c2"))
    paths = segments(log)
    for path in paths:
        whole = path.read_bytes()
        path.unlink()
        told = damage(log)
        expected = (
            paths[-2] if path == paths[-1] else path
        )  # the log ends too early: told at its end
        assert told.file == expected
        path.write_bytes((other / "log" / path.name).read_bytes())
        told = damage(log)
        assert told.file == path
        assert "belongs to another log" in told.reason
        path.write_bytes(whole)
    for one, two in pairwise(paths):
        kept = one.read_bytes(), two.read_bytes()
        one.write_bytes(kept[1])
        two.write_bytes(kept[0])
        assert damage(log).file == one
        one.write_bytes(kept[0])
        two.write_bytes(kept[1])
    assert start(log) == entries(RECORDS)


def test_a_log_cut_at_any_record_below_the_mark(log: Path) -> None:
    cuts = 0
    for path in segments(log):
        whole = path.read_bytes()
        path.chmod(0o640)
        for offset, _ in _lines(whole):
            path.write_bytes(whole[:offset])
            told = damage(log)
            cuts += 1
            assert told.file == path
            assert offset == 0 or told.offset <= offset
        path.write_bytes(whole)
    report("cuts below the mark", cuts=cuts, refused=cuts)


def test_a_record_changed_with_a_right_checksum_breaks_the_chain(log: Path) -> None:
    for path in segments(log):
        whole = path.read_bytes()
        path.chmod(0o640)
        for offset, line in _lines(whole):
            if parse_record(line[:-1]) is None:
                continue
            forged = framed(line[9:-1].replace(b"created", b"deleted"))
            path.write_bytes(whole[:offset] + forged + whole[offset + len(line) :])
            told = damage(log)
            assert (told.file, told.offset) == (path, offset)
            assert "the hash chain breaks here" in told.reason
        path.write_bytes(whole)


def test_a_log_rewritten_to_its_end_shows_only_against_a_copy_of_its_head(log: Path) -> None:
    """The last segment with a new chain: the mark is such a copy; without it nothing tells."""
    path = segments(log)[-1]
    header, *records = path.read_bytes().splitlines(keepends=True)
    state = bytes.fromhex(msgspec.json.decode(header[9:].partition(b" ")[2])["state"])
    forged = [header]
    for line in records:
        record = parse_record(line[:-1])
        assert record is not None
        content = record.body.replace(b"created", b"deleted")
        state = next_state(state, record.position, content)
        text = b"%d %d %d %b %b" % (
            record.position,
            record.batch,
            record.epoch,
            chain_hex(state),
            content,
        )
        forged.append(framed(text))
    path.write_bytes(b"".join(forged))
    assert "another history" in damage(log).reason
    (log / HOME.mark.name).unlink()
    assert len(start(log)) == RECORDS
