"""``spoolog log fork``: a data directory whose server starts at a point of the past.

What is copied, in which order, and when it is refused stands in ``eventlog.fork``.
"""

from pathlib import Path

import click

import spoolog
from eventlog.fork import fork as make_fork
from server.access import PRIVATE_FILES
from server.clock import WallClock
from spoolog import Point
from tools import output
from tools.options import PointType, data_dir_option, json_option


@click.command()
@data_dir_option
@click.option(
    "--at", type=PointType(), required=True, help="The last position or time that it holds."
)
@click.option(
    "--to",
    "target",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory of the fork; must be empty or missing.",
)
@json_option
def fork(data_dir: Path, at: Point, target: Path, as_json: bool) -> None:
    """Make a data directory that ends at a point of the past, to look at it with a real server.

    Works beside a running server and changes nothing there. The fork has the same API keys, and time
    goes on in it at the real clock: when a server starts there, what was due by now happens at once.
    Leases run out, delayed jobs come up, jobs expire, finished ones are retired. Keep workers away
    that would do the work again.
    """
    try:
        with output.progress("copying bytes") as advance:
            made = make_fork(
                data_dir,
                target,
                _position_of(data_dir, at),
                now_us=WallClock()(),
                private=PRIVATE_FILES,
                progress=advance,
            )
    except OSError as failed:
        raise output.Problem(f"the fork was not finished: {failed}") from failed
    found: dict[str, object] = {
        "to": str(target),
        "position": made.position,
        "chain": made.chain,
        "segments": made.segments,
        "snapshot": made.snapshot,
        "bytes_copied": made.bytes,
    }
    if as_json:
        output.say_json(found)
    else:
        output.facts("Fork made", found.items())


def _position_of(data_dir: Path, at: Point) -> int:
    """Give the last position that does not lie behind a point; one that is named is not changed."""
    return spoolog.open(data_dir).position(at) if at.position is None else at.position
