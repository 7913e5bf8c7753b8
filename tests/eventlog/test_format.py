"""The format as the room's docstring tells it, read from outside the code that writes it."""

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import eventlog
from eventlog import FileLog, Reader, verify
from eventlog.frame import parse_footer, parse_header, parse_record, parse_start
from eventlog.mark import parse_slots
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, a_clock, all_of, open_log

GOLDEN = Path(__file__).parents[1] / "golden" / "log-v1"
GOLDEN_CHAIN = "bcf17c894a72dbab91a6aaaeb8ebf73b"
EXAMPLE = re.compile(r"^    ([0-9a-f]{8}) (.*)$", re.MULTILINE)


def worked_lines() -> list[str]:
    assert eventlog.__doc__ is not None
    return [found.group(0).strip() for found in EXAMPLE.finditer(eventlog.__doc__)]


def test_worked_lines_parse() -> None:
    header, *records, footer, start, mark = (line.encode() for line in worked_lines())
    segment = b"".join(line + b"\n" for line in [header, *records])
    parsed_footer = parse_footer(footer)
    assert parse_header(header) is not None
    assert parsed_footer is not None
    assert len(records) == parsed_footer.records == 3
    assert parsed_footer.bytes == len(segment)
    assert parsed_footer.sha256 == sha256(segment).hexdigest()
    begins = parse_start(start)
    assert begins is not None
    assert (begins.first, begins.state, begins.prev_sha256) == (
        parsed_footer.last + 1,
        parsed_footer.state,
        parsed_footer.sha256,
    )
    last = parse_record(records[-1])
    assert last is not None
    found, _ = parse_slots(mark + b" \n")
    assert (found.position, found.chain) == (last.position, last.chain)


def test_worked_lines_are_a_log() -> None:
    disk = MemoryDisk()
    text = "".join(line + "\n" for line in worked_lines()[:-2])
    disk.make_directory(HOME.log)
    disk.put(HOME.segment(1), text.encode())
    disk.put(HOME.meta, b'{"format":1,"cluster":"c1","created_at":1795461256000000}')
    assert verify(HOME.directory, disk=disk).records == 3


def read_by_the_book(data_dir: Path) -> list[tuple[int, bytes]]:
    """Read a log with nothing but the docstring's words."""
    cluster = json.loads((data_dir / "meta.json").read_bytes())["cluster"]
    state, found, previous_hash = sha256(cluster.encode()).digest(), [], ""
    for path in sorted((data_dir / "log").iterdir()):
        before = b""
        for line in path.read_bytes().splitlines(keepends=True):
            rest = line[9:-1]
            assert int(line[:8], 16) == crc32(rest)
            if rest.startswith(b"#seg "):
                header = json.loads(rest[5:])
                assert header["base"] == int(path.stem) == len(found) + 1
                assert (header["state"], header["prev_sha256"]) == (state.hex(), previous_hash)
            elif rest.startswith(b"#end "):
                footer = json.loads(rest[5:])
                previous_hash = sha256(before).hexdigest()
                assert footer["sha256"] == previous_hash
                assert (footer["last"], footer["bytes"]) == (len(found), len(before))
            else:
                position, _, epoch, chain, body = rest.split(b" ", 4)
                state = sha256(state + position + b" " + body).digest()
                assert chain.decode() == state.hex()[:32]
                assert int(epoch) == header["epoch"]
                found.append((int(position), body))
            before += line
    return found


def test_golden_log_reads_as_ever() -> None:
    expected = read_by_the_book(GOLDEN)
    reader = Reader(GOLDEN)
    assert [entry for batch in reader.entries() for entry in batch] == expected
    verified = verify(GOLDEN)
    assert (verified.records, verified.segments, verified.epochs) == (21, 2, [1, 2])
    assert verified.chain_hex == GOLDEN_CHAIN
    assert (verified.mark, verified.torn) == (21, None)
    assert [segment.sealed for segment in reader.segments()] == [True, False]
    assert json.loads(expected[1][1])["events"][0]["payload"]["subject"] == "Grüße aus Köln ✉"


async def test_golden_log_can_be_gone_on_with(tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(GOLDEN, copy)
    log = FileLog.open(copy, clock=a_clock(), new_cluster_id=str)
    assert await log.begin() == 3
    log.append(22, b"{}")
    await log.durable(22)
    assert await all_of(log) == [*read_by_the_book(GOLDEN), (22, b"{}")]
    await log.close()
    assert len(read_by_the_book(copy)) == verify(copy).records == 22


async def test_what_is_written_today_is_read_by_the_book(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=700)
    await log.begin()
    for position in range(1, 20):
        log.append(position, b'{"n": %d}' % position)
        await log.durable(position)
    await log.close()
    assert [body for _, body in read_by_the_book(tmp_path)] == [
        b'{"n": %d}' % n for n in range(1, 20)
    ]
