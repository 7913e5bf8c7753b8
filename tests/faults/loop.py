"""An event loop that is driven by hand, in virtual time and on one thread, so that runs repeat.

What would go to another thread is done on the spot, and time passes only when `advance` is called
or nothing else is left to do.
"""

import asyncio
import heapq
from asyncio import Future, Handle, Task, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from eventlog.writer import Chunk, Writing

T = TypeVar("T")


class Stuck(Exception):
    """Somebody waits for what nothing will ever bring about."""


class SimLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that the engine and the log use."""

    def __init__(self) -> None:
        self._now_secs = 0.0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._timers_made = 0
        self.problems: list[dict[str, Any]] = []
        """what nobody has caught"""

    # -- what a test drives it with

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, passing time when there is nothing to do."""
        task: Task[T] = self.create_task(main)
        try:
            while not task.done():
                self.spin()
                if not task.done():
                    self._to_next_timer()
            return task.result()
        finally:
            drop(task)

    def advance(self, secs: float) -> None:
        """Let time pass and do what comes up."""
        end = self._now_secs + secs
        self.spin()
        while (due := self._next_timer()) is not None and due <= end:
            self._to_next_timer()
            self.spin()
        self._now_secs = end

    def spin(self) -> None:
        """Do everything that can be done now."""
        with self._running():
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()

    def clear(self) -> None:
        """Forget everything that was to be done; only the time goes on."""
        self._ready.clear()
        self._timers.clear()

    def _next_timer(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _to_next_timer(self) -> None:
        due = self._next_timer()
        if due is None:
            raise Stuck
        self._now_secs = max(self._now_secs, due)
        while self._timers and self._timers[0][0] <= self._now_secs:
            self._ready.append(heapq.heappop(self._timers)[2])

    @contextmanager
    def _running(self) -> Iterator[None]:
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)

    # -- what the code under test calls

    def time(self) -> float:
        return self._now_secs

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Handle:
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> TimerHandle:
        timer = TimerHandle(when, callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> TimerHandle:
        return self.call_at(self._now_secs + delay, callback, *args, context=context)

    def create_future(self) -> Future[Any]:
        return Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> Task[Any]:
        return Task(coro, loop=self, **options)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> Future[T]:
        future: Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  it is told to whoever waits
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "handle" in context:
            raise context["exception"]
        self.problems.append(context)

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Nothing: a cancelled timer is passed over when its time comes."""


def drop(task: Task[Any]) -> None:
    """End a task without a word, as the end of its process does."""
    if not task.done():
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]


class AtOnce:
    """Writes each chunk as soon as the loop comes to it."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._call = asyncio.get_running_loop().call_soon

    @property
    def failure(self) -> Any:
        return self._writing.failure

    def put(self, chunk: Chunk) -> None:
        self._call(self._writing.take, chunk)

    def stop(self) -> None:
        self._call(self._writing.end)
