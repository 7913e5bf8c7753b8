"""The work of the demo: which files there are, and what there is to know of one.

The workers and the direct computation call the same function here; nothing here knows of jobs.
"""

import hashlib
import io
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

_SKIPPED: Final = frozenset({"site-packages", "dist-packages", "__pycache__"})


class Measured(Struct, frozen=True):
    """What a job finds out. `tokens` is nothing where the file is no Python, and `reason` says why."""

    sha256: str
    bytes: int
    lines: int
    tokens: int | None
    reason: str | None = None


def default_folder() -> Path:
    """Give the sources of the running interpreter's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def list_files(folder: Path, limit: int | None) -> list[str]:
    """List the Python files in a folder, as paths inside it, in a fixed order."""
    found = sorted(path.relative_to(folder).as_posix() for path in _walk(folder))
    return found[:limit]


def measure(path: Path) -> Measured:
    """Read a file and count."""
    content = path.read_bytes()
    tokens, reason = _tokens(content)
    return Measured(
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        lines=len(content.splitlines()),
        tokens=tokens,
        reason=reason,
    )


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.py"):
        if path.is_file() and _SKIPPED.isdisjoint(path.relative_to(folder).parts):
            yield path


def _tokens(content: bytes) -> tuple[int | None, str | None]:
    try:
        return sum(1 for _ in tokenize.tokenize(io.BytesIO(content).readline)), None
    except (tokenize.TokenError, SyntaxError, ValueError) as reason:
        # Test data of the library itself: broken on purpose, or in an encoding nobody knows.
        return None, f"{type(reason).__name__}: {reason}"
