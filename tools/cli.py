"""The ``spoolog`` command: its verbs, and which exit code an end deserves.

A verb's module is imported when the verb is called, so ``spoolog log cat`` pays for no server. What
a verb does stands in its own module.

Exit codes: 0 fine, 1 found a problem, 2 wrong use, 74 the disk failed while serving.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Final

import click

from eventlog import Locked, LogDamaged, LogError
from eventlog.errors import TreeRefuted
from projections.events import Undecodable
from server.settings import VERSION
from tools.output import Misuse, Problem

VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("tools.serve:serve", "Run the server."),
    "log": (
        "tools.log:log",
        "Look at the log, keep it small, copy it, repair it.",
    ),
    "state": ("tools.state:state", "Show queues and jobs as they are, or were at any moment."),
    "explain": ("tools.explain:explain", "Tell why a job is, or was, where it is."),
    "undo": ("tools.undo:undo", "Take back what a record of the log did."),
    "history": ("tools.history:history", "Tell the life of one job."),
    "prove": ("tools.prove:prove", "Prove what the log holds to who has a checkpoint."),
    "export": ("tools.export:export", "Write the events of the log to a file."),
    "sql": ("tools.sql:sql", "Ask the log's events and the state in SQL."),
    "replay": ("tools.replay:replay", "Fold the log, compare, step through it, ask what if."),
    "snapshot": ("tools.snapshot:snapshot", "Make a snapshot, so that the next start is short."),
    "bench": ("tools.bench.command:bench", "Measure this machine against the targets."),
    "demo": ("tools.demo.command:demo", "Process a folder of real files, then again with a crash."),
}


class LazyGroup(click.Group):
    """A group that knows its verbs by name and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # type: ignore[explicit-override]  # noqa: ARG002
        """List the verbs in the order of the help text."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # type: ignore[explicit-override]  # noqa: ARG002
        """Load a verb."""
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # type: ignore[explicit-override]  # noqa: ARG002
        """Write the list of verbs without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:  # type: ignore[explicit-override]
        """Run a verb; what can be wrong with a log ends in one message and an exit code."""
        try:
            return super().invoke(ctx)
        except (LogDamaged, TreeRefuted, Undecodable) as damaged:
            raise Problem(str(damaged)) from damaged
        except (Locked, LogError) as refused:
            raise Misuse(str(refused)) from refused
        except PermissionError as refused:
            raise Misuse(f"{refused.filename}: {refused.strerror}") from refused


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="spoolog")
def main() -> None:
    """Run and inspect Spoolog, a job-queue server whose append-only event log is the truth."""


if __name__ == "__main__":
    main()
