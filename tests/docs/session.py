"""A page as a session at a terminal: its commands run in one shell, what they print is compared.

In what a page shows, `…` stands for any text, on a line of its own for any lines, and NAME for a value
that is the same wherever the page says NAME. Blank lines and the width of columns do not count.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.tools.workbench import ROOT

_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- (.*?) -->$", re.MULTILINE | re.DOTALL)
_END: Final = "=== ended with"
_PRELUDE: Final = f"""
spoolog() {{ "{sys.executable}" -m tools.cli "$@"; }}
python() {{ "{sys.executable}" "$@"; }}
"""


class Block(Struct, frozen=True):
    """A fenced block by its language, or a comment by the word `stage`."""

    kind: str
    text: str


def blocks(text: str) -> list[Block]:
    return [
        Block("stage", comment) if comment else Block(kind, inside)
        for kind, inside, comment in _BLOCK.findall(text)
    ]


class Shell:
    """One bash for a whole page; what it exports stays."""

    def __init__(self, directory: Path) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=directory,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.run(_PRELUDE)

    def run(self, script: str) -> str:
        """Run a block to its end; give all that it prints."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f'{script}\necho "{_END} $?"\n')
        self._bash.stdin.flush()
        printed = ""
        for line in self._bash.stdout:
            before, ended, code = line.partition(_END)
            printed += before
            if ended:
                assert int(code) == 0, f"{script}{printed}"
                return printed
        raise AssertionError(f"the shell ended: {script}{printed}")

    def close(self) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.wait()
        assert self._bash.stdout is not None
        self._bash.stdout.close()


def values(shown: str, printed: str, names: Mapping[str, str]) -> dict[str, str]:
    """Compare what was printed with what the page shows; give the values of all names."""
    known = dict(names)
    lines = [_spaced(line) for line in printed.splitlines() if line.strip()]
    at, anywhere = 0, False
    for told in (_spaced(line) for line in shown.splitlines() if line.strip()):
        if told == "…":
            anywhere = True
            continue
        found = None
        while at < len(lines) and found is None:
            found = re.fullmatch(_pattern(told, known), lines[at])
            at += 1
            if not anywhere:
                break
        assert found is not None, f"{told!r} is not in\n{printed}"
        known |= found.groupdict()
        anywhere = False
    assert anywhere or at == len(lines), f"{lines[at:]} is not shown"
    return known


def _spaced(line: str) -> str:
    return re.sub(r"─+", "─", " ".join(line.split()))


def _pattern(told: str, known: dict[str, str]) -> str:
    text = re.escape(told).replace("…", ".*")
    for name in re.findall(r"\b[A-Z]+_ID\b", told):
        text = text.replace(name, re.escape(known.get(name, "")) or rf"(?P<{name}>[0-9a-f-]+)", 1)
    return text
