"""The soak's short form: steady load, and at its end nothing was lost, refused or is different."""

from pathlib import Path

from tests.faults.figures import report
from tests.faults.real.soak import soak

SECS = 10


async def test_steady_load_leaves_server_and_log_the_same(tmp_path: Path) -> None:
    run = await soak(tmp_path / "data", SECS, rate=200)
    assert run.counts.wrong == []
    assert run.counts.completed == run.counts.created > 100
    assert run.counts.failed > 0
    assert run.same_digest
    assert {line.what for line in run.verdict()} > {"jobs done", "… beyond the jobs kept"}
    report("soak_short", jobs=run.counts.completed, failed_attempts=run.counts.failed)
