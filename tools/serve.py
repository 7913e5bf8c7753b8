"""``spoolog serve``: start from the data directory, listen, drain on a signal, close the log.

This verb owns what concerns the whole process: the event loop, signals, the collector, the exit
code. The service itself is ``server.startup`` and ``server.app``.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from eventlog import Locked, LogDamaged, LogError, LogExpired, LogFailed
from eventlog.disk import OsDisk
from eventlog.home import Home
from eventlog.inventory import Stocktaking
from eventlog.usage import usage
from projections.events import Undecodable
from server.access import REVOKED_FILE
from server.console import speaking
from server.diskuse import DiskUse
from server.mount import UnsafeFileSystem
from server.past import Past
from server.past import command_of as command_of_past
from server.pressure import free_bytes_of
from server.settings import Settings
from server.snapshotter import Snapshotter, command_of
from server.startup import Started, open_engine
from server.tokens import Revocations
from spoolog.folding import without_gc
from tools.announce import report_key, report_start
from tools.options import settings_of, settings_options
from tools.output import Misuse, Problem, note, progress

EXIT_DISK_FAILED: Final = 74  # EX_IOERR of sysexits.h
EXIT_DEFECT: Final = 70  # EX_SOFTWARE
SWITCH_INTERVAL_SECS: Final = 50e-6
GC_THRESHOLDS: Final = (50_000, 20, 100)


@click.command()
@settings_options
def serve(**values: Any) -> None:
    """Run the server until it gets SIGTERM or SIGINT; a second one ends it at once.

    Exit codes: 1 the log is damaged, 2 it cannot be served here (another server holds it, the port
    is taken), 70 a defect of ours, 74 a write or a sync failed or hung.
    """
    settings = settings_of(values)
    # The log's writer thread waits for the interpreter lock: let it have it soon.
    sys.setswitchinterval(SWITCH_INTERVAL_SECS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_run(settings))
        except (Locked, UnsafeFileSystem) as refused:
            raise Misuse(str(refused)) from refused
        except (LogDamaged, LogExpired, Undecodable) as damaged:
            raise Problem(_refusal(settings, damaged)) from damaged
        except LogFailed as failure:
            die(failure)
        except OSError as refused:
            raise Misuse(f"cannot serve: {refused}") from refused


def die(failure: LogFailed) -> NoReturn:
    """End the process: what was not durable will never be, and nobody may be told otherwise."""
    # One write and no clean-up: an answer that is still on its way out would be a lie.
    os.write(2, f"spoolog: {failure}; nothing more can be made durable, so this ends\n".encode())
    os._exit(EXIT_DISK_FAILED)


def die_stuck(data_dir: Path, secs: float) -> NoReturn:
    """End the process: a disk that hangs may never come back, and whoever waits should know."""
    message = f"spoolog: the disk of {data_dir} has taken nothing for {secs:.0f} s; so this ends\n"
    os.write(2, message.encode())
    os._exit(EXIT_DISK_FAILED)


def die_broken(error: Exception) -> NoReturn:
    """End the process before the record that could not be folded is written; a restart is clean."""
    trace = "".join(traceback.format_exception(error))
    os.write(
        2, f"{trace}spoolog: a defect of ours; the record was not kept, start again\n".encode()
    )
    os._exit(EXIT_DEFECT)


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    started = await _start(settings, stop)
    if started is None:
        return
    try:
        await _serve(started, settings, stop)
    finally:
        await started.engine.log.close()


async def _start(settings: Settings, stop: asyncio.Event) -> Started | None:
    """Replay with a progress bar; a signal meanwhile ends it and gives nothing."""
    with progress("replaying") as advance, without_gc():
        opening = asyncio.ensure_future(open_engine(settings, die, advance))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if not opening.done():
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await opening
            return None
    return opening.result()


async def _serve(started: Started, settings: Settings, stop: asyncio.Event) -> None:
    # Imported here: everything above must be able to say what is wrong without an HTTP library.
    from server.app import serve as serve_http  # noqa: PLC0415
    from tools.descriptors import make_room  # noqa: PLC0415

    make_room(settings.connections_max)
    started.engine.on_broken = die_broken
    report_start(started, settings)
    # A full collection over all jobs would stop the server for longer than any sync takes.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)

    def on_listening(host: str, port: int) -> None:
        url = f"http://{_authority(host, port)}"
        click.echo(f"listening on {url}")
        if started.new_key is not None:
            report_key(started.new_key, settings.data_dir, f"http://{_reachable(host, port)}")

    with speaking(settings.console, lambda: started.engine.state.position, sys.stderr):
        await serve_http(
            started.engine,
            settings,
            started.secret,
            stop=stop,
            on_listening=on_listening,
            meter=started.meter,
            series=started.series,
            free_bytes=partial(free_bytes_of, settings.data_dir),
            snapshotter=_snapshotter(started, settings),
            disk_use=_disk_use(started, settings),
            past=Past(command_of_past(settings), secs=settings.past_secs),
            revocations=Revocations(settings.data_dir / REVOKED_FILE),
            on_stuck=partial(die_stuck, settings.data_dir),
        )
    note("stopped")


def _disk_use(started: Started, settings: Settings) -> DiskUse:
    disk, home = OsDisk(), Home(settings.data_dir)
    cluster = started.engine.log.stat().cluster
    return DiskUse(partial(usage, disk, home), Stocktaking(disk, home, cluster))


def _snapshotter(started: Started, settings: Settings) -> Snapshotter:
    return Snapshotter(
        started.engine.log,
        started.engine.now_us,
        records_max=settings.snapshot_records,
        age_us_max=settings.snapshot_age.us or 0,
        command=command_of(settings),
        newest=started.snapshot,
    )


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Drain on the first signal; on the second the log is as a crash would leave it: sound."""

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - optional on this platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _refusal(settings: Settings, damaged: LogError | Undecodable) -> str:
    text = (
        f"REFUSING TO START\n{damaged}\n"
        f"Look closer with: spoolog log verify --data-dir {settings.data_dir}"
    )
    if isinstance(damaged, LogDamaged):
        text += f"\nSee what would help: spoolog log repair --data-dir {settings.data_dir}"
    return text


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reachable(host: str, port: int) -> str:
    """Give an address that a client on this machine can use."""
    return _authority({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104
