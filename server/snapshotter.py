"""When to make a snapshot: after so many records, or so much time. A child process makes it.

The serving loop only asks the log to seal its segment and waits. A snapshot that fails is reported
and tried again later; the log has everything, so the server goes on.
"""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from msgspec import DecodeError, Struct, json

from eventlog import Log, Snapshot
from projections.bounds import SECOND_US
from server.settings import Settings

_logger = logging.getLogger("spoolog.snapshots")
_ROOT: Final = Path(__file__).resolve().parent.parent
_LOOK_SECS: Final = 1.0
_AGAIN_AFTER_FAILURE_US: Final = 60_000_000


class Told(Struct, frozen=True):
    """What ``spoolog snapshot --json`` says, as far as it matters here."""

    position: int
    bytes: int
    created_at_us: int


class Snapshotter:
    """Keeps the newest snapshot near the end of the log.

    `records_max` and `age_us_max` say how far behind it may fall; 0 means no matter how far.
    `position`, `created_at_us` and `bytes` are those of the newest snapshot, 0 without one.
    """

    def __init__(
        self,
        log: Log,
        now_us: Callable[[], int],
        *,
        records_max: int,
        age_us_max: int,
        command: Sequence[str],
        newest: Snapshot | None,
    ) -> None:
        self.position = newest.position if newest else 0
        self.created_at_us = newest.head.created_at_us if newest else 0
        self.bytes = newest.bytes if newest else 0
        self.made = 0
        self.failures = 0
        self.running = False
        self._log = log
        self._now_us = now_us
        self._records_max = records_max
        self._age_us_max = age_us_max
        self._command = command
        self._since_us = self.created_at_us or now_us()
        self._not_before_us = 0

    @classmethod
    def never(cls, log: Log, now_us: Callable[[], int]) -> "Snapshotter":
        """Give one for a log without snapshots."""
        return cls(log, now_us, records_max=0, age_us_max=0, command=(), newest=None)

    @property
    def age_secs(self) -> float:
        """How old the newest snapshot is; 0 without one."""
        if not self.created_at_us:
            return 0.0
        return max(self._now_us() - self.created_at_us, 0) / SECOND_US

    def is_due(self) -> bool:
        """Whether the newest snapshot has fallen too far behind."""
        now_us = self._now_us()
        behind = self._log.durable_position - self.position
        if behind <= 0 or now_us < self._not_before_us:
            return False
        if self._records_max and behind >= self._records_max:
            return True
        return bool(self._age_us_max) and now_us - self._since_us >= self._age_us_max

    async def keep(self) -> None:
        """Look every second, until cancelled; the child does not outlive this.

        Raises:
            LogError: the log is at its end.

        """
        while True:
            await asyncio.sleep(_LOOK_SECS)
            if self.is_due():
                await self.make()

    async def make(self) -> bool:
        """Make one now; tell whether it went well.

        Raises:
            LogError: the log is at its end.

        """
        self.running = True
        try:
            await self._log.seal()
            told = await _run(self._command)
        finally:
            self.running = False
        if told is None:
            self.failures += 1
            self._not_before_us = self._now_us() + _AGAIN_AFTER_FAILURE_US
            return False
        self.made += 1
        self.position, self.bytes = told.position, told.bytes
        self.created_at_us = told.created_at_us
        self._since_us = self._now_us()
        return True


def command_of(settings: Settings) -> list[str]:
    """Give the command line that makes a snapshot and tidies the log, at low priority."""
    verb = [sys.executable, "-m", "tools.cli", "snapshot", "--json", "--nice", "10"]
    where = ["--data-dir", str(settings.data_dir.absolute())]
    keep = ["--keep-log", str(settings.keep_log)]
    return [*verb, *where, *keep, *(["--compress-log"] if settings.compress_log else [])]


class _Child:
    """The process that makes a snapshot. It is started and awaited on a thread.

    The event loop's own way to start a process copies the page tables of this one, which takes tens
    of milliseconds a gigabyte and holds everything up; `subprocess` asks for a copy of nothing.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = Lock()

    def run(self) -> tuple[int, bytes, bytes]:
        """Start it and wait for its end; give its exit code and what it said on both streams."""
        with self._lock:
            if self._killed:
                return -signal.SIGKILL, b"", b""
            self._process = subprocess.Popen(  # noqa: S603 - our own verb
                self._command,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        said, complained = self._process.communicate()
        return self._process.returncode, said, complained

    def kill(self) -> None:
        """End it, or let it never begin. What it has half written is swept away by the next one."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()


async def _run(command: Sequence[str]) -> Told | None:
    child = _Child(command)
    running = asyncio.ensure_future(asyncio.to_thread(child.run))
    try:
        code, said, complained = await asyncio.shield(running)
    except asyncio.CancelledError:
        child.kill()
        await running
        raise
    if code == 0:
        try:
            return json.decode(said, type=Told)
        except DecodeError:
            _logger.exception("the snapshot process said %r", said)
            return None
    _logger.error(
        "no snapshot was made (exit code %s): %s",
        code,
        complained.decode(errors="replace").strip(),
    )
    return None
