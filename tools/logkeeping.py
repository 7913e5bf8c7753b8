"""``spoolog log compress`` and ``spoolog log expire``: keep the log small, beside a running server.

What may be replaced or removed, and how that is made safe, stands in ``eventlog.compressed`` and
``eventlog.retention``.
"""

import os
import socket
from bisect import bisect_left
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import click

from eventlog import NotCovered, Reader, SegmentInfo
from eventlog.compressed import compress_log
from eventlog.directory import Home, keeping
from eventlog.disk import OsDisk
from eventlog.retention import expire as expire_log
from projections.events import decode
from tools import output
from tools.options import Point, PointType, data_dir_option, json_option

KEEP_PLAIN: Final = 1
_NOT_YET_US: Final = 1 << 63


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


@click.command()
@data_dir_option
@click.option(
    "--before", type=PointType(), required=True, help="Remove what lies before this point."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@json_option
def expire(*, data_dir: Path, before: Point, dry_run: bool, as_json: bool) -> None:
    """Remove the oldest segments, those that lie before a point as a whole. For good.

    Only what verified snapshots cover is removed; otherwise nothing, and exit 1. Works beside a
    running server, and may be interrupted at any moment: the next run finishes.
    """
    reader = Reader(data_dir)
    disk, home = OsDisk(), Home(data_dir)
    with _alone(disk, home):
        try:
            expired = expire_log(
                disk,
                home,
                reader.identity.cluster,
                before=_position_of(reader, before),
                covered=covered_position(data_dir),
                dry_run=dry_run,
            )
        except NotCovered as refused:
            raise output.Problem(str(refused)) from refused
    gone = expired.segments
    found: dict[str, object] = {
        "dry_run": dry_run,
        "first": expired.first,
        "records": sum(segment.footer.records for segment in gone if segment.footer),
        "segments": len(gone),
        "file_bytes": sum(segment.file_bytes for segment in gone),
    }
    if as_json:
        output.say_json(found | {"files": [segment.path.name for segment in gone]})
    else:
        output.facts("Would be removed" if dry_run else "Removed", found.items())


def covered_position(data_dir: Path) -> int:  # noqa: ARG001 - there is no store of snapshots yet
    """Give the position up to which the older of the kept verified snapshots holds everything.

    0 when there are none, and then nothing may expire.
    """
    return 0


def _position_of(reader: Reader, point: Point) -> int:
    """Give the first position that does not lie before a point."""
    if point.position is not None:
        return point.position
    at_us = point.at_us
    assert at_us is not None
    segments = reader.segments()
    index = bisect_left(segments, at_us, key=partial(_began_us, reader))
    if not index:
        return reader.first
    position = segments[index - 1].base - 1
    for batch in reader.entries(position):
        for position, body in batch:
            if decode(position, body).at >= at_us:
                return position
    return position + 1


def _began_us(reader: Reader, segment: SegmentInfo) -> int:
    """Give the time of a segment's first record; time in the log never goes back."""
    for batch in reader.entries(segment.base - 1):
        return decode(*batch[0]).at
    return _NOT_YET_US


def _alone(disk: OsDisk, home: Home) -> AbstractContextManager[None]:
    return keeping(disk, home, f"pid {os.getpid()} on host {socket.gethostname()}")
