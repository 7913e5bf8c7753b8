"""Joins the engine and the HTTP face: builds the aiohttp application, and runs it until told to stop.

No rule and no handler lives here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypedDict, Unpack

from aiohttp import web

from projections import bounds
from server.diskuse import DiskUse
from server.engine import Engine
from server.http import routes, streams
from server.http.connections import BACKLOG, Runner
from server.http.describe import described
from server.http.service import SERVICE, Service
from server.lag import watch_loop
from server.past import Past
from server.pressure import watch_log, watch_space
from server.series import Series, counting
from server.settings import Settings
from server.snapshotter import Snapshotter
from server.tally import LogMeter
from server.timekeeper import keep_time
from server.tokens import Revocations

DEFAULTS: Final = Settings()

Background = Callable[[], Coroutine[Any, Any, None]]
"""Starts what runs beside the requests, until it is cancelled."""


class Beside(TypedDict, total=False):
    """What a log on a disk brings with it; a log in memory has none of it."""

    free_bytes: Callable[[], int]
    """tells how much space the log's disk has left; it is called on a thread of its own"""
    meter: LogMeter
    """the one that the log tells of its batches"""
    on_stuck: Callable[[float], None]
    """hears when the disk has taken nothing for as long as the settings allow"""
    snapshotter: Snapshotter
    disk_use: DiskUse
    series: Series
    """the one that has counted what the start replayed, and goes on with the engine's records"""
    past: Past
    revocations: Revocations
    """the tokens that were logged out, as the disk has them"""


def build_app(
    engine: Engine,
    secret: bytes,
    settings: Settings = DEFAULTS,
    **beside: Unpack[Beside],
) -> web.Application:
    """Give an application that serves `engine`; `secret` keys the hashes of API keys."""
    app = web.Application(
        client_max_size=bounds.BULK_BODY_BYTES_MAX,
        handler_args={"lingering_time": 0.0},  # answers see to bodies that nobody reads
    )
    meter = beside.get("meter") or LogMeter()
    series = beside.get("series") or counting(engine)
    app[SERVICE] = service = Service(engine, secret, settings, described(), meter, series=series)
    if (revocations := beside.get("revocations")) is not None:
        service.tokens.revocations = revocations
    routes.register(app)
    app.cleanup_ctx.append(partial(_background, _tasks(service, settings, beside)))
    app.on_shutdown.append(_drain)
    return app


def _tasks(service: Service, settings: Settings, beside: Beside) -> list[Background]:
    """Give what runs beside the requests."""
    stuck_secs, on_stuck = settings.stuck_disk_secs, beside.get("on_stuck")
    tasks: list[Background] = [
        lambda: keep_time(service.engine),
        lambda: watch_loop(service.lag),
        lambda: watch_log(service.pressure, stuck_secs, on_stuck),
    ]
    if (free_bytes := beside.get("free_bytes")) is not None:
        tasks.append(lambda: watch_space(service.pressure, free_bytes))
    if (snapshotter := beside.get("snapshotter")) is not None:
        service.snapshotter = snapshotter
        tasks.append(snapshotter.keep)
    if (disk_use := beside.get("disk_use")) is not None:
        service.disk_use = disk_use
        tasks.append(disk_use.watch)
    if (past := beside.get("past")) is not None:
        service.past = past
        tasks.append(past.keep)
    return tasks


async def serve(
    engine: Engine,
    settings: Settings,
    secret: bytes,
    *,
    stop: asyncio.Event,
    on_listening: Callable[[str, int], None],
    **beside: Unpack[Beside],
) -> None:
    """Listen until `stop` is set, then drain: no more claims, running requests finish.

    The rest is as in `build_app`. The caller closes the log afterwards.

    Raises:
        OSError: the address cannot be listened on.
        Exception: whatever ended the timekeeper or a watch; the server does not run on without it.

    """
    app = build_app(engine, secret, settings, **beside)
    runner = Runner(app, settings, handle_signals=False, shutdown_timeout=settings.drain_secs)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG).start()
        host, port = runner.addresses[0][:2]
        on_listening(host, port)
        await _until_stopped(app[SERVICE], stop)
    finally:
        await runner.cleanup()


async def _drain(app: web.Application) -> None:
    """Say no to new claims, and send home who waits, so that running requests come to their end."""
    service = app[SERVICE]
    service.draining = True
    service.waiting.close()
    if service.past is not None:
        service.past.close()
    streams.leave(service)


async def _background(tasks: list[Background], app: web.Application) -> AsyncIterator[None]:
    running = app[SERVICE].background
    running.extend(asyncio.ensure_future(task()) for task in tasks)
    yield
    for task in running:
        task.cancel()
    for task in running:
        with suppress(asyncio.CancelledError):
            await task


async def _until_stopped(service: Service, stop: asyncio.Event) -> None:
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopped, *service.background}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    for task in service.background:
        if task.done():
            task.result()
