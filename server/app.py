"""Joins the engine and the HTTP face: builds the aiohttp application, and runs it until told to stop.

No rule and no handler lives here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web

from projections import bounds
from server.engine import Engine
from server.http import routes
from server.http.describe import described
from server.http.ratelimit import Limiter
from server.http.service import SERVICE, Service
from server.settings import Settings
from server.timekeeper import keep_time


def build_app(
    engine: Engine, secret: bytes, *, rate_limit: int = 100_000, rate_burst: int = 200_000
) -> web.Application:
    """Give an application that serves `engine`; `secret` keys the hashes of API keys.

    An organization may send `rate_limit` requests a second, `rate_burst` at once.
    """
    app = web.Application(client_max_size=bounds.BULK_BODY_BYTES_MAX)
    app[SERVICE] = Service(engine, secret, Limiter(rate_limit, rate_burst), described())
    routes.register(app)
    app.cleanup_ctx.append(_timekeeper)
    return app


async def serve(
    engine: Engine,
    settings: Settings,
    secret: bytes,
    *,
    stop: asyncio.Event,
    on_listening: Callable[[str, int], None],
) -> None:
    """Listen until `stop` is set, then drain: no more claims, running requests finish.

    The caller closes the log afterwards.

    Raises:
        OSError: the address cannot be listened on.
        Exception: whatever ended the timekeeper; the server does not run on without it.

    """
    app = build_app(engine, secret, rate_limit=settings.rate_limit, rate_burst=settings.rate_burst)
    runner = web.AppRunner(
        app, handle_signals=False, access_log=None, shutdown_timeout=settings.drain_secs
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        host, port = runner.addresses[0][:2]
        on_listening(host, port)
        await _until_stopped(app[SERVICE], stop)
    finally:
        app[SERVICE].draining = True
        app[SERVICE].waiting.close()
        app[SERVICE].leaving.set()
        await runner.cleanup()


async def _timekeeper(app: web.Application) -> AsyncIterator[None]:
    service = app[SERVICE]
    service.timekeeper = asyncio.create_task(keep_time(service.engine))
    yield
    service.timekeeper.cancel()
    with suppress(asyncio.CancelledError):
        await service.timekeeper


async def _until_stopped(service: Service, stop: asyncio.Event) -> None:
    assert service.timekeeper is not None
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopped, service.timekeeper}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    if service.timekeeper.done():
        service.timekeeper.result()
