"""``spoolog snapshot``: make a snapshot of what is sealed, and tidy the log behind it.

The making is ``server.snapshotting``; this verb parses and prints. It works beside a running server,
which calls it by itself as well.
"""

import os
from pathlib import Path

import click
from msgspec import to_builtins

from eventlog.snapshots import KEPT
from projections.bounds import SECOND_US
from server.clock import WallClock
from server.settings import VERSION
from server.snapshotting import Differs, Made, make
from tools import output
from tools.open import without_gc
from tools.options import data_dir_option, json_option


@click.command()
@data_dir_option
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=KEPT,
    show_default=True,
    help="How many of the newest snapshots stay.",
)
@click.option("--nice", type=click.IntRange(0, 19), default=0, help="Run at a lower priority.")
@json_option
def snapshot(*, data_dir: Path, keep: int, nice: int, as_json: bool) -> None:
    """Make a snapshot, so that the next start replays only what came after it.

    It covers the sealed segments; beside a running server that is all but the newest. It is read
    back and compared before it gets its name. Killed at any moment, it leaves things as they were.
    """
    os.nice(nice)
    with output.progress("folding") as advance, without_gc():
        try:
            made = make(
                data_dir,
                now_us=WallClock()(),
                writer=f"spoolog {VERSION}",
                keep=keep,
                progress=advance,
            )
        except Differs as differs:
            text = "the snapshot, read back, is not what was written; it was not kept"
            raise output.Problem(text) from differs
    if made is None:
        raise output.Misuse(f"no segment of the log in {data_dir} is sealed yet")
    _tell(made, as_json=as_json)


def _tell(made: Made, *, as_json: bool) -> None:
    for text in made.passed_over:
        output.note(text)
    if as_json:
        output.say_json(made)
        return
    facts = to_builtins(made)
    del facts["created_at_us"], facts["elapsed_us"]
    facts["seconds"] = made.elapsed_us / SECOND_US
    output.facts("Snapshot", facts.items())
