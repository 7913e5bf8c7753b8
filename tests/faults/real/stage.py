"""A data directory and the real server process that runs on it: started, killed, stopped, measured.

Nothing here knows what is asked of the server.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.children import Child

KEY: Final = "sp_live_a-key-for-the-fault-tests"
SERVER: Final = "tools.cli"


class Stage:
    """One data directory. Each start is a process of its own, on a port of its own."""

    def __init__(self, data_dir: Path, *options: str, module: str = SERVER, **env: str) -> None:
        self.data_dir = data_dir
        self.options = options
        self.url = ""
        self._module = module
        self._env = {"SPOOLOG_API_KEY": KEY, **env}
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        assert self._child is not None, "no server runs"
        return self._child

    @property
    def pid(self) -> int:
        return self.child.process.pid

    def launch(self, *options: str) -> None:
        """Start the process and do not wait for anything."""
        data = ("--data-dir", str(self.data_dir), "--port", "0")
        args = ("serve", *data, *self.options, *options)
        self._child = Child(self._module, args, self._env, stdin=False)

    def start(self, *options: str) -> None:
        """Start the process and wait until it listens."""
        self.launch(*options)
        self.url = self.child.listening_url()

    def signal(self, number: signal.Signals) -> None:
        self.child.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()
        self.child.end()
        self._child = None

    def stop(self) -> int:
        """Ask it to end and give its exit code."""
        code = self.child.end()
        self._child = None
        return code

    def rss_bytes(self) -> int:
        return self._status("VmRSS:") * 1024

    def threads(self) -> int:
        return self._status("Threads:")

    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

    def close(self) -> None:
        if self._child is not None:
            self.signal(signal.SIGCONT)
            self.kill()


@contextmanager
def stage(data_dir: Path, *options: str, module: str = SERVER, **env: str) -> Iterator[Stage]:
    """Give a stage on which nothing runs yet, and leave nothing running."""
    made = Stage(data_dir, *options, module=module, **env)
    try:
        yield made
    finally:
        made.close()
