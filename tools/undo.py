"""``spoolog undo POS``: asks a running server to take back what a record did, or what would go back.

Only the server writes to the log; what it answers is told here in words.
"""

from pathlib import Path
from typing import Any, Final

import click

from tools import output
from tools.client import key_of, post_json
from tools.options import data_dir_option, env_name, json_option

_TIMEOUT_SECS: Final = 3_600
"""A million jobs take their time."""


@click.command()
@click.argument("position", type=click.IntRange(min=1))
@click.option("--dry-run", is_flag=True, help="Tell what would go back, and change nothing.")
@click.option(
    "--url",
    default="http://127.0.0.1:8080",
    envvar=env_name("url"),
    show_default=True,
    help="The server.",
)
@click.option(
    "--api-key", envvar=env_name("api_key"), help="Default: the one in the data directory."
)
@data_dir_option
@json_option
def undo(
    position: int,
    *,
    dry_run: bool,
    url: str,
    api_key: str | None,
    data_dir: Path,
    as_json: bool,
) -> None:
    """Take back what the record at POSITION did, with the whole action it is part of.

    New events say that it was taken back; the log is never rewritten. Each job and queue goes back
    only if nothing has happened to it since. Exit 1 when something could not go back.
    """
    made = post_json(
        url,
        "/api/v1/log/undo",
        key_of(data_dir, api_key),
        {"position": position, "dry_run": dry_run},
        timeout_secs=_TIMEOUT_SECS,
    )
    if as_json:
        output.say_json(made)
    else:
        _tell(made)
    if made["cannot"]:
        verb = "cannot" if dry_run else "could not"
        raise output.Problem(f"{made['cannot']} of {_all(made)} {verb} be taken back")


def _tell(made: dict[str, Any]) -> None:
    facts = [
        ("what", made["what"]),
        ("at", made["at"]),
        ("by", made["by"]),
        ("would go back" if made["dry_run"] else "went back", made["undone"]),
        ("stay as they are", made["cannot"]),
    ]
    if made["records"]:
        facts += [("new records", made["records"]), ("first at", made["positions"][0])]
    output.facts(f"Record {made['position']}", facts)
    if made["refused"]:
        output.rows(
            "Cannot go back",
            ["job", "queue", "reason"],
            [(one["job_id"], one["queue"], one["reason"]) for one in made["refused"]],
        )
    if made["dry_run"]:
        output.note("Nothing was changed.")


def _all(made: dict[str, Any]) -> int:
    undone: int = made["undone"]
    cannot: int = made["cannot"]
    return undone + cannot
