"""The engine without HTTP: one moment a command, in the log as in the state."""

from itertools import count

import pytest
from msgspec import Raw

from eventlog import MemoryLog
from projections.decide import Caller, Policy, claims, jobs
from projections.digest import digest
from projections.events import JobCreated, Undecodable
from projections.fold import FOLDS
from projections.specs import Claim, NewJob
from projections.state import State
from server.engine import Broken, Engine
from server.startup import replayed
from tests.fakes import START_US, FakeClock, counting_ids

STRANGE = [
    b'{"v":1,"at":1,"by":"x","req":"","events":[{"type":"job.due","job":"nobody"}]}',
    b'{"v":1,"at":1,"by":"x","req":"","events":[{"type":"key.revoked","key":"nobody"}]}',
    b'{"v":1,"at":-1,"by":"x","req":"","events":[]}',
    b'{"v":99,"at":1,"by":"x","req":"","events":[]}',
]
CALLER = Caller("default", "key_test", "req")


async def test_what_is_due_before_a_command_gets_the_same_moment() -> None:
    """With a clock that moves at every look, the log's time must still never run back."""
    ticks = count(START_US, 3_000_000)
    log = MemoryLog()
    await log.begin()
    engine = Engine(State(), log, lambda: next(ticks), counting_ids(), Policy())
    for _ in range(5):
        engine.execute(jobs.create, CALLER, NewJob(queue_name="q", payload=Raw(b"{}")))
        engine.execute(
            claims.claim,
            CALLER,
            Claim(queue_name="q", worker_id="w", limit=3, lease_duration_secs=5),
        )
    assert engine.perform_duties(100) >= 0
    await engine.durable(engine.state.position)
    assert any(job.retry_count for job in engine.state.tables.jobs.values())
    assert digest(await replayed(log)) == digest(engine.state)
    await log.close()


@pytest.mark.parametrize("body", STRANGE)
async def test_an_intact_log_that_is_not_ours_is_refused_by_position(body: bytes) -> None:
    log = MemoryLog()
    await log.begin()
    log.append(1, b'{"v":1,"at":0,"by":"x","req":"","events":[]}')
    log.append(2, body)
    await log.durable(2)
    with pytest.raises(Undecodable, match="record 2"):
        await replayed(log)
    await log.close()


async def test_a_fold_that_fails_stops_the_engine_before_its_record_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    log = MemoryLog()
    await log.begin()
    log.hold()
    engine = Engine(State(), log, FakeClock(), counting_ids(), Policy())
    seen: list[tuple[str, int]] = []
    engine.on_broken = lambda error: seen.append((str(error), log.durable_position))
    monkeypatch.setitem(FOLDS, JobCreated, fail)  # type: ignore[arg-type]
    spec = NewJob(queue_name="q", payload=Raw(b"{}"))
    with pytest.raises(RuntimeError):
        engine.execute(jobs.create, CALLER, spec)
    assert seen == [("a defect", 0)]
    monkeypatch.undo()
    with pytest.raises(Broken):
        engine.execute(jobs.create, CALLER, spec)
    with pytest.raises(Broken):
        engine.perform_duties(1)
    log.release()
    await log.close()
