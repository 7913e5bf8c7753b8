"""``spoolog log compress``: keep the log small, beside a running server.

What may be compressed and how it is made safe stands in ``eventlog.compressed``.
"""

import os
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import click

from eventlog import Reader
from eventlog.compressed import compress_log
from eventlog.directory import Home, keeping
from eventlog.disk import OsDisk
from tools import output
from tools.options import data_dir_option, json_option

KEEP_PLAIN: Final = 1


@click.command()
@data_dir_option
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=KEEP_PLAIN,
    show_default=True,
    help="Leave so many of the newest sealed segments as they are.",
)
@json_option
def compress(*, data_dir: Path, keep: int, as_json: bool) -> None:
    """Compress sealed segments in place. Everything reads them as before, and zstd -d too.

    Works beside a running server, and may be interrupted at any moment.
    """
    reader = Reader(data_dir)
    disk, home = OsDisk(), Home(data_dir)
    with _alone(disk, home), output.progress("compressing") as advance:
        done = compress_log(disk, home, reader.identity.cluster, keep=keep, progress=advance)
    found: dict[str, object] = {
        "segments": len(done),
        "bytes_before": sum(segment.bytes for segment in done),
        "bytes_after": sum(segment.file_bytes for segment in done),
    }
    if as_json:
        output.say_json(found | {"files": [segment.path.name for segment in done]})
    else:
        output.facts("Compressed", found.items())


def _alone(disk: OsDisk, home: Home) -> AbstractContextManager[None]:
    return keeping(disk, home, f"pid {os.getpid()} on host {socket.gethostname()}")
