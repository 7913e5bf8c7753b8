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
from server import housekeeping
from server.clock import WallClock
from server.duration import FOR_EVER, Duration
from server.settings import VERSION
from server.snapshotting import Differs, Made, make
from spoolog.folding import without_gc
from tools import output
from tools.options import DurationType, data_dir_option, json_option


@click.command()
@data_dir_option
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=KEPT,
    show_default=True,
    help="How many of the newest snapshots stay.",
)
@click.option("--compress-log", is_flag=True, help="Then compress sealed segments.")
@click.option(
    "--keep-log",
    type=DurationType(),
    default=FOR_EVER,
    show_default=True,
    help="Then remove older segments that two snapshots cover.",
)
@click.option("--nice", type=click.IntRange(0, 19), default=0, help="Run at a lower priority.")
@json_option
def snapshot(
    *, data_dir: Path, keep: int, compress_log: bool, keep_log: Duration, nice: int, as_json: bool
) -> None:
    """Make a snapshot, so that the next start replays only what came after it.

    It covers the sealed segments; beside a running server that is all but the newest. It is read
    back and compared before it gets its name. Killed at any moment, it leaves things as they were.
    """
    os.nice(nice)
    now_us = WallClock()()
    with output.progress("folding") as advance, without_gc():
        try:
            made = make(
                data_dir,
                now_us=now_us,
                writer=f"spoolog {VERSION}",
                keep=keep,
                progress=advance,
            )
        except Differs as differs:
            text = "the snapshot, read back, is not what was written; it was not kept"
            raise output.Problem(text) from differs
    if made is None:
        raise output.Misuse(f"no segment of the log in {data_dir} is sealed yet")
    hashed = housekeeping.keep_hashes(data_dir)
    compressed = housekeeping.compress(data_dir) if compress_log else []
    expired = _expired(data_dir, now_us, keep_log)
    facts = {"hashed": hashed, "compressed": [part.path.name for part in compressed]}
    _tell(made, facts | {"expired": expired}, as_json=as_json)


def _expired(data_dir: Path, now_us: int, keep_log: Duration) -> list[str]:
    if keep_log.us is None:
        return []
    gone = housekeeping.expire_older(data_dir, now_us - keep_log.us)
    return [part.path.name for part in gone.segments]


def _tell(made: Made, tidied: dict[str, object], *, as_json: bool) -> None:
    for text in made.passed_over:
        output.note(text)
    facts = to_builtins(made) | tidied
    if as_json:
        output.say_json(facts)
        return
    del facts["created_at_us"], facts["elapsed_us"]
    facts["seconds"] = made.elapsed_us / SECOND_US
    output.facts("Snapshot", facts.items())
