"""``spoolog log archive``: a backup of the data directory, beside a running server.

What is copied, in which order, and when it is refused stands in ``eventlog.backup``.
"""

from pathlib import Path
from typing import Final

import click

from eventlog.backup import archive as make_archive
from server.access import PRIVATE_FILES
from server.clock import WallClock, monotonic_us
from server.signing import SIGNING_KEY_FILE
from tools import output
from tools.children import elapsed_secs
from tools.options import data_dir_option, json_option

_PRIVATE: Final = (*PRIVATE_FILES, SIGNING_KEY_FILE)


@click.command()
@data_dir_option
@click.option(
    "--to",
    "target",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory of the backup; made when it is missing, extended when it is there.",
)
@click.option("--check", is_flag=True, help="Read again what the backup already holds.")
@json_option
def archive(data_dir: Path, target: Path, check: bool, as_json: bool) -> None:
    """Copy the log, its newest snapshots and the keys; the copy is a data directory itself.

    Works beside a running server. Run again with the same directory, it copies what is new. Exit 1
    when the log is damaged: then the backup is left as it was.
    """
    began_us = monotonic_us()
    try:
        with output.progress("copying bytes") as advance:
            made = make_archive(
                data_dir,
                target,
                now_us=WallClock()(),
                check=check,
                private=_PRIVATE,
                progress=advance,
            )
    except OSError as failed:
        raise output.Problem(f"the backup was not finished: {failed}") from failed
    found: dict[str, object] = {
        "to": str(target),
        "position": made.position,
        "chain": made.chain,
        "segments_copied": made.segments_copied,
        "segments_kept": made.segments_kept,
        "snapshots": made.snapshots,
        "bytes_copied": made.bytes,
        "seconds": round(elapsed_secs(began_us), 3),
    }
    if as_json:
        output.say_json(found)
    else:
        output.facts("Backup made", found.items())
