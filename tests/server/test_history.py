"""A job's history where the log's oldest records have expired: what is left, and no error."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from eventlog import FileLog, Reader, SyncMode
from eventlog.directory import Home
from eventlog.disk import OsDisk
from eventlog.retention import expire
from projections.events import decode
from projections.feed import Fact
from projections.fold import refold
from projections.state import State
from server.history import history

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(params=["events-v1", "events-v2"])
async def told(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """Write a golden log anew, one record a segment, and open it."""
    state = State()
    log = FileLog.open(
        tmp_path,
        clock=lambda: 1,
        new_cluster_id=lambda: "c1",
        sync=SyncMode.NONE,
        segment_bytes_max=1,
    )
    await log.begin()
    for batch in Reader(GOLDEN / request.param).entries():
        for position, body in batch:
            log.append(position, body)
            await log.durable(position)
            refold(state, decode(position, body))
    yield SimpleNamespace(log=log, data_dir=tmp_path, jobs=list(state.tables.jobs.values()))
    await log.close()


def places(found: list[Fact]) -> list[tuple[int, int]]:
    return [(one.record.position, one.index) for one in found]


async def test_history_ends_where_the_log_begins(told: SimpleNamespace) -> None:
    whole = {job.id: places(await history(told.log, job)) for job in told.jobs}
    assert max(map(len, whole.values())) > 3
    shortened = 0
    for first in range(1, told.log.last):
        done = expire(OsDisk(), Home(told.data_dir), "c1", before=first, covered=first - 1)
        assert done.first == first
        for job in told.jobs:
            left = [place for place in whole[job.id] if place[0] >= first]
            assert places(await history(told.log, job)) == left
            shortened += 0 < len(left) < len(whole[job.id])
    assert shortened > 10
