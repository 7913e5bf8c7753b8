from typing import Any

import pytest

from tests.server.harness import Face, started


@pytest.fixture
async def face(aiohttp_client: Any) -> Face:
    return await started(aiohttp_client)
