"""``spoolog log``: stat, cat, tail, verify. Reads the log beside a running server; changes nothing.

How a record is chosen and worded stands in ``tools.lines``; what makes a log sound, in
``eventlog.verify``. The verbs that change or copy files stand in ``tools.logkeeping``,
``tools.archive``, ``tools.fork`` and ``tools.repair``.
"""

import os
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

import spoolog
from eventlog import (
    CheckpointDiffers,
    HashesMissing,
    LogDamaged,
    Reader,
    SegmentInfo,
    SnapshotStore,
    verify,
)
from projections.moments import to_text
from spoolog import Shown
from tools import logkeeping, output
from tools.archive import archive
from tools.checkpoint import Comparison, checkpoint, file_type, verifiers_option
from tools.fork import fork
from tools.lines import document, readable
from tools.options import PointType, data_dir_option, filter_options, json_option
from tools.repair import repair, told

_ALONE_BYTES_MAX: Final = 128 * 1024 * 1024
"""Reading so much takes no longer than starting others to help."""


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
        "chain": walker.chain,
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
@click.option("--chained", is_flag=True, help="Check the hash chain as well, also with a filter.")
@filter_options
@json_option
def cat(*, data_dir: Path, limit: int | None, chained: bool, as_json: bool, **filters: Any) -> None:
    """Print records, oldest first: a line for each event, or with --json the stored JSON.

    Every record on the way must have its checksum and position. A filter passes over what does not
    match without looking at the hash chain: `log verify` looks at all of it.
    """
    found = spoolog.open(data_dir).records(chained=chained, **filters)
    with output.to_a_reader():
        _print(islice(found, limit), as_json=as_json)


@log.command()
@data_dir_option
@click.option("-n", "--lines", "count", type=click.IntRange(min=0), default=10, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until interrupted.")
@filter_options
@json_option
def tail(*, data_dir: Path, count: int, follow: bool, as_json: bool, **filters: Any) -> None:
    """Print the last records that match; with -f also what is written from now on.

    What -f shows was written and may not yet be synced.
    """
    history = spoolog.open(data_dir)
    last = history.last
    # Without a filter the last records are known by their number; the log behind them is not read.
    start = None if any(filters.values()) else max(history.first, last - count + 1)
    _print(deque(history.records(start=start, end=last, **filters), count), as_json=as_json)
    if not follow:
        return
    try:
        for shown in history.follow(start=last + 1, **filters):
            _print([shown], as_json=as_json)
    except KeyboardInterrupt:
        return  # the way to end `tail -f`, not a failure


@log.command("verify")
@data_dir_option
@click.option(
    "--checkpoint", "path", type=file_type, help="Also check that the log goes on from this one."
)
@verifiers_option
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="How many read it; as many as there are processors when it is long.",
)
@json_option
def verify_log(
    *,
    data_dir: Path,
    path: Path | None,
    vkeys: tuple[str, ...],
    processes: int | None,
    as_json: bool,
) -> None:
    """Check every checksum, the hash chain and the seals; exit 1 and say where if one is wrong.

    A log that was rolled back, or rewritten with all of these, is caught only with --checkpoint,
    for which one process reads it.
    """
    if vkeys and path is None:
        raise output.Misuse("--key is of use only with --checkpoint")
    try:
        history = spoolog.open(data_dir)
        total = history.last_known
        compared = None if path is None else Comparison(data_dir, path, vkeys)
        with output.progress("verifying", total) as advance:
            sound = verify(
                data_dir,
                progress=lambda position: advance(position, total),
                batches=None if compared is None else compared.take,
                processes=processes or _processes(history.reader.segments()),
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


def _processes(segments: list[SegmentInfo]) -> int:
    long = sum(segment.bytes for segment in segments) > _ALONE_BYTES_MAX
    return (os.cpu_count() or 1) if long else 1


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


def _print(found: Iterable[Shown], *, as_json: bool) -> None:
    for shown in found:
        if as_json:
            click.echo(document(shown.line))
        else:
            for text in readable(shown):
                click.echo(text)
