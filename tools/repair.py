"""``spoolog log repair``: what is wrong with a damaged log, and the two cures that lose records.

Where the damage is stands in ``eventlog.diagnosis``, how a cut is made in ``eventlog.repair``, and
how history is dropped that a snapshot covers, in ``eventlog.drop``.
"""

import getpass
import os
import shlex
from functools import partial
from pathlib import Path

import click

from eventlog import verify
from eventlog.diagnosis import Damage, Sound
from eventlog.directory import Home
from eventlog.disk import OsDisk
from eventlog.drop import drop_before as drop
from eventlog.drop import droppable, unfinished
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
@click.option(
    "--drop-before",
    type=click.IntRange(min=1),
    help="Give up the history before this position; a snapshot holds what it came to.",
)
@click.option("--accept-data-loss", is_flag=True, help="Needed for either: records are lost.")
@click.option("--reason", default="", help="Why, for repairs.log.")
@json_option
def repair(
    *,
    data_dir: Path,
    cut_at: int | None,
    drop_before: int | None,
    accept_data_loss: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Say what is wrong with a log and what would help; with --drop-before or --cut-at, do it.

    Without options nothing is changed; exit 0 when the log is sound, 1 when it is damaged. A cut is
    possible only at the first damaged record, and history is dropped only when it is damaged and a
    snapshot holds what it came to. What leaves the log is kept in quarantine/, and repairs.log tells
    of it. No server may run.
    """
    if cut_at is not None and drop_before is not None:
        raise output.Misuse("--cut-at and --drop-before are two repairs: do one")
    if cut_at is not None:
        make, lost = partial(cut, data_dir, cut_at), f"from {cut_at} on"
    elif drop_before is not None:
        make, lost = partial(drop, data_dir, drop_before), f"before {drop_before}"
    else:
        _tell_state(data_dir, as_json=as_json)
        return
    if not accept_data_loss:
        raise output.Misuse(f"the records {lost} will be lost; say so with --accept-data-loss")
    try:
        with output.progress("looking for the damage") as advance:
            made = make(
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
            "unfinished_repair": _begun(data_dir),
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
    drop = droppable(OsDisk(), Home(data_dir), found)
    if drop is not None:
        loss = _loss(drop.first, drop.records, drop.bytes)
        state = f"no state: {drop.snapshot.path.name} holds it; of history {loss}"
        helps.append((_command(data_dir, f"--drop-before {drop.start.first}"), state))
    if found.position and found.served:
        loss = _loss(found.position, found.records, found.bytes)
        helps.append((_command(data_dir, f"--cut-at {found.position}"), loss))
    return helps


def _command(data_dir: Path, how: str) -> str:
    return f"spoolog log repair --data-dir {shlex.quote(str(data_dir))} {how} --accept-data-loss"


def _loss(position: int, records: int, size: int) -> str:
    return (
        f"{output.shown(records)} records, {position} to {position + records - 1}"
        f" ({output.shown(size)} bytes, which are kept in quarantine/)"
    )


def _begun(data_dir: Path) -> str | None:
    """Say how to finish a repair that was interrupted when the log was sound already."""
    begun = unfinished(OsDisk(), Home(data_dir))
    return None if begun is None else _command(data_dir, f"--drop-before {begun.position}")


def _tell_repair(data_dir: Path, made: Repair, *, as_json: bool) -> None:
    sound = verify(data_dir)
    found: dict[str, object] = {
        "ok": True,
        "first": sound.first,
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
        output.facts("Repaired: the log is sound", found.items())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return f"uid {os.getuid()}"
