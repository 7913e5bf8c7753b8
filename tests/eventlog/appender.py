"""Appends until it is killed; prints each position once it is durable."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from eventlog import FileLog


async def main() -> None:
    moments = count(1_795_461_256_000_000)
    log = FileLog.open(
        Path(sys.argv[1]),
        clock=lambda: next(moments),
        new_cluster_id=lambda: "c1",
        segment_bytes_max=20_000,
    )
    await log.begin()
    while True:
        for _ in range(5):
            log.append(log.last + 1, b'{"n":%d}' % (log.last + 1))
        await log.durable(log.last)
        sys.stdout.write(f"{log.last}\n")
        sys.stdout.flush()


asyncio.run(main())
