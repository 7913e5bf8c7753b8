"""What the fault tests counted: printed (see it with pytest -s) and kept for those who ask.

With SPOOLOG_FIGURES=path every report also goes into that JSON file: an object of suites, each an
object of its figures; the newest report of a suite replaces the one before.
"""

import fcntl
import os
from pathlib import Path

import msgspec

Figure = int | float | str


def report(suite: str, **figures: Figure) -> None:
    """Tell what a suite counted."""
    told = ", ".join(f"{name}={figure}" for name, figure in figures.items())
    print(f"\n[{suite}] {told}")  # noqa: T201  it is what the function is for
    if path := os.environ.get("SPOOLOG_FIGURES"):
        _keep(Path(path), suite, figures)


def _keep(path: Path, suite: str, figures: dict[str, Figure]) -> None:
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # suites may run in processes of their own
        file.seek(0)
        kept = msgspec.json.decode(file.read() or b"{}", type=dict[str, dict[str, Figure]])
        kept[suite] = figures
        file.truncate(0)
        file.write(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
