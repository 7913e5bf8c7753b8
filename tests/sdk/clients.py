"""The official clients, set up so that what the server says is what a test sees."""

import asyncio
from functools import reduce
from typing import Any, Final

from spooled import AsyncSpooledClient, SpooledClient
from spooled.config import CircuitBreakerConfig, RetryConfig, SpooledClientConfig

KEY: Final = "sp_test_0123456789abcdef"


class Api:
    """Calls either client by the name of the method; the one that blocks does so in a thread."""

    def __init__(self, client: SpooledClient | AsyncSpooledClient) -> None:
        self._client = client

    async def __call__(self, name: str, *args: Any) -> Any:
        method = reduce(getattr, name.split("."), self._client)
        if isinstance(self._client, SpooledClient):
            return await asyncio.to_thread(method, *args)
        return await method(*args)


def config(url: str, api_key: str = KEY) -> SpooledClientConfig:
    """Give the settings of a client that neither retries nor stops asking."""
    return SpooledClientConfig(
        api_key=api_key,
        base_url=url,
        retry=RetryConfig(max_retries=0),
        circuit_breaker=CircuitBreakerConfig(enabled=False),
    )
