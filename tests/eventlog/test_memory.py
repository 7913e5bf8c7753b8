import asyncio
from collections.abc import Callable

import pytest

from eventlog import Log, MemoryLog, OutOfOrder
from tests.eventlog.conformance import LogContract, all_of, bodies, fill


class TestMemoryLog(LogContract):
    @pytest.fixture
    def make_log(self) -> Callable[[], Log]:
        return MemoryLog


async def test_nothing_is_durable_while_held() -> None:
    log = MemoryLog()
    await log.begin()
    log.hold()
    fill(log, 2)
    waiting = asyncio.ensure_future(log.durable(2))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    assert await all_of(log) == []
    log.release()
    await waiting
    assert await all_of(log) == bodies(1, 2)


async def test_crash_keeps_what_was_durable() -> None:
    log = MemoryLog()
    await log.begin()
    fill(log, 2)
    await log.durable(2)
    log.hold()
    fill(log, 3)
    found = log.crash()
    assert (found.last, found.durable_position) == (2, 2)
    assert await found.begin() == 2
    assert await all_of(found) == bodies(1, 2)
    assert log.crash(keep=4).last == 4
    for keep in (1, 6):
        with pytest.raises(OutOfOrder):
            log.crash(keep)


async def test_stat_shows_the_chain() -> None:
    log, other = MemoryLog(), MemoryLog()
    for each in (log, other):
        await each.begin()
        fill(each, 3)
    assert log.stat() == other.stat()
    fill(other, 1)
    assert log.stat().chain != other.stat().chain
