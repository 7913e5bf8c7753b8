"""What every log must do. A backend's test class subclasses `LogContract` and gives `make_log`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import cast

import pytest

from eventlog import BodyRefused, Entry, Log, LogClosed, OutOfOrder


def body(position: int) -> bytes:
    return b'{"n":%d}' % position


def fill(log: Log, count: int) -> None:
    for position in range(log.last + 1, log.last + count + 1):
        log.append(position, body(position))


def bodies(first: int, last: int) -> list[Entry]:
    return [(position, body(position)) for position in range(first, last + 1)]


async def taken(batches: AsyncIterator[list[Entry]], count: int) -> list[Entry]:
    found: list[Entry] = []
    async for batch in batches:
        found += batch
        if len(found) >= count:
            break
    return found


async def all_of(log: Log, after: int = 0) -> list[Entry]:
    return [entry async for batch in log.read(after) for entry in batch]


class LogContract:
    """The promises of `eventlog.log.Log`."""

    @pytest.fixture
    def make_log(self) -> Callable[[], Log]:
        raise NotImplementedError

    @pytest.fixture
    async def log(self, make_log: Callable[[], Log]) -> AsyncIterator[Log]:
        log = make_log()
        await log.begin()
        yield log
        await log.close()

    async def test_new_log_is_empty(self, log: Log) -> None:
        assert (log.first, log.last, log.durable_position) == (1, 0, 0)
        assert await all_of(log) == []

    async def test_what_was_appended_is_read_back(self, log: Log) -> None:
        fill(log, 5)
        await log.durable(5)
        assert (log.last, log.durable_position) == (5, 5)
        assert await all_of(log) == bodies(1, 5)
        assert await all_of(log, 3) == bodies(4, 5)
        assert await all_of(log, 5) == await all_of(log, 9) == []

    async def test_only_durable_records_are_read(self, log: Log) -> None:
        fill(log, 3)
        assert (log.last, log.durable_position) == (3, 0)
        assert await all_of(log) in ([], bodies(1, 3))
        await log.durable(3)
        assert await all_of(log) == bodies(1, 3)

    async def test_a_seal_covers_what_was_appended(self, log: Log) -> None:
        assert await log.seal() == 0
        fill(log, 3)
        assert await log.seal() == 3
        assert log.durable_position == 3
        assert await log.seal() == 3
        fill(log, 2)
        await log.durable(5)
        assert await all_of(log) == bodies(1, 5)
        assert await all_of(log, 3) == bodies(4, 5)

    async def test_there_is_no_seal_without_a_writer(self, make_log: Callable[[], Log]) -> None:
        log = make_log()
        with pytest.raises(LogClosed):
            await log.seal()
        await log.begin()
        await log.close()
        with pytest.raises(LogClosed):
            await log.seal()

    async def test_what_is_not_durable_is_counted(self, log: Log) -> None:
        assert log.pending_bytes == 0
        fill(log, 1)
        one = log.pending_bytes
        assert one >= len(body(1))
        fill(log, 3)
        assert log.pending_bytes >= one + 3 * len(body(1))
        assert log.stat().pending_bytes == log.pending_bytes
        await log.durable(4)
        assert log.pending_bytes == 0

    async def test_one_body_at_a_time(self, log: Log) -> None:
        fill(log, 700)
        await log.durable(700)
        expected = dict(bodies(1, 700))
        for position in (700, 1, 350, 351, 349, 2, 699):
            assert await log.body(position) == expected[position]

    @pytest.mark.parametrize("position", [-1, 0, 3])
    async def test_a_body_that_is_not_durable_is_not_given(self, log: Log, position: int) -> None:
        fill(log, 2)
        await log.durable(2)
        with pytest.raises(OutOfOrder):
            await log.body(position)

    async def test_many_records_come_in_order(self, log: Log) -> None:
        fill(log, 10_000)
        await log.durable(10_000)
        batches = [batch async for batch in log.read()]
        assert max(map(len, batches)) <= 4096
        assert [entry for batch in batches for entry in batch] == bodies(1, 10_000)

    async def test_any_bytes_but_two_can_be_a_body(self, log: Log) -> None:
        odd = [
            b"",
            b" ",
            b"# not a footer",
            bytes(range(1, 10)) + bytes(range(11, 256)),
            b"x" * 70_000,
        ]
        for position, content in enumerate(odd, start=1):
            log.append(position, content)
        await log.durable(len(odd))
        assert [content for _, content in await all_of(log)] == odd

    @pytest.mark.parametrize("content", [b"a\nb", b"a\0b", b"\n"])
    async def test_body_that_a_line_cannot_carry_is_refused(self, log: Log, content: bytes) -> None:
        with pytest.raises(BodyRefused):
            log.append(1, content)
        assert log.last == 0
        fill(log, 1)
        await log.durable(1)

    @pytest.mark.parametrize("position", [0, 1, 2, 4, -1])
    async def test_gap_and_repetition_are_refused(self, log: Log, position: int) -> None:
        fill(log, 2)
        with pytest.raises(OutOfOrder):
            log.append(position, b"{}")
        assert log.last == 2
        await log.durable(2)
        assert await all_of(log) == bodies(1, 2)

    async def test_waiting_for_what_was_not_appended_is_refused(self, log: Log) -> None:
        fill(log, 1)
        with pytest.raises(OutOfOrder):
            await log.durable(2)

    async def test_waiters_are_independent(self, log: Log) -> None:
        fill(log, 3)
        waits = [asyncio.ensure_future(log.durable(position)) for position in (1, 2, 3, 3)]
        await asyncio.sleep(0)
        waits[1].cancel()
        waits[3].cancel()
        with suppress(asyncio.CancelledError):
            await waits[1]
        await waits[0]
        await waits[2]
        assert log.durable_position == 3

    async def test_begin_gives_an_epoch_once(self, make_log: Callable[[], Log]) -> None:
        log = make_log()
        assert await log.begin() == 1
        with pytest.raises(LogClosed):
            await log.begin()
        await log.close()

    async def test_not_the_writer_before_begin(self, make_log: Callable[[], Log]) -> None:
        log = make_log()
        with pytest.raises(LogClosed):
            log.append(1, b"{}")
        await log.close()

    async def test_nothing_is_taken_after_close(self, log: Log) -> None:
        fill(log, 2)
        await log.close()
        assert log.durable_position == 2
        with pytest.raises(LogClosed):
            log.append(3, b"{}")
        with pytest.raises(LogClosed):
            await log.begin()
        await log.close()

    async def test_follower_sees_what_was_and_what_comes(self, log: Log) -> None:
        fill(log, 3)
        await log.durable(3)
        follower = log.follow(1)
        assert await taken(follower, 2) == bodies(2, 3)
        late = asyncio.ensure_future(taken(log.follow(3), 2))
        await asyncio.sleep(0)
        fill(log, 2)
        assert await late == bodies(4, 5)

    async def test_follower_may_start_ahead(self, log: Log) -> None:
        ahead = asyncio.ensure_future(taken(log.follow(4), 1))
        await asyncio.sleep(0)
        fill(log, 5)
        assert await ahead == bodies(5, 5)

    async def test_followers_get_everything_and_end_at_close(self, log: Log) -> None:
        followers = [asyncio.ensure_future(taken(log.follow(after), 99)) for after in (0, 2)]
        await asyncio.sleep(0)
        fill(log, 5)
        await log.close()
        assert await followers[0] == bodies(1, 5)
        assert await followers[1] == bodies(3, 5)

    async def test_abandoned_follower_disturbs_nobody(self, log: Log) -> None:
        fill(log, 1)
        follower = cast("AsyncIterator[list[Entry]]", log.follow(0))
        async with aclosing(follower):  # type: ignore[type-var]
            assert await anext(follower) == bodies(1, 1)
        waiting = asyncio.ensure_future(taken(log.follow(1), 1))
        await asyncio.sleep(0)
        waiting.cancel()
        fill(log, 1)
        await log.durable(2)
        assert await all_of(log) == bodies(1, 2)
