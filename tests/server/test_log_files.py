"""The files of the log over HTTP: what a thread found, and what it is called."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.disk import OsDisk
from eventlog.errors import LogDamaged
from eventlog.home import Home
from eventlog.inventory import Inventory, Stocktaking
from server import housekeeping
from server.diskuse import NOTHING, DiskUse
from tests.server.harness import TIME, Face, until
from tests.server.pastface import PastFace, past_face

NONE = {"measured_at": None, "segments_total": 0, "segments": [], "snapshots": []}


@pytest.fixture
async def kept(aiohttp_client: Any, tmp_path: Path) -> AsyncIterator[PastFace]:
    face = await past_face(aiohttp_client, tmp_path)
    yield face
    await face.client.close()
    await face.engine.log.close()


def telling(take_stock: Callable[[], Inventory]) -> tuple[asyncio.Event, DiskUse]:
    """Give what measures with this, and an event that is set when it has."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def look() -> Inventory:
        try:
            return take_stock()
        finally:
            loop.call_soon_threadsafe(done.set)

    return done, DiskUse(lambda: NOTHING, look)


async def told(face: PastFace) -> dict[str, Any]:
    """Measure once, and ask."""
    done, use = telling(Stocktaking(OsDisk(), Home(face.data_dir), "past"))
    face.service.disk_use = use
    watching = asyncio.create_task(use.watch())
    await done.wait()
    await until(lambda: use.measured_us is not None)
    watching.cancel()
    found: dict[str, Any] = (await face.get("/log/segments")).json
    return found


async def test_a_log_in_memory_has_none(face: Face) -> None:
    assert (await face.get("/log/segments")).json == NONE


async def test_segments_and_snapshots_are_told(kept: PastFace) -> None:
    for _ in range(40):
        await kept.create(payload={"text": "x" * 200})
    covered = await kept.snapshot()
    await kept.create()
    found = await told(kept)
    assert TIME.fullmatch(found["measured_at"])
    newest, *sealed = found["segments"]
    assert found["segments_total"] == len(sealed) + 1 > 2
    assert newest["last"] is None
    assert not newest["sealed"]
    assert newest["first"] == sealed[0]["last"] + 1
    for one in sealed:
        assert one["sealed"]
        assert not one["compressed"]
        assert one["bytes"] == one["file_bytes"]
        assert TIME.fullmatch(one["created_at"])
    (snapshot,) = found["snapshots"]
    assert snapshot["position"] == covered
    assert snapshot["damage"] is None
    assert str(kept.data_dir) not in str(found)

    assert housekeeping.compress(kept.data_dir)
    again = await told(kept)
    assert {one["compressed"] for one in again["segments"][1:]} >= {True}
    assert sum(one["file_bytes"] for one in again["segments"]) < sum(
        one["bytes"] for one in again["segments"]
    )


@pytest.mark.parametrize("error", [OSError("gone"), LogDamaged(Path("START"), 0, 1, 0, "torn")])
async def test_what_cannot_be_measured_is_told_and_stops_nothing(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Inventory:
        raise error

    done, use = telling(broken)
    watching = asyncio.create_task(use.watch())
    await done.wait()
    await until(lambda: "cannot be measured" in caplog.text)
    assert not watching.done()
    assert use.measured_us is None
    watching.cancel()
