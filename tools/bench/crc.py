"""What reading a log costs at the least: every byte read, every line's CRC-32 compared, no more.

``spoolog bench read`` runs it in a process of its own beside `spoolog log verify`. It knows no more of
the log than that its files are lines, and it must not.
"""

import sys
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from zlib import crc32

from msgspec import Struct, json
from zstandard import ZstdDecompressor

_CRC_DIGITS = 8


class Summed(Struct, frozen=True):
    """What was read, and how long it took once Python was there."""

    bytes: int
    lines: int
    seconds: float


def lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a segment, plain or compressed."""
    with path.open("rb") as file:
        if path.suffix != ".zst":
            yield from file
            return
        reader = ZstdDecompressor().stream_reader(file, read_across_frames=True)
        yield from BufferedReader(reader)


def read(data_dir: Path) -> Summed:
    """Read and compare all of it."""
    began = time.perf_counter()
    size = count = 0
    for path in sorted((data_dir / "log").glob("*.log*")):
        for line in lines(path):
            assert int(line[:_CRC_DIGITS], 16) == crc32(line[_CRC_DIGITS + 1 : -1]), path
            size += len(line)
            count += 1
    return Summed(size, count, time.perf_counter() - began)


if __name__ == "__main__":
    sys.stdout.buffer.write(json.encode(read(Path(sys.argv[1]))) + b"\n")
