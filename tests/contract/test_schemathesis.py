"""Requests made up from the published description, against a real server: no 5xx, nothing undocumented.

`SPOOLOG_SCHEMATHESIS_EXAMPLES=1000` makes it the long form.
"""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from eventlog import MemoryLog
from projections.decide import Policy, access
from projections.state import State
from server import ids, waiting
from server.access import new_key
from server.app import build_app
from server.clock import WallClock
from server.engine import SYSTEM, Engine
from server.http import events
from server.http.routes import ROUTES
from server.settings import Settings

KEY: Final = "sp_test_of_schemathesis"
SECRET: Final = b"a secret of the tests, 32 bytes."
EXAMPLES: Final = os.environ.get("SPOOLOG_SCHEMATHESIS_EXAMPLES", "15")
# Whoever waits for a job waits a hundredth of the time; else most of the run would be waiting.
HASTE: Final = 100


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server in a thread of its own."""
    patient = waiting.WaitingRoom.wait

    async def hasty(
        room: waiting.WaitingRoom, place: waiting.Place, attempt: waiting.Attempt, secs: float
    ) -> None:
        await patient(room, place, attempt, secs / HASTE)

    monkeypatch.setattr(waiting.WaitingRoom, "wait", hasty)
    # Whoever follows the log gets what there is; else it would never end.
    monkeypatch.setattr(MemoryLog, "follow", MemoryLog.read)
    # And whoever listens to events hears how it stands; to some, that is all that a stream has.
    monkeypatch.setattr(events, "STREAM_SECS_MAX", 0.01)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_serve(), loop).result(10)
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve() -> web.AppRunner:
    log, clock = MemoryLog(), WallClock()
    await log.begin()
    engine = Engine(State(), log, clock, ids.uuid7_source(clock), Policy())
    engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "test", KEY))
    # All the wrong keys that are made up come from one address; each is to be looked at.
    app = build_app(engine, SECRET, Settings(auth_failures_per_min=0))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def test_the_server_keeps_to_its_description(url: str, tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("schemathesis")
    config = Path(__file__).with_name("schemathesis.toml")
    result = subprocess.run(
        [
            *(command, "--config-file", config, "run", f"{url}/openapi.json"),
            *("-H", f"Authorization: Bearer {KEY}", "--checks", "all"),
            *("--max-examples", EXAMPLES, "--generation-deterministic", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-10_000:] + result.stderr
    # All but the description itself, which it has read.
    assert f"Tested: {len(ROUTES) - 1}" in result.stdout
    generated = re.search(r"(\d+) generated", result.stdout)
    assert generated is not None
    assert int(generated[1]) > 20 * len(ROUTES)
