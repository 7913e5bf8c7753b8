"""One server process after another on one simulated disk, in virtual time.

The engine, the projections, the timekeeper and the log are the real ones; the disk, the clock, the
ids and the moments at which the writer gets to work are simulated. `crash` ends a process, `start`
begins the next.
"""

from asyncio import Task
from collections.abc import AsyncIterator, Callable, Coroutine
from errno import EIO, ENOSPC
from pathlib import Path
from random import Random
from typing import Any

from eventlog import Entry, FileLog, LogFailed, SnapshotStore, SyncMode
from eventlog.writer import Chunk, Writing
from projections.decide import Policy, system
from projections.events import Record, encode
from projections.state import State
from server.engine import SYSTEM, Engine
from server.startup import replay
from server.timekeeper import keep_time
from spoolog import restore
from tests.fakes import START_US
from tests.faults.crashes import a_crash_state
from tests.faults.ledger import Violation
from tests.faults.loop import SimLoop, drop
from tests.faults.simdisk import Fault, SimDisk

DATA = Path("/data")
SECOND_US = 1_000_000
_SYNC_SECS = (0.0, 0.0, 0.001, 0.02, 0.3, 4.0)


class Machine:
    """A disk, a clock, and at most one running server."""

    def __init__(self, rng: Random, segment_bytes: int, policy: Policy) -> None:
        self.loop = SimLoop()
        self.disk = SimDisk()
        self.log: FileLog | None = None
        self.engine: Engine | None = None
        self.failed = False
        self.bodies: list[bytes] = []
        """all that the running server has in its log, durable or not"""
        self.starts = self.snapshot_starts = 0
        self.latest_us = 0
        """the furthest the clock ever was"""
        self._rng = rng
        self._ids = Random(rng.random())
        self._segment_bytes = segment_bytes
        self._policy = policy
        self._step_us = 0
        self._tasks: list[Task[Any]] = []

    # -- time

    def clock(self) -> int:
        """Give the wall clock, which may be stepped."""
        now_us = START_US + int(self.loop.time() * SECOND_US) + self._step_us
        self.latest_us = max(self.latest_us, now_us)
        return now_us

    def step_clock(self, by_us: int) -> None:
        """Set the wall clock forward or back."""
        self._step_us += by_us
        self.clock()

    def new_id(self) -> str:
        """Give an id that a seed repeats."""
        return f"{self._ids.getrandbits(64):016x}"

    # -- a process

    def start(self) -> Engine:
        """Start a server as `server.startup` does, up to where its timekeeper would begin.

        Raises:
            LogDamaged: it refuses to.
            Violation: a snapshot is damaged.
            LogFailed, OSError, PowerCut: the disk failed once more, or the power went.

        """
        self.starts += 1
        self.failed = False
        return self.loop.run(self._started())

    async def _started(self) -> Engine:
        self.log = log = FileLog.open(
            DATA,
            clock=self.clock,
            new_cluster_id=lambda: "c1",
            sync=SyncMode.ALWAYS,
            segment_bytes_max=self._segment_bytes,
            on_failure=self._on_failure,
            disk=self.disk,
            start_writer=self._late_writer,
        )
        state = self._restored(log)
        del self.bodies[state.position :]  # what the snapshot covers is known from before
        await replay(_Overheard(log, self.bodies), state)  # type: ignore[arg-type]
        epoch = await log.begin()
        engine = Engine(
            state, log, self.clock, self.new_id, self._policy, fraction=self._ids.random
        )
        engine.listeners.append(self._note)
        self.engine = engine
        engine.execute(system.start, SYSTEM, "simulated", epoch)
        await engine.durable(state.position)
        return engine

    def _restored(self, log: FileLog) -> State:
        store = SnapshotStore(DATA, log.cluster, self.disk)
        restored = restore.newest(store, log.state_after, last=log.last)
        if restored.passed_over:
            raise Violation(f"a crash has left a damaged snapshot: {restored.passed_over}")
        self.snapshot_starts += restored.snapshot is not None
        return restored.state

    def keep_time(self) -> None:
        """Begin with what time brings about."""
        assert self.engine is not None
        self.spawn(keep_time(self.engine))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something of the process, which ends with it."""
        self._tasks.append(self.loop.create_task(work))

    def check(self) -> None:
        """Raise what has ended a part of the process that nobody waits for."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.remove(task)
            if not (self.failed and isinstance(task.exception(), LogFailed)):
                task.result()

    def _note(self, record: Record) -> None:
        self.bodies.append(encode(record))

    def _on_failure(self, failure: LogFailed) -> None:
        self.failed = True

    def _late_writer(self, writing: Writing) -> "Late":
        return Late(writing, self.loop, lambda: self._rng.choice(_SYNC_SECS))

    # -- its end

    def break_disk(self, after_calls: int, errno: int, *, sticky: bool) -> None:
        """Have a coming disk call fail."""
        self.disk.fault = Fault(self.disk.calls + after_calls, errno, sticky)

    def cut_power(self, after_calls: int) -> None:
        """Have the power go at a coming disk call."""
        self.disk.cut_at = self.disk.calls + after_calls

    def crash(self, *, power: bool) -> None:
        """End the process; without power the disk keeps what it had, and some of the rest."""
        self.abandon()
        if power:
            self.disk = SimDisk.holding(a_crash_state(self.disk.root, self._rng))
        else:
            self.disk = self.disk.killed()

    def abandon(self) -> None:
        """Drop all that the process was doing."""
        self.loop.clear()
        for task in self._tasks:
            drop(task)
        self._tasks.clear()
        self.log = self.engine = None

    def close(self) -> None:
        """Stop as a server does that is asked to."""
        assert self.log is not None
        log = self.log
        self.loop.run(log.close())
        self.abandon()


class _Overheard:
    """A log of which is kept what was read."""

    def __init__(self, log: FileLog, bodies: list[bytes]) -> None:
        self._log = log
        self._bodies = bodies

    async def read(self, after: int) -> AsyncIterator[list[Entry]]:
        async for batch in self._log.read(after):
            self._bodies += [body for _, body in batch]
            yield batch


class Late:
    """A writer that gets to work some time after it was asked to."""

    def __init__(self, writing: Writing, loop: SimLoop, delay_secs: Callable[[], float]) -> None:
        self._writing = writing
        self._loop = loop
        self._delay_secs = delay_secs

    @property
    def failure(self) -> LogFailed | None:
        return self._writing.failure

    def put(self, chunk: Chunk) -> None:
        self._loop.call_later(self._delay_secs(), self._writing.take, chunk)

    def stop(self) -> None:
        self._loop.call_later(self._delay_secs(), self._writing.end)


DISK_ERRORS = (EIO, ENOSPC)
