"""``spoolog log``: stat, cat, tail, verify. Reads the log beside a running server; changes nothing.

How a record is chosen and worded stands in ``tools.lines``; what makes a log sound, in
``eventlog.verify``. The verbs that change or copy files stand in ``tools.logkeeping``,
``tools.archive``, ``tools.fork`` and ``tools.repair``.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from eventlog import LogDamaged, Reader, SegmentInfo, SnapshotStore, verify
from eventlog.errors import CheckpointDiffers, HashesMissing
from eventlog.frame import chain_hex
from projections.moments import to_text
from spoolog.folding import beginning, last_known
from spoolog.point import Point
from spoolog.select import Shown, Wanted, select
from tools import logkeeping, output
from tools.archive import archive
from tools.checkpoint import Comparison, checkpoint, file_type, verifiers_option
from tools.fork import fork
from tools.lines import document, readable
from tools.options import PointType, data_dir_option, json_option
from tools.repair import repair, told

F = TypeVar("F", bound=Callable[..., Any])
POLL_SECS: Final = 0.1


@click.group()
def log() -> None:
    """Look at the log, keep it small, copy it, repair it.

    All but repair works beside a running server; only repair gives records up.
    """


log.add_command(logkeeping.compress)
log.add_command(logkeeping.expire)
log.add_command(archive)
log.add_command(checkpoint)
log.add_command(fork)
log.add_command(repair)


def _filters(command: F) -> F:
    for option in (
        click.option(
            "--type", "types", multiple=True, help="Only events of this type; repeatable."
        ),
        click.option("--queue", help="Only events of this queue, its jobs and its workers."),
        click.option("--job", help="Only events of this job."),
        click.option("--by", help="Only what this API key did, or the word system."),
    ):
        command = option(command)
    return command


@log.command()
@data_dir_option
@json_option
def stat(data_dir: Path, as_json: bool) -> None:
    """Show positions, segments and the head of the hash chain."""
    reader = Reader(data_dir)
    segments, first, used = reader.segments(), reader.first, reader.usage()
    walker = reader.walk(segments[-1].base - 1 if segments else 0)
    while walker.next():
        pass
    cursor = walker.cursor
    last = 0 if cursor is None else cursor.position
    found: dict[str, object] = {
        "data_dir": str(data_dir),
        "cluster": reader.identity.cluster,
        "first": first,
        "last": last,
        "records": max(0, last - first + 1),
        "known_synced": walker.mark.position,
        "epoch": 0 if cursor is None else cursor.header.epoch,
        "chain": "" if cursor is None else chain_hex(cursor.state).decode(),
        "bytes": sum(segment.bytes for segment in segments),
        "file_bytes": used.log_bytes,
        "compressed_segments": used.compressed_segments,
        "snapshots": SnapshotStore(data_dir, reader.identity.cluster).positions(),
        "snapshot_bytes": used.snapshot_bytes,
        "quarantine_bytes": used.quarantine_bytes,
        "unfinished_bytes": 0 if walker.torn is None else walker.torn.bytes,
        "repairs": told(data_dir),
    }
    if as_json:
        output.say_json(found | {"segments": [_segment(segment) for segment in segments]})
        return
    output.facts("Log", found.items())
    described = [_segment(segment) for segment in segments]
    if described:
        output.rows("Segments", list(described[0]), [list(one.values()) for one in described])


@log.command()
@data_dir_option
@click.option("--from", "start", type=PointType(), help="First position or time.")
@click.option("--to", "end", type=PointType(), help="Last position or time.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many records.")
@_filters
@json_option
def cat(
    *,
    data_dir: Path,
    start: Point | None,
    end: Point | None,
    limit: int | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """Print records, oldest first: a line for each event, or with --json the stored JSON."""
    wanted = _wanted(filters, start, end)
    reader = Reader(data_dir)
    found = select(reader.lines(beginning(reader, wanted)), wanted)
    _print(islice(found, limit), as_json=as_json)


@log.command()
@data_dir_option
@click.option("-n", "--lines", "count", type=click.IntRange(min=0), default=10, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until interrupted.")
@_filters
@json_option
def tail(*, data_dir: Path, count: int, follow: bool, as_json: bool, **filters: Any) -> None:
    """Print the last records that match; with -f also what is written from now on.

    What -f shows was written and may not yet be synced.
    """
    wanted = _wanted(filters)
    reader = Reader(data_dir)
    last = last_known(reader) or 0
    # Without a filter the last records are known by their number; the log behind them is not read.
    after = beginning(reader, wanted)
    if not any(filters.values()):
        after = max(after, last - count)
    recent: deque[Shown] | None = deque(maxlen=count)

    def wait() -> bool:
        nonlocal recent
        if recent is not None:
            _print(recent, as_json=as_json)
            recent = None
        if follow:
            time.sleep(POLL_SECS)
        return follow

    try:
        for shown in select(reader.follow(after, wait), wanted):
            if recent is None:
                _print([shown], as_json=as_json)
            else:
                recent.append(shown)
    except KeyboardInterrupt:
        return  # the way to end `tail -f`, not a failure


@log.command("verify")
@data_dir_option
@click.option(
    "--checkpoint", "path", type=file_type, help="Also check that the log goes on from this one."
)
@verifiers_option
@json_option
def verify_log(data_dir: Path, path: Path | None, vkeys: tuple[str, ...], as_json: bool) -> None:
    """Check every checksum, the hash chain and the seals; exit 1 and say where if one is wrong.

    A log that was rolled back, or rewritten with all of these, is caught only with --checkpoint.
    """
    if vkeys and path is None:
        raise output.Misuse("--key is of use only with --checkpoint")
    try:
        total = last_known(Reader(data_dir))
        compared = None if path is None else Comparison(data_dir, path, vkeys)
        with output.progress("verifying", total) as advance:
            sound = verify(
                data_dir,
                progress=lambda position: advance(position, total),
                batches=None if compared is None else compared.take,
            )
        if compared is not None:
            compared.judge()
    except LogDamaged as damaged:
        if as_json:
            output.say_json(_damage(damaged))
        raise output.Problem(str(damaged)) from damaged
    except (CheckpointDiffers, HashesMissing) as differs:
        if as_json:
            output.say_json({"ok": False, "reason": str(differs)})
        raise output.Problem(str(differs)) from differs
    torn = None if sound.torn is None else str(sound.torn)
    found: dict[str, object] = {
        "ok": True,
        "cluster": sound.cluster,
        "first": sound.first,
        "records": sound.records,
        "segments": sound.segments,
        "bytes": sound.bytes,
        "chain": sound.chain_hex,
        "epochs": len(sound.epochs),
        "known_synced": sound.mark,
        "unfinished_write": torn,
        "repairs": told(data_dir),
        **({} if compared is None else compared.facts),
    }
    if as_json:
        output.say_json(found)
    else:
        output.facts("Sound: every record is as it was written", found.items())


def _damage(damaged: LogDamaged) -> dict[str, object]:
    return {
        "ok": False,
        "file": str(damaged.file),
        "byte": damaged.offset,
        "line": damaged.line,
        "position": damaged.position,
        "reason": damaged.reason,
        "last_good": damaged.last_good,
    }


def _segment(segment: SegmentInfo) -> dict[str, object]:
    return {
        "file": segment.path.name,
        "first": segment.base,
        "last": None if segment.footer is None else segment.footer.last,
        "bytes": segment.bytes,
        "file_bytes": segment.file_bytes,
        "compressed": segment.compressed,
        "epoch": segment.header.epoch,
        "sealed": segment.sealed,
        "created_at": to_text(segment.header.created_at_us),
        "writer": segment.header.writer,
    }


def _wanted(
    filters: dict[str, Any], start: Point | None = None, end: Point | None = None
) -> Wanted:
    return Wanted(
        start=start,
        end=end,
        types=frozenset(filters["types"]),
        queue=filters["queue"],
        job=filters["job"],
        by=filters["by"],
    )


def _print(found: Iterable[Shown], *, as_json: bool) -> None:
    for shown in found:
        if as_json:
            click.echo(document(shown.line))
        else:
            for text in readable(shown):
                click.echo(text)
