"""The past, asked from beside the serving loop: one process, a short line before it, and a cache.

Answers about the past never change, so they are kept. The process is started when somebody asks,
and ended when nobody has asked for a while. A question that takes too long is answered "not yet",
but worked on: whoever asks again finds it done, or further on. No HTTP here.
"""

import asyncio
import logging
import sys
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final

from eventlog import LogExpired
from projections import bounds
from projections.errors import NotFound
from server.clock import monotonic_us
from server.pastprocess import PastProcess
from server.pressure import Busy
from server.questions import Asked, Failed, Gone, Order, Refusal, Reply, Said, encode
from server.settings import Settings

_logger = logging.getLogger("spoolog.past")
_WAITING_MAX: Final = 16
_CACHE_BYTES_MAX: Final = 32 * bounds.MIB
_ENTRY_BYTES: Final = 512
"""what an answer takes beside its body and its question"""
_IDLE_SECS: Final = 300.0
_LOOK_SECS: Final = 1.0
_PATIENCE: Final = 10
"""times the wait of a client, after which a question is given up"""
_TRIES: Final = 2
_UNAVAILABLE: Final = Failed("The process that shows the past has ended; ask again")
_GIVEN_UP: Final = Failed("That time took too long to show; make a snapshot nearer to it")

Lasting = Said | Refusal
"""Replies that will be the same for ever."""


class PastBusy(Busy):
    """Too many questions about the past are waiting; ask again."""

    code: ClassVar[str] = "PAST_BUSY"


class PastNotYet(Busy):
    """That time is not shown yet, and worked on; ask again."""

    code: ClassVar[str] = "PAST_NOT_YET"


class PastUnavailable(Busy):
    """That time cannot be shown."""

    code: ClassVar[str] = "PAST_UNAVAILABLE"
    retry_after_secs = 10


class Past:
    """Answers questions about the past of one data directory.

    `secs` is how long a client waits. The plain attributes are there to be shown.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        secs: float,
        idle_secs: float = _IDLE_SECS,
        waiting_max: int = _WAITING_MAX,
        patience: float = _PATIENCE,
        cache_bytes_max: int = _CACHE_BYTES_MAX,
    ) -> None:
        self.process = PastProcess(command)
        self.asked = 0
        self.hits = 0
        self.failures = 0
        self._secs = secs
        self._idle_us = int(idle_secs * bounds.SECOND_US)
        self._waiting_max = waiting_max
        self._patience_secs = secs * patience
        self._cache = _Cache(cache_bytes_max)
        self._under_way: dict[Asked, asyncio.Task[Reply]] = {}
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="past")
        self._used_us = monotonic_us()

    @property
    def waiting(self) -> int:
        """How many questions are being worked on, or wait for it."""
        return len(self._under_way)

    async def ask(self, asked: Asked, *, first: int, upto: int) -> Said:
        """Give the answer; `first` and `upto` are the first position of the log and the last durable.

        Raises:
            NotFound: there was no such thing then.
            LogExpired: the records that lead there have expired.
            PastBusy, PastNotYet, PastUnavailable: ask again; it takes longer; it went wrong.

        """
        self.asked += 1
        kept = self._cache.get(asked)
        if kept is not None and kept.position >= first - 1:
            self.hits += 1
            return _said(kept, first)
        task = self._under_way.get(asked)
        if task is None:
            if len(self._under_way) >= self._waiting_max:
                raise PastBusy
            task = asyncio.create_task(self._work(asked, upto))
            self._under_way[asked] = task
            task.add_done_callback(lambda _: self._under_way.pop(asked))
        try:
            # Going on is cheap, beginning anew is not: the work outlives who asked for it.
            reply = await asyncio.wait_for(asyncio.shield(task), self._secs)
        except TimeoutError as late:
            raise PastNotYet from late
        return _said(reply, first)

    def close(self) -> None:
        """Give up all that is worked on, and begin nothing more."""
        self.process.close()

    async def keep(self) -> None:
        """End the process when nobody asks, until cancelled; it does not outlive this."""
        try:
            while True:
                await asyncio.sleep(_LOOK_SECS)
                if self._is_idle():
                    await self._in_thread_end()
        finally:
            await self._ended()

    def _is_idle(self) -> bool:
        idle_us = monotonic_us() - self._used_us
        return not self._under_way and self.process.pid is not None and idle_us > self._idle_us

    async def _in_thread_end(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self.process.end)

    async def _ended(self) -> None:
        self.close()
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.shield(self._in_thread_end())
        self._thread.shutdown(wait=False)

    async def _work(self, asked: Asked, upto: int) -> Reply:
        async with self._turn:
            reply = await self._exchanged(Order(asked, upto))
        self._used_us = monotonic_us()
        if isinstance(reply, Said | Refusal):
            self._cache.put(asked, reply)
        elif isinstance(reply, Failed):
            self.failures += 1
            _logger.warning("the past cannot be shown: %s", reply.detail or reply.message)
        return reply

    async def _exchanged(self, order: Order) -> Reply:
        """Ask the process; one that was killed is started again, once."""
        loop = asyncio.get_running_loop()
        given_up = asyncio.Event()

        def give_up() -> None:
            given_up.set()
            self.process.kill()

        timer = loop.call_later(self._patience_secs, give_up)
        try:
            for _ in range(_TRIES):
                reply = await loop.run_in_executor(self._thread, self.process.exchange, order)
                if reply is not None:
                    return reply
                if given_up.is_set():
                    return _GIVEN_UP
        finally:
            timer.cancel()
        return _UNAVAILABLE


def _said(reply: Reply, first: int) -> Said:
    match reply:
        case Said():
            return reply
        case Refusal():
            raise NotFound(reply.message)
        case Gone():
            raise LogExpired(first)
        case Failed():
            raise PastUnavailable(reply.message)


class _Cache:
    """The answers that were used last, up to so many bytes."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Asked, Lasting] = OrderedDict()

    def get(self, asked: Asked) -> Lasting | None:
        kept = self._kept.get(asked)
        if kept is not None:
            self._kept.move_to_end(asked)
        return kept

    def put(self, asked: Asked, reply: Lasting) -> None:
        if (before := self._kept.pop(asked, None)) is not None:
            self._bytes -= _size(asked, before)
        self._kept[asked] = reply
        self._bytes += _size(asked, reply)
        while self._bytes > self._bytes_max:
            self._bytes -= _size(*self._kept.popitem(last=False))


def _size(asked: Asked, reply: Lasting) -> int:
    """Give about how much both take; a question may be longer than its answer."""
    return _ENTRY_BYTES + len(encode(asked)) + (len(reply.body) if isinstance(reply, Said) else 0)


def command_of(settings: Settings) -> list[str]:
    """Give the command line of the process."""
    data_dir = str(settings.data_dir.absolute())
    return [sys.executable, "-m", "server.pastchild", data_dir, str(settings.past_memory_bytes)]
