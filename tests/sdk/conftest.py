"""A listening server on a log of its own, and both of the official clients connected to it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from pathlib import Path
from typing import Any, Final

import pytest
from spooled import AsyncSpooledClient, SpooledClient
from spooled.config import CircuitBreakerConfig, RetryConfig, SpooledClientConfig

from eventlog import LogFailed
from server.app import serve
from server.settings import Settings
from server.startup import open_engine

KEY: Final = "sp_test_0123456789abcdef"
RETRY_BASE_SECS: Final = 0.05
_JOIN_SECS: Final = 10


class Api:
    """Calls either client by the name of the method; the one that blocks does so in a thread."""

    def __init__(self, client: SpooledClient | AsyncSpooledClient) -> None:
        self._client = client

    async def __call__(self, name: str, *args: Any) -> Any:
        method = reduce(getattr, name.split("."), self._client)
        if isinstance(self._client, SpooledClient):
            return await asyncio.to_thread(method, *args)
        return await method(*args)


def config(url: str, **changed: Any) -> SpooledClientConfig:
    """Give a client that neither retries nor gives up: what the server says is what a test sees."""
    return SpooledClientConfig(
        api_key=changed.pop("api_key", KEY),
        base_url=url,
        retry=RetryConfig(max_retries=0),
        circuit_breaker=CircuitBreakerConfig(enabled=False),
        **changed,
    )


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
async def url(tmp_path: Path, no_thread_stays: None) -> AsyncIterator[str]:
    """Run the server as ``spoolog serve`` does, and give its address."""
    settings = Settings(data_dir=tmp_path, port=0, api_key=KEY, retry_base_secs=RETRY_BASE_SECS)
    started = await open_engine(settings, _fatal)
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
