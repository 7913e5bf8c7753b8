"""A listening server on a log of its own, and both of the official clients connected to it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from spooled import AsyncSpooledClient, SpooledClient

from eventlog import LogFailed
from server.app import serve
from server.engine import Engine
from server.settings import Settings
from server.startup import Started, open_engine
from tests.sdk.clients import KEY, Api, config

RETRY_BASE_SECS: Final = 0.05
_JOIN_SECS: Final = 10


def _fatal(failure: LogFailed) -> None:
    raise failure


@pytest.fixture
def no_thread_stays() -> Iterator[None]:
    """Whatever threads a client starts have ended when the test has."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if not thread.name.startswith("asyncio_"):  # the loop's own pool lives as long as the loop
            thread.join(_JOIN_SECS)
            assert not thread.is_alive(), thread


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, port=0, api_key=KEY, retry_base_secs=RETRY_BASE_SECS)


@pytest.fixture
async def started(settings: Settings, no_thread_stays: None) -> Started:
    return await open_engine(settings, _fatal)


@pytest.fixture
def engine(started: Started) -> Engine:
    return started.engine


@pytest.fixture
async def url(settings: Settings, started: Started) -> AsyncIterator[str]:
    """Run the server as ``spoolog serve`` does, and give its address."""
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()

    def on_listening(host: str, port: int) -> None:
        listening.set_result(f"http://{host}:{port}")

    serving = asyncio.create_task(
        serve(started.engine, settings, started.secret, stop=stop, on_listening=on_listening)
    )
    try:
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        yield listening.result()
    finally:
        stop.set()
        await serving
        await started.engine.log.close()


@pytest.fixture(params=["blocking", "asyncio"])
async def api(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Api]:
    if request.param == "blocking":
        with SpooledClient(config=config(url)) as client:
            yield Api(client)
    else:
        async with AsyncSpooledClient(config=config(url)) as async_client:
            yield Api(async_client)
