import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogClosed, LogFailed, SyncMode
from eventlog.commit import GroupCommit
from eventlog.frame import first_state, parse_record
from eventlog.log import BATCH_RECORDS_MAX
from eventlog.writer import Chunk, Written
from tests.eventlog.logs import a_clock


class Held:
    """A writer that does nothing until it is told to."""

    def __init__(self) -> None:
        self.failure: LogFailed | None = None
        self.chunks: list[Chunk] = []

    def put(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)

    def stop(self) -> None:
        raise NotImplementedError


def a_commit(**options: Any) -> tuple[GroupCommit, Held]:
    values = {
        "loop": asyncio.get_running_loop(),
        "clock": a_clock(),
        "sync": SyncMode.ALWAYS,
        "sync_interval_ms": 0,
        "last": 0,
        "state": first_state("c1"),
        "epoch": 1,
        "on_failure": None,
    }
    commit, held = GroupCommit(**values | options), Held()
    commit.start(held)
    return commit, held


def numbers(chunk: Chunk) -> Iterator[tuple[int, int]]:
    for line in chunk.lines:
        record = parse_record(line[:-1])
        assert record is not None
        yield record.position, record.batch


async def test_one_tick_is_one_batch_and_one_batch_is_under_way() -> None:
    commit, held = a_commit()
    commit.append(1, b"{}")
    commit.append(2, b"{}")
    assert held.chunks == []
    await asyncio.sleep(0)
    assert [list(numbers(chunk)) for chunk in held.chunks] == [[(1, 1), (2, 1)]]
    for position in (3, 4, 5):
        commit.append(position, b"{}")
        await asyncio.sleep(0)
    assert len(held.chunks) == 1
    commit.report(Written(2, 2))
    assert len(held.chunks) == 1, "those who were woken may still join"
    commit.append(6, b"{}")
    await asyncio.sleep(0)
    assert list(numbers(held.chunks[1])) == [(3, 3), (4, 3), (5, 3), (6, 3)]
    assert held.chunks[1].state_after == commit.state != held.chunks[0].state_after
    assert commit.durable_position == 2


async def test_full_batches_go_one_by_one() -> None:
    commit, held = a_commit()
    for position in range(1, 2 * BATCH_RECORDS_MAX + 3):
        commit.append(position, b"{}")
    for _ in range(3):
        await asyncio.sleep(0)
        commit.report(Written(held.chunks[-1].last, held.chunks[-1].last))
    assert [len(chunk.lines) for chunk in held.chunks] == [BATCH_RECORDS_MAX, BATCH_RECORDS_MAX, 2]
    assert {batch for _, batch in numbers(held.chunks[1])} == {BATCH_RECORDS_MAX + 1}
    assert commit.pending_bytes == 0


async def test_next_batch_is_handed_over_before_waiters_wake() -> None:
    commit, held = a_commit()
    commit.append(1, b"{}")
    seen: list[int] = []
    waiting = asyncio.ensure_future(commit.durable(1))
    waiting.add_done_callback(lambda _: seen.append(len(held.chunks)))
    await asyncio.sleep(0)
    commit.append(2, b"{}")
    commit.report(Written(1, 1))
    await waiting
    assert seen == [2]


async def test_waiters_wake_only_for_their_batch() -> None:
    commit, _ = a_commit()
    commit.append(1, b"{}")
    await asyncio.sleep(0)
    commit.append(2, b"{}")
    waits = [asyncio.ensure_future(commit.durable(position)) for position in (1, 2)]
    await asyncio.sleep(0)
    commit.report(Written(1, 1))
    await asyncio.sleep(0)
    assert [wait.done() for wait in waits] == [True, False]
    commit.report(Written(2, 2))
    await waits[1]


async def test_interval_asks_for_a_sync_after_a_write() -> None:
    commit, held = a_commit(sync=SyncMode.INTERVAL)
    commit.append(1, b"{}")
    await asyncio.sleep(0)
    commit.report(Written(1, 0))
    assert (commit.durable_position, commit.synced) == (1, 0)
    while len(held.chunks) < 2:  # noqa: ASYNC110 - the timer is the loop's
        await asyncio.sleep(0)
    assert [(chunk.sync, len(chunk.lines)) for chunk in held.chunks] == [(False, 1), (True, 0)]
    commit.append(2, b"{}")
    commit.report(Written(1, 1))
    assert (commit.durable_position, commit.synced) == (1, 1)
    await asyncio.sleep(0)
    assert list(numbers(held.chunks[2])) == [(2, 1)]


async def test_without_writer_nothing_is_taken() -> None:
    commit, held = a_commit()
    held.failure = LogFailed(5, Path("x"))
    with pytest.raises(LogFailed) as caught:
        commit.append(1, b"{}")
    assert caught.value is not held.failure
    commit.closed = True
    with pytest.raises(LogClosed):
        commit.append(1, b"{}")
    assert commit.last == 0


async def test_a_seal_goes_behind_all_that_was_appended_before_it() -> None:
    commit, held = a_commit()
    for position in range(1, BATCH_RECORDS_MAX + 2):
        commit.append(position, b"{}")
    sealed = asyncio.ensure_future(commit.seal())
    await asyncio.sleep(0)
    assert [chunk.seal for chunk in held.chunks] == [False]
    commit.report(Written(BATCH_RECORDS_MAX, BATCH_RECORDS_MAX))
    await asyncio.sleep(0)
    assert [chunk.seal for chunk in held.chunks] == [False, True]
    assert not sealed.done()
    commit.report(Written(BATCH_RECORDS_MAX + 1, BATCH_RECORDS_MAX + 1))
    assert await sealed == BATCH_RECORDS_MAX + 1


async def test_nobody_waits_for_a_seal_that_cannot_be() -> None:
    commit, held = a_commit()
    commit.append(1, b"{}")
    first, second = (asyncio.ensure_future(commit.seal()) for _ in range(2))
    await asyncio.sleep(0)
    failure = LogFailed(5, Path("x"))
    held.failure = failure
    commit.report(failure)
    for sealed in (first, second):
        with pytest.raises(LogFailed):
            await sealed
    with pytest.raises(LogFailed):
        await commit.seal()
