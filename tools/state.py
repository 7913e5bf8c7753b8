"""``spoolog state``: queues and jobs as they were at a point of the log, or as they are at its end.

Which jobs match and in which order is the same search as the server's. ``spoolog`` gives the
state; nothing here reads the log.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import ValidationError, convert, json, structs

import spoolog
from projections.bounds import PAGE_JOBS_DEFAULT, PAGE_JOBS_MAX
from projections.entities import Job
from projections.events import DEFAULT_ORG
from projections.lifecycle import Status
from projections.moments import to_text, to_text_or_none
from projections.queries.jobs import ORDERS, find
from projections.queries.listing import listing
from projections.specs import JobListQuery
from projections.state import State
from server.http.views import jobs as views
from spoolog import Point
from tools import output
from tools.options import PointType, data_dir_option, json_option

F = TypeVar("F", bound=Callable[..., Any])
_ORDER_NAMES: Final = sorted(ORDERS)
_COLUMNS: Final = (
    "id",
    "queue_name",
    "status",
    "priority",
    "retry_count",
    "job_type",
    "created_at",
    "started_at",
    "completed_at",
    "last_error",
)
"""what people see of a summary"""


def at_option(command: F) -> F:
    """Give a verb the point in the log that it speaks of."""
    text = "As of this position or time; else the end of the log."
    return click.option("--at", type=PointType(), help=text)(command)


def state_at(data_dir: Path, at: Point | None) -> State:
    """Fold the log up to a point, and tell on standard error how."""
    history = spoolog.open(data_dir)
    total = history.last_known
    if at is not None and at.position is not None:
        total = at.position
    with output.progress("folding", total) as advance:
        folded = history.fold(at, lambda position: advance(position, total))
    for text in folded.passed_over:
        output.note(text)
    began = f"the snapshot at {folded.began_at}" if folded.began_at else "the log's beginning"
    output.note(f"Began from {began} and folded {folded.records:,} records: {moment(folded.state)}")
    return folded.state


def moment(state: State) -> str:
    """Say which point a state is of."""
    return f"position {state.position}, {_time(state)}" if state.position else "position 0"


def job_in(state: State, job_id: str) -> Job:
    """Give a job.

    Raises:
        Problem: there is none.

    """
    job = state.job(DEFAULT_ORG, job_id)
    if job is None:
        raise output.Problem(
            f"there is no job {job_id!r} at {moment(state)};"
            " `spoolog history` tells of one that came later or is gone"
        )
    return job


@click.group("state")
@at_option
@click.pass_context
def state(ctx: click.Context, at: Point | None) -> None:
    """Show queues and jobs as they are at the end of the log, or were at any moment.

    Works beside a running server and changes nothing. What it began from, and how many records were
    folded, is told on standard error.
    """
    ctx.obj = at


@state.command()
@data_dir_option
@at_option
@json_option
@click.pass_obj
def queues(before: Point | None, /, *, data_dir: Path, at: Point | None, as_json: bool) -> None:
    """Show the queues: jobs by status, whether paused, since when the oldest job waits."""
    found = state_at(data_dir, at or before)
    listed = queues_of(found)
    if as_json:
        output.say_json({"position": found.position, "at": _time(found), "queues": listed})
        return
    statuses = [status.value for status in Status]
    output.rows(
        f"Queues at {moment(found)}",
        ["queue", *statuses, "paused", "oldest waiting", "its job"],
        [
            (
                one["queue_name"],
                *one["jobs"].values(),
                one["paused_at"],
                one["oldest_waiting_at"],
                one["oldest_waiting_job"],
            )
            for one in listed
        ],
    )


def queues_of(state: State) -> list[dict[str, Any]]:
    """Give the queues by name; one that was deleted counts while there are jobs in it."""
    names = {queue.name for queue in state.queues(DEFAULT_ORG)}
    names.update(state.shelves.get(DEFAULT_ORG, ()))
    return [_queue(state, name) for name in sorted(names)]


def _queue(state: State, name: str) -> dict[str, Any]:
    queue, shelf = state.queue(DEFAULT_ORG, name), state.shelf(DEFAULT_ORG, name)
    oldest = shelf.oldest_waiting()
    return {
        "queue_name": name,
        "jobs": {status.value: shelf.count(status) for status in Status},
        "paused_at": None if queue is None else to_text_or_none(queue.paused_at),
        "paused_by": None if queue is None else queue.paused_by,
        "paused_reason": None if queue is None else queue.paused_reason,
        "oldest_waiting_at": None if oldest is None else to_text(oldest.created_at),
        "oldest_waiting_job": None if oldest is None else oldest.id,
    }


@state.command()
@click.option("--status", help="Only jobs of this status, or of several with commas between.")
@click.option("--queue", "queue_name", help="Only jobs of this queue.")
@click.option("--tag", help="Only jobs with this tag.")
@click.option("--job-type", help="Only jobs whose payload names this type.")
@click.option("--contains", help="Only jobs with this text in their payload.")
@click.option("--error", help="Only jobs with this text in their last error, in any case.")
@click.option("--error-signature", help="Only jobs whose last error is of this kind.")
@click.option("--q", help="Only jobs whose id begins so, or whose queue or type holds this text.")
@click.option("--created-after", metavar="TIME", help="Only jobs created then or later.")
@click.option("--created-before", metavar="TIME", help="Only jobs created before it.")
@click.option(
    "--order-by", type=click.Choice(_ORDER_NAMES), default="created_at", show_default=True
)
@click.option("--order-dir", type=click.Choice(["asc", "desc"]), default="desc", show_default=True)
@click.option(
    "--limit",
    type=click.IntRange(1, PAGE_JOBS_MAX),
    default=PAGE_JOBS_DEFAULT,
    show_default=True,
)
@click.option("--offset", type=click.IntRange(min=0), default=0, show_default=True)
@data_dir_option
@at_option
@json_option
@click.pass_obj
def jobs(
    before: Point | None, /, *, data_dir: Path, at: Point | None, as_json: bool, **filters: Any
) -> None:
    """List jobs, with the filters and orders of GET /api/v1/jobs."""
    given = {name: value for name, value in filters.items() if value not in {None, ""}}
    try:
        asked = convert(given, JobListQuery)
    except ValidationError as reason:
        raise output.Misuse(str(reason)) from reason
    found = state_at(data_dir, at or before)
    wanted = listing(asked, asked.status)
    page = find(found, DEFAULT_ORG, wanted, lambda _: True)
    listed = [views.summary(job) for job in page.jobs]
    if as_json:
        told = {"jobs": listed, "has_more": page.has_more}
        output.say_json({"position": found.position, "at": _time(found)} | told)
        return
    output.rows(
        f"Jobs at {moment(found)}",
        [name.replace("_", " ") for name in _COLUMNS],
        [[getattr(one, name) for name in _COLUMNS] for one in listed],
    )
    if page.has_more:
        output.note(f"More follow: --offset {wanted.offset + len(listed)}")


@state.command()
@click.argument("job_id")
@data_dir_option
@at_option
@json_option
@click.pass_obj
def job(
    before: Point | None, /, job_id: str, *, data_dir: Path, at: Point | None, as_json: bool
) -> None:
    """Show all of one job, its payload as it is stored; exit 1 if it is not there."""
    found = state_at(data_dir, at or before)
    detail = views.job(job_in(found, job_id))
    if as_json:
        click.echo(json.encode(detail))  # not indented: documents stay as they are stored
        return
    told = structs.asdict(detail)
    for name in ("payload", "result", "tags"):
        told[name] = None if told[name] is None else bytes(told[name]).decode()
    output.facts(f"Job at {moment(found)}", told.items())


def _time(state: State) -> str | None:
    return to_text(state.tables.at) if state.position else None
