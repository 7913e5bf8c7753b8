"""``spoolog bench``: the verbs and their options. What is measured stands in the other modules."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from projections.bounds import SECOND_US
from tools import output
from tools.bench import claim as claim_bench
from tools.bench import create as create_bench
from tools.bench import dashboards as dashboards_bench
from tools.bench import gen as gen_bench
from tools.bench import lists as lists_bench
from tools.bench import memory as memory_bench
from tools.bench import read as read_bench
from tools.bench import replay as replay_bench
from tools.bench import restart as restart_bench
from tools.bench.report import Figure, tell
from tools.bench.screens import SCREENS
from tools.children import ending_on_sigterm
from tools.options import data_dir_option, json_option

_SECONDS = click.option("--seconds", type=click.FloatRange(min=0.1), default=3.0, show_default=True)
_CONNECTIONS = click.option(
    "--connections", type=click.IntRange(1, 1_000), default=64, show_default=True
)
_ROUNDS = click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
_EVENTS = click.option("--events", type=click.IntRange(min=100), default=300_000, show_default=True)
_JOBS = click.option("--jobs", type=click.IntRange(min=1_000), default=500_000, show_default=True)
_CLAIMS = click.option("--claims", type=click.IntRange(min=10), default=5_000, show_default=True)


@click.group()
def bench() -> None:
    """Measure this machine against the targets; exit 1 when one is missed."""


@bench.command()
@_SECONDS
@_CONNECTIONS
@_ROUNDS
@json_option
def create(seconds: float, connections: int, rounds: int, as_json: bool) -> None:
    """Durable creates over HTTP, as a share of what a bare aiohttp echo does."""
    _report(lambda: [create_bench.measure(seconds, connections, rounds)], as_json=as_json)


@bench.command()
@_JOBS
@_CLAIMS
@json_option
def claim(jobs: int, claims: int, as_json: bool) -> None:
    """Claims from a long queue, compared with claims from a short one."""
    _report(lambda: [claim_bench.measure(jobs, claims)], as_json=as_json)


@bench.command()
@_EVENTS
@json_option
def replay(events: int, as_json: bool) -> None:
    """Events a second at a restart."""
    _report(lambda: [replay_bench.measure(events)], as_json=as_json)


@bench.command()
@_EVENTS
@json_option
def restart(events: int, as_json: bool) -> None:
    """Start from a snapshot, and compare with a start from the log."""
    _report(lambda: [restart_bench.measure(events)], as_json=as_json)


@bench.command()
@_JOBS
@json_option
def memory(jobs: int, as_json: bool) -> None:
    """Memory of a waiting job."""
    _report(lambda: [memory_bench.measure(jobs)], as_json=as_json)


@bench.command()
@click.option("--jobs", type=click.IntRange(min=1_000), default=1_000_000, show_default=True)
@click.option("--requests", type=click.IntRange(min=10), default=200, show_default=True)
@json_option
def lists(jobs: int, requests: int, as_json: bool) -> None:
    """Pages of a long job list, by every filter and order."""
    _report(lambda: lists_bench.measure(jobs, requests), as_json=as_json)


@bench.command()
@click.option("--jobs", type=click.IntRange(min=1_000), default=1_000_000, show_default=True)
@click.option("--events-per-sec", type=click.IntRange(min=3), default=1_000, show_default=True)
@click.option("--dashboards", type=click.IntRange(1, 1_000), default=10, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True)
@_ROUNDS
@click.option(
    "--screen",
    "screens",
    type=click.Choice(list(SCREENS)),
    multiple=True,
    default=list(SCREENS),
    help="Which to keep open; all of them, one after the other, when left out.",
)
@json_option
def dashboards(
    *,
    jobs: int,
    events_per_sec: int,
    dashboards: int,
    seconds: float,
    rounds: int,
    screens: Sequence[str],
    as_json: bool,
) -> None:
    """Time that open dashboards take of a server with many jobs under load."""
    asked = dashboards_bench.Asked(jobs, events_per_sec, dashboards, seconds, rounds)
    _report(lambda: dashboards_bench.measure(asked, screens), as_json=as_json)


@bench.command()
@data_dir_option
@click.option("--events", type=click.IntRange(min=1), default=1_000_000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--snapshots",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="How many to make on the way, evenly apart.",
)
@json_option
def gen(*, data_dir: Path, events: int, seed: int, snapshots: int, as_json: bool) -> None:
    """Write a new data directory with made-up traffic of this many events, or a few more.

    The same seed gives the same log. It can be read, replayed and served like any other.
    """
    with ending_on_sigterm(), output.progress("writing events", events) as advance:
        written = gen_bench.write(data_dir, events, seed=seed, snapshots=snapshots, advance=advance)
    found = {
        "data_dir": str(data_dir),
        "events": written.events,
        "records": written.records,
        "seed": written.seed,
        "seconds": round(written.elapsed_us / SECOND_US, 2),
        "events_per_second": round(written.events * SECOND_US / written.elapsed_us),
    }
    if as_json:
        output.say_json(found)
    else:
        output.facts("Data directory written", found.items())


@bench.command()
@data_dir_option
@json_option
def read(data_dir: Path, as_json: bool) -> None:
    """Verify, filter and fold a data directory that `bench gen` made: time and memory of each."""
    _report(lambda: read_bench.measure(data_dir), as_json=as_json)


@bench.command("all")
@_SECONDS
@_CONNECTIONS
@_ROUNDS
@_JOBS
@_CLAIMS
@_EVENTS
@json_option
def everything(
    *,
    seconds: float,
    connections: int,
    rounds: int,
    jobs: int,
    claims: int,
    events: int,
    as_json: bool,
) -> None:
    """All of them, one after the other."""
    _report(
        lambda: [
            create_bench.measure(seconds, connections, rounds),
            replay_bench.measure(events),
            restart_bench.measure(events),
            memory_bench.measure(jobs),
            claim_bench.measure(jobs, claims),
        ],
        as_json=as_json,
    )


def _report(measure: Callable[[], list[Figure]], *, as_json: bool) -> None:
    with ending_on_sigterm():
        figures = measure()
    tell(figures, as_json=as_json)
