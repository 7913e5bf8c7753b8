from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.harness import Face, started
from tests.server.line import Line, Opener


@pytest.fixture
async def face(aiohttp_client: Any) -> Face:
    return await started(aiohttp_client)


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Give what opens a connection; all are cut at the end."""
    lines: list[Line] = []

    async def open_(face: Face) -> Line:
        lines.append(await Line.to(face))
        return lines[-1]

    yield open_
    for line in lines:
        await line.close()
