"""``spoolog demo``: options, the order of the runs, and their tables."""

import importlib.util
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from tools import output
from tools.children import ending_on_sigterm
from tools.demo.files import default_folder, list_files
from tools.options import json_option

_NO_SDK = "the demo needs the official SDK: pip install 'spoolog[demo]' (or: pip install spooled)"
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--path", "folder", type=_FOLDER, help="Folder with Python files; else the stdlib.")
@click.option("--workers", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="At most this many files.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep both data directories."
)
@json_option
def demo(
    folder: Path | None, workers: int, limit: int | None, keep: Path | None, as_json: bool
) -> None:
    """Process a folder of Python files with real workers, then again with the server killed.

    Exit 1 when a result is not the one computed directly, or an acknowledged completion is missing.
    """
    if importlib.util.find_spec("spooled") is None:
        raise output.Misuse(_NO_SDK)
    folder = (folder or default_folder()).resolve()
    paths = list_files(folder, limit)
    if not paths:
        raise output.Misuse(f"there is no Python file in {folder}")
    with ending_on_sigterm(), _home(keep) as home:
        found = _runs(folder, paths, workers, Path(home))
    if as_json:
        output.say_json(found)
    else:
        output.facts(f"First run: the Python files of {folder}", found["first"].items())
        output.facts("Second run: server killed halfway and restarted", found["second"].items())
    wrong = found["first"]["mismatches"] + found["second"]["mismatches"]
    if wrong:
        raise output.Problem(f"{wrong} mismatches")


def _runs(folder: Path, paths: list[str], workers: int, home: Path) -> dict[str, Any]:
    # Imported here: without the SDK there is a message instead of a trace.
    from tools.demo.direct import compute  # noqa: PLC0415
    from tools.demo.run import Plan, undisturbed, with_a_crash  # noqa: PLC0415

    plan = Plan(folder, compute(folder, paths, workers), workers)
    found = {}
    for name, run in (("first", undisturbed), ("second", with_a_crash)):
        place = home / name
        place.mkdir(parents=True)
        found[name] = run(plan, place)
    return found


def _home(keep: Path | None) -> AbstractContextManager[str | Path]:
    if keep is None:
        return tempfile.TemporaryDirectory(prefix="spoolog-demo-")
    if keep.exists() and any(keep.iterdir()):
        raise output.Misuse(f"{keep} is not empty")
    return nullcontext(keep.absolute())
