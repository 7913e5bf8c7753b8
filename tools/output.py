"""How verbs speak: tables and progress bars for people, JSON for programs, one message at an end.

Results go to standard output; progress, warnings and refusals to standard error. Nothing here knows
what is being told.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click
from msgspec import json
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Advance = Callable[[int, int | None], None]
"""Hears how much is done, and of how much where that is known."""


_FILE_WIDTH: Final = 1_000


class Problem(click.ClickException):
    """Something was found that is not as it should be."""

    exit_code = 1


class Misuse(click.ClickException):
    """What was asked cannot be done here."""

    exit_code = 2


def say_json(value: object) -> None:
    """Print a document for programs."""
    click.echo(json.format(json.encode(value), indent=2))


def note(text: str) -> None:
    """Tell a person something beside the result."""
    click.echo(text, err=True)


def facts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print names and values."""
    table = Table(show_header=False, box=box.SIMPLE_HEAD)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(shown(value)))
    _print(title, table)


def rows(title: str, columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    table = Table(box=box.SIMPLE_HEAD)
    content = [list(line) for line in lines]
    for index, column in enumerate(columns):
        numbers = all(isinstance(line[index], int | float) for line in content)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for line in content:
        table.add_row(*(Text(shown(value)) for value in line))
    _print(title, table)


def shown(value: object) -> str:
    """Give a value as people read it: thousands apart, nothing that could steer a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return printable(str(value))


def change(before: int, after: int) -> str:
    """Give a count as it was, as it is, and the difference; one number where there is none."""
    if before == after:
        return f"{after:,}"
    return f"{before:,} → {after:,} ({after - before:+,})"


def printable(text: str) -> str:
    """Replace what could steer a terminal: the log holds other people's text."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


@contextmanager
def to_a_reader() -> Iterator[None]:
    """Write to standard output until it is done or its reader has gone, which ends the process."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. The interpreter would try to flush once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar on standard error while something takes its time; nothing when that is a file."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(label, total=total)

        def advance(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of)

        yield advance


def _print(title: str, table: Table) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        # A table in a file is read with other tools, and ids are copied from it: it is not folded.
        console = Console(highlight=False, width=_FILE_WIDTH)
    console.print(Text(title, style="bold"))
    console.print(table)
