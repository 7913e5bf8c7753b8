"""``spoolog replay``: fold the log, and what a folded log can be asked.

Which question is asked, and which options go with it; each has a module of its own: ``tools.refold``,
``tools.step``, ``tools.diff``, ``tools.whatif``.
"""

from collections.abc import Mapping
from typing import Any, Final

import click
from click.core import ParameterSource

from tools import diff, output, refold, step, whatif
from tools.options import PointType, data_dir_option, env_name, json_option

_FOLD: Final = "fold"
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    _FOLD: frozenset({"until", "at", "from_snapshot", "check", "url", "api_key"}),
    "step": frozenset({"job", "queue", "start", "until"}),
    "between": frozenset({"queue", "limit"}),
    "what_if": frozenset({"queue", "start", "until", "limit"}),
}
"""The questions, by the name of the option that asks them, and the other options that each takes."""


@click.command()
@data_dir_option
@click.option("--until", type=PointType(), help="Fold up to this position or time.")
@click.option("--at", type=PointType(), help="As --until, from the nearest snapshot.")
@click.option(
    "--from-snapshot", is_flag=True, help="Begin with the nearest snapshot, not from scratch."
)
@click.option("--check", is_flag=True, help="Also compare; exit 1 if anything differs.")
@click.option("--url", envvar=env_name("url"), help="With --check: a server to compare with.")
@click.option("--api-key", envvar=env_name("api_key"), help="Key for it; else <data-dir>/api-key.")
@click.option("--step", is_flag=True, help="Go through the history of --job or --queue.")
@click.option(
    "--diff",
    "between",
    nargs=2,
    type=PointType(),
    metavar="A B",
    help="Tell what is different at B, compared with A; each a position or a time.",
)
@click.option(
    "--what-if",
    metavar="NAME=VALUE,…",
    help=f"Decide the recorded work anew under other rules: {', '.join(whatif.ASKABLE)}.",
)
@click.option("--from", "start", type=PointType(), help="With --step or --what-if: begin there.")
@click.option("--job", help="With --step: this job.")
@click.option("--queue", help="With --step, --diff or --what-if: this queue only.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=diff.LISTED_DEFAULT,
    show_default=True,
    help="With --diff or --what-if: list so many jobs; the counts are of all.",
)
@json_option
def replay(**given: Any) -> None:
    """Fold the log and show what it adds up to: jobs by status, rate, digest.

    With --check, the indexes that grew with the folding are compared with ones built anew, every
    snapshot with the state at its position, and with --url also the digest of a running server at
    its own position. Exit 1 when anything differs.

    With --step, each record that tells of a job or a queue is shown with what it changed. With
    --diff, what is different between two points. With --what-if, what the recorded work would have
    come to under other retry rules: a model, which says what it does not know.
    """
    data_dir, as_json = given["data_dir"], given["as_json"]
    queue, limit = given["queue"], given["limit"]
    start, until = given["start"], given["until"]
    match _mode(click.get_current_context()):
        case "step":
            step.tell(data_dir, given["job"], queue, start, until, as_json=as_json)
        case "between":
            diff.tell(data_dir, given["between"], queue, limit, as_json=as_json)
        case "what_if":
            whatif.tell(
                data_dir,
                given["what_if"],
                queue,
                start=start,
                until=until,
                limit=limit,
                as_json=as_json,
            )
        case _:
            refold.tell(
                data_dir,
                until,
                given["at"],
                from_snapshot=given["from_snapshot"],
                check=given["check"],
                url=given["url"],
                api_key=given["api_key"],
                as_json=as_json,
            )


def _mode(ctx: click.Context) -> str:
    """Give what is asked for, by the name of its option.

    Raises:
        Misuse: two things at once, or an option that says nothing there.

    """
    flags = {str(param.name): param.opts[0] for param in ctx.command.params}
    named = {
        name for name in flags if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    chosen = [mode for mode in _TAKES if mode in named]
    if len(chosen) > 1:
        raise output.Misuse(f"{flags[chosen[0]]} and {flags[chosen[1]]} are two questions")
    mode = chosen[0] if chosen else _FOLD
    takes = _TAKES[mode] | {mode, "data_dir", "as_json"}
    stray = [flag for name, flag in flags.items() if name in named and name not in takes]
    if stray:
        with_what = f"with {flags[mode]}" if chosen else "by itself"
        raise output.Misuse(f"{stray[0]} says nothing {with_what}")
    return mode
