"""Child processes of this command: other verbs and helpers in a Python of their own.

A child never outlives the block that started it: whatever ends the block, an error, Ctrl-C or
SIGTERM, ends the child first. What a child does is its module's business.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Final

from server.clock import monotonic_us
from tools.options import ENV_PREFIX
from tools.output import Problem

_ROOT: Final = Path(__file__).resolve().parent.parent
_START_SECS: Final = 120
_END_SECS: Final = 20
_LISTENING: Final = "listening on "
_STDERR_CHARACTERS_MAX: Final = 2_000


class Child:
    """One running module. Its standard error is kept in a file, to be shown when it fails."""

    def __init__(
        self, module: str, args: Sequence[str], env: Mapping[str, str], *, stdin: bool
    ) -> None:
        self.name = " ".join((module, *args[:1]))
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.process = subprocess.Popen(  # noqa: S603 - our own modules, arguments as a list
            [sys.executable, "-m", module, *args],
            cwd=_ROOT,
            env=_environment(env),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Ctrl-C is for the parent, which then ends its children in order.
            start_new_session=True,
        )

    def listening_url(self) -> str:
        """Wait until it says where it listens.

        Raises:
            Problem: it ended, or said nothing for too long.

        """
        line = self.line(_START_SECS)
        if not line.startswith(_LISTENING):
            raise self.problem("did not start")
        return line.removeprefix(_LISTENING)

    def line(self, secs: float) -> str:
        """Wait for a line on its standard output; empty when it ended or time is up."""
        out = self.process.stdout
        assert out is not None
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            if not selector.select(secs):
                return ""
        return out.readline().decode().strip()

    def check(self) -> None:
        """Raise `Problem` if it is no longer running."""
        if self.process.poll() is not None:
            raise self.problem("ended unexpectedly")

    def output(self, text: bytes, secs: float) -> bytes:
        """Give it its standard input, wait for its end, and give what it printed.

        Raises:
            Problem: it failed, or took too long.

        """
        try:
            printed, _ = self.process.communicate(text or None, timeout=secs)
        except subprocess.TimeoutExpired as late:
            raise self.problem("takes too long") from late
        if self.process.returncode != 0:
            raise self.problem("failed")
        assert isinstance(printed, bytes)
        return printed

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Ask it to end, insist after a while, and give its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_END_SECS)
            except subprocess.TimeoutExpired:
                self.kill()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                stream.close()
        return self.process.returncode

    def problem(self, what: str) -> Problem:
        """Say what went wrong with it, in its own words where there are some."""
        code = self.process.poll()
        self._errors.seek(0)
        said = self._errors.read()[-_STDERR_CHARACTERS_MAX:].decode(errors="replace").strip()
        return Problem(f"{self.name} {what} (exit code {code})\n{said}")


@contextmanager
def running(
    module: str,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    *,
    stdin: bool = False,
) -> Iterator[Child]:
    """Run a module for as long as the block lasts. `env` is added to the environment."""
    child = Child(module, args, env or {}, stdin=stdin)
    try:
        yield child
    finally:
        child.end()


def serving(
    data_dir: Path, api_key: str, *options: str, port: int = 0
) -> AbstractContextManager[Child]:
    """Run a real server on a data directory; ask its `listening_url` before using it."""
    args = ("serve", "--data-dir", str(data_dir), "--port", str(port), *options)
    return running("tools.cli", args, {ENV_PREFIX + "API_KEY": api_key})


def verb(*args: str, env: Mapping[str, str] | None = None, secs: float = 600) -> bytes:
    """Run another verb to its end and give what it printed.

    Raises:
        Problem: it failed.

    """
    with running("tools.cli", args, env) as child:
        return child.output(b"", secs)


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Make SIGTERM end the block as Ctrl-C does, so that the children end with it."""

    def on_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def elapsed_secs(since_us: int) -> float:
    """Give the seconds since a moment of `monotonic_us`, never quite zero."""
    return max(monotonic_us() - since_us, 1) / 1_000_000


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    """Give a child our environment without our own options: it gets the ones meant for it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    return kept | dict(added)
