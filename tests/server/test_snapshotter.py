"""When a snapshot is made, and what becomes of one that fails."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from eventlog import MemoryLog
from server import snapshotter as module
from server.settings import Settings
from server.snapshotter import Snapshotter, _Child, command_of
from tests.fakes import START_US, FakeClock

HOUR = 3_600.0


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def telling(position: int, code: int = 0) -> list[str]:
    told = json.dumps({"position": position, "bytes": 9, "created_at_us": START_US, "more": []})
    return child(f"import sys; print({told!r}); sys.exit({code})")


class Desk:
    """A snapshotter beside a log in memory; time moves when told to."""

    def __init__(self, command: Sequence[str], records_max: int = 10, age_secs: float = 0) -> None:
        self.log = MemoryLog()
        self.clock = FakeClock()
        self.snapshotter = Snapshotter(
            self.log,
            self.clock,
            records_max=records_max,
            age_us_max=int(age_secs * 1_000_000),
            command=command,
            newest=None,
        )

    async def grow(self, records: int) -> None:
        for _ in range(records):
            self.log.append(self.log.last + 1, b"{}")
        await self.log.durable(self.log.last)


async def a_desk(*args: object, **options: float) -> Desk:
    desk = Desk(*args, **options)  # type: ignore[arg-type]
    await desk.log.begin()
    return desk


async def test_it_is_due_after_so_many_records() -> None:
    desk = await a_desk(telling(12))
    await desk.grow(9)
    assert not desk.snapshotter.is_due()
    await desk.grow(3)
    assert desk.snapshotter.is_due()
    assert await desk.snapshotter.make()
    assert not desk.snapshotter.is_due()
    snapshotter = desk.snapshotter
    assert (snapshotter.position, snapshotter.made, snapshotter.failures) == (12, 1, 0)
    await desk.grow(9)
    assert not snapshotter.is_due()
    await desk.grow(1)
    assert snapshotter.is_due()


async def test_it_is_due_after_so_much_time_if_anything_happened() -> None:
    desk = await a_desk(telling(1), records_max=0, age_secs=HOUR)
    desk.clock.advance(2 * HOUR)
    assert not desk.snapshotter.is_due()
    await desk.grow(1)
    assert desk.snapshotter.is_due()
    assert await desk.snapshotter.make()
    await desk.grow(1)
    desk.clock.advance(HOUR - 1)
    assert not desk.snapshotter.is_due()
    desk.clock.advance(1)
    assert desk.snapshotter.is_due()


async def test_never_means_never() -> None:
    desk = await a_desk(telling(1), records_max=0)
    await desk.grow(100)
    desk.clock.advance(100 * HOUR)
    assert not desk.snapshotter.is_due()


@pytest.mark.parametrize(
    "command", [telling(1, code=1), child("print('what?')"), child("raise SystemExit('no room')")]
)
async def test_a_failure_is_told_and_tried_again_later(
    command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    desk = await a_desk(command)
    await desk.grow(10)
    assert not await desk.snapshotter.make()
    assert caplog.records
    assert desk.snapshotter.failures == 1
    assert not desk.snapshotter.is_due(), "not at once"
    desk.clock.advance(61)
    assert desk.snapshotter.is_due()


async def test_it_is_made_while_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECS", 0.01)
    desk = await a_desk(telling(12))
    await desk.grow(12)
    keeping = asyncio.create_task(desk.snapshotter.keep())
    while not desk.snapshotter.made:  # noqa: ASYNC110 - the child's end is no event of ours
        await asyncio.sleep(0.01)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_the_child_does_not_outlive_the_server(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    desk = await a_desk(child(code))
    await desk.grow(12)
    making = asyncio.create_task(desk.snapshotter.make())
    while not told.exists() or not told.read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert desk.snapshotter.running
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not desk.snapshotter.running
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_a_child_that_was_called_off_never_begins(tmp_path: Path) -> None:
    called_off = _Child(child(f"open({str(tmp_path / 'begun')!r}, 'w')"))
    called_off.kill()
    assert called_off.run()[0] != 0
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_the_verb() -> None:
    command = command_of(Settings(data_dir=Path("/data"), compress_log=True))
    assert command[1:4] == ["-m", "tools.cli", "snapshot"]
    assert command[-5:] == ["--data-dir", "/data", "--keep-log", "forever", "--compress-log"]
    assert "--compress-log" not in command_of(Settings())
