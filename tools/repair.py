"""``spoolog log repair``: what is wrong with a damaged log, and the one cure that loses records.

Where the damage is stands in ``eventlog.diagnosis``, how a cut is made in ``eventlog.repair``.
"""

import getpass
import os
import shlex
from pathlib import Path

import click

from eventlog import verify
from eventlog.diagnosis import Damage, Sound
from eventlog.directory import Home
from eventlog.disk import OsDisk
from eventlog.repair import cut, examine
from eventlog.repairs import Repair, repairs
from server.clock import WallClock
from tools import output
from tools.options import data_dir_option, json_option


@click.command()
@data_dir_option
@click.option(
    "--cut-at", type=click.IntRange(min=1), help="Give up the records from this position on."
)
@click.option("--accept-data-loss", is_flag=True, help="Needed to cut: those records are lost.")
@click.option("--reason", default="", help="Why, for repairs.log.")
@json_option
def repair(
    *, data_dir: Path, cut_at: int | None, accept_data_loss: bool, reason: str, as_json: bool
) -> None:
    """Say what is wrong with a log and what would help; with --cut-at, cut it there.

    Without options nothing is changed; exit 0 when the log is sound, 1 when it is damaged. A cut is
    possible only at the first damaged record. What is cut is kept in quarantine/, and repairs.log
    tells of it. No server may run.
    """
    if cut_at is None:
        _tell_state(data_dir, as_json=as_json)
        return
    if not accept_data_loss:
        raise output.Misuse(
            f"the records from {cut_at} on will be lost; say so with --accept-data-loss"
        )
    try:
        with output.progress("looking for the damage") as advance:
            made = cut(
                data_dir,
                cut_at,
                now_us=WallClock()(),
                reason=reason,
                user=_user(),
                progress=lambda position: advance(position, None),
            )
    except OSError as failed:
        raise output.Problem(
            f"the repair was not finished: {failed}; the same command goes on with it"
        ) from failed
    _tell_repair(data_dir, made, as_json=as_json)


def told(data_dir: Path) -> list[str]:
    """Say what repairs a log has been through."""
    return [str(one) for one in repairs(OsDisk(), Home(data_dir))]


def _tell_state(data_dir: Path, *, as_json: bool) -> None:
    with output.progress("looking for damage") as advance:
        found = examine(
            data_dir, now_us=WallClock()(), progress=lambda position: advance(position, None)
        )
    if isinstance(found, Sound):
        rows: dict[str, object] = {
            "ok": True,
            "records": found.last,
            "unfinished_write": None if found.torn is None else str(found.torn),
            "repairs": told(data_dir),
        }
        if as_json:
            output.say_json(rows)
        else:
            output.facts("Sound: there is nothing to repair", rows.items())
        return
    rows = _described(found)
    helps = list(_helps(data_dir, found))
    if as_json:
        output.say_json(rows | {"helps": [{"command": one, "loses": what} for one, what in helps]})
    else:
        output.facts("Damaged; nothing was changed", rows.items())
        for command, loses in helps:
            click.echo(f"{command}\n    loses {loses}")
    raise output.Problem(str(found.error))


def _described(found: Damage) -> dict[str, object]:
    error = found.error
    return {
        "ok": False,
        "file": str(error.file),
        "byte": error.offset,
        "line": error.line,
        "position": error.position,
        "reason": error.reason,
        "last_good": error.last_good,
        "known_synced": found.mark.position,
        "last_known": found.last,
    }


def _helps(data_dir: Path, found: Damage) -> list[tuple[str, str]]:
    """List commands that would help, and what each would lose; the best first."""
    file = found.restorable
    target = shlex.quote(str(file))
    source = f"BACKUP/{shlex.quote(str(file.relative_to(data_dir)))}"
    helps = [(f"cp -f {source} {target}", "nothing, if the backup holds that file whole")]
    if found.position:
        command = (
            f"spoolog log repair --data-dir {shlex.quote(str(data_dir))}"
            f" --cut-at {found.position} --accept-data-loss"
        )
        helps.append((command, _loss(found.position, found.records, found.bytes)))
    return helps


def _loss(position: int, records: int, size: int) -> str:
    return (
        f"{output.shown(records)} records, {position} to {position + records - 1}"
        f" ({output.shown(size)} bytes, which are kept in quarantine/)"
    )


def _tell_repair(data_dir: Path, made: Repair, *, as_json: bool) -> None:
    sound = verify(data_dir)
    found: dict[str, object] = {
        "ok": True,
        "last": sound.last,
        "chain": sound.chain_hex,
        "records_lost": made.records,
        "bytes_lost": made.bytes,
        "quarantine": [str(Home(data_dir).quarantine / file.file) for file in made.files],
        "on_record": str(Home(data_dir).repairs),
    }
    if as_json:
        output.say_json(found)
    else:
        output.facts("Repaired: the log is sound and shorter", found.items())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return f"uid {os.getuid()}"
