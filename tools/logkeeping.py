"""``spoolog log compress`` and ``spoolog log expire``: keep the log small, beside a running server.

What may be replaced or removed, and how that is made safe, stands in ``server.housekeeping`` and
``eventlog``.
"""

from pathlib import Path

import click

from eventlog import NotCovered, Reader
from server import housekeeping
from server.housekeeping import KEEP_PLAIN
from spoolog import Point
from tools import output
from tools.options import PointType, data_dir_option, json_option


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
    with output.progress("compressing") as advance:
        done = housekeeping.compress(data_dir, keep=keep, progress=advance)
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
    try:
        expired = housekeeping.expire(
            data_dir, before=_position_of(Reader(data_dir), before), dry_run=dry_run
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


def _position_of(reader: Reader, point: Point) -> int:
    """Give the first position that does not lie before a point."""
    if point.position is not None:
        return point.position
    assert point.at_us is not None
    return housekeeping.first_at(reader, point.at_us)
