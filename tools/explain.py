"""``spoolog explain JOB_ID``: why a job is, or was, where it is.

The words and fields are those of ``GET /api/v1/jobs/{id}/explain``, made by the same code.
"""

from pathlib import Path

import click
from msgspec import structs

from projections.state import State
from server.clock import WallClock
from server.http.views.explain import explained
from spoolog import Point
from tools import output
from tools.options import data_dir_option, json_option
from tools.state import at_option, job_in, moment, state_at


@click.command()
@click.argument("job_id")
@data_dir_option
@at_option
@json_option
def explain(job_id: str, *, data_dir: Path, at: Point | None, as_json: bool) -> None:
    """Tell why a job waits, who has it, how many are before it: now, or at any moment.

    The answer of GET /api/v1/jobs/{id}/explain, read from the log; works beside a running server and
    changes nothing. With a position, the moment is that of its record. Exit 1 if the job is not
    there.
    """
    state = state_at(data_dir, at)
    told = explained(state, job_in(state, job_id), _now_us(state, at))
    if as_json:
        output.say_json(told)
        return
    facts = structs.asdict(told)
    reasons = facts.pop("reasons")
    output.facts(f"Job at {moment(state)}", facts.items())
    output.rows(
        "Reasons",
        ["reason", "message", "since", "until", "by", "job", "limit"],
        [structs.astuple(reason) for reason in reasons],
    )


def _now_us(state: State, at: Point | None) -> int:
    """Give the moment that is spoken of; the log's own time never goes back."""
    if at is None:
        return max(WallClock()(), state.tables.at)
    return state.tables.at if at.at_us is None else at.at_us
