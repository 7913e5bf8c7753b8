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
_NAME: Final = re.compile(r"\b[A-Z]+_ID\b")
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


def filled(text: str, names: Mapping[str, str]) -> str:
    """Put the values of names in their place."""
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def values(shown: str, printed: str, names: Mapping[str, str]) -> dict[str, str]:
    """Compare what was printed with what the page shows; give the values of all names."""
    told = filled(shown, names)
    pattern = "".join(_pattern(line) for line in _lines(told))
    for name in set(_NAME.findall(told)):
        before, *behind = pattern.split(name)
        pattern = f"{before}(?P<{name}>[0-9a-f-]+)" + f"(?P={name})".join(behind)
    text = "".join(f"{line}\n" for line in _lines(printed))
    found = re.fullmatch(pattern, text)
    assert found is not None, f"the page shows\n{shown}\nthe command printed\n{printed}"
    return {**names, **found.groupdict()}


def _lines(text: str) -> list[str]:
    """Give the lines that say something, their columns one space apart."""
    spaced = (" ".join(line.split()) for line in text.splitlines())
    return [re.sub(r"─+", "─", line) for line in spaced if line]


def _pattern(line: str) -> str:
    """Give the pattern of a line of the page."""
    if line == "…":
        return r"(?:.*\n)*?"
    return re.escape(line).replace("…", ".*") + r"\n"
