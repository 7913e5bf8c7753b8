"""The handle of the process that shows the past: started when needed, spoken with, ended.

Only one thread speaks with it: to start a process and to wait for it would hold up the event loop
(see ``server.snapshotter``). `kill` may be called from anywhere. What is said is ``server.questions``'.
"""

import logging
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from server.questions import Inbox, Order, Reply, send

_logger = logging.getLogger("spoolog.past")
_ROOT: Final = Path(__file__).resolve().parent.parent
_STATM: Final = "/proc/{}/statm"
_PAGE_BYTES: Final = 4096
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""numpy's threads would each take of the memory that is allowed, and are never used"""


class PastProcess:
    """A process that may not be there yet, or any more."""

    def __init__(self, command: Sequence[str]) -> None:
        self.started = 0
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._inbox: Inbox[Reply] | None = None
        self._closed = False
        self._lock = Lock()

    @property
    def pid(self) -> int | None:
        """Its number while it runs."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def memory_bytes(self) -> int:
        """Give how much memory it takes, where the system tells; 0 without one."""
        with suppress(OSError):
            if self.pid is not None:
                text = Path(_STATM.format(self.pid)).read_text(encoding="ascii")
                return int(text.split()[1]) * _PAGE_BYTES
        return 0

    def exchange(self, order: Order) -> Reply | None:
        """Ask, and wait for the reply, on the one thread; None when it ended instead."""
        try:
            if not self._ready():
                return None
            assert self._process is not None
            assert self._process.stdin is not None
            assert self._inbox is not None
            send(self._process.stdin, order)
            reply = self._inbox.next()
        except OSError as error:  # the pipe is broken, or there can be no further process
            _logger.warning("the process that shows the past", exc_info=error)
            reply = None
        if reply is None:
            self.end()
        return reply

    def end(self) -> None:
        """End it, and wait until it has ended, on the one thread."""
        self.kill()
        process, self._process = self._process, None
        if process is not None:
            with suppress(BrokenPipeError):
                process.communicate()

    def kill(self) -> None:
        """End it without waiting; whoever waits for a reply gets none."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End it without waiting, or let it never begin again."""
        with self._lock:
            self._closed = True
        self.kill()

    def _ready(self) -> bool:
        """Start it unless it runs; False when it was closed."""
        with self._lock:
            if self._closed:
                return False
            if self._process is None:
                self._process = self._begun()
        return True

    def _begun(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # noqa: S603 - our own module
            self._command,
            cwd=_ROOT,
            env=os.environ | _ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the server, which ends this one.
            start_new_session=True,
        )
        assert process.stdout is not None
        kind: Any = Reply
        self._inbox = Inbox(process.stdout, kind)
        self.started += 1
        return process
