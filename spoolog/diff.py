"""What is different between two points of a log: jobs, queues, workers, keys.

The log is folded up to the first point and on to the second. Of each job that a record in between
tells of, one row is kept as it was before; the jobs are never held twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field

from eventlog import Reader
from projections.entities import Job
from projections.events import DEFAULT_ORG, JobEvent, Record
from projections.fold import refold
from projections.lifecycle import Status
from projections.state import State
from spoolog import changes
from spoolog.changes import Row
from spoolog.folding import fold_at, without_gc
from spoolog.onward import onward
from spoolog.point import Point

CREATED: Final = "created"
REMOVED: Final = "removed"
STATUS: Final = "status"
CHANGED: Final = "changed"
_THINGS: Final[Mapping[str, changes.Watched[Any]]] = {
    "queues": changes.QUEUE,
    "workers": changes.WORKER,
    "keys": changes.KEY,
}
_RECORDS_PER_PROGRESS: Final = 1_000


class Backwards(Exception):
    """The second point lies before the first."""


class Moment(Struct, frozen=True):
    """One end of what is compared: the last record there, and its time; 0 is before the first."""

    position: int
    at_us: int


class Changed(Struct, frozen=True):
    """Something that is not as it was; `fields` holds what differs, before and after."""

    name: str
    what: str
    queue: str | None
    fields: dict[str, list[Any]]


class InQueue(Struct, frozen=True):
    """The jobs of a queue by status, at both ends."""

    name: str
    before: dict[str, int]
    after: dict[str, int]


class Difference(Struct, frozen=True):
    """All that differs. `jobs` gives them one by one; the counts cover all of them.

    `passing` jobs came and went in between. `moves` counts changes of status.
    """

    before: Moment
    after: Moment
    events: int
    counts: dict[str, int]
    passing: int
    moves: Counter[tuple[str, str]]
    queues: list[InQueue]
    things: dict[str, list[Changed]]
    jobs: list[Changed]


class _Was(Struct, gc=False):
    """A job before the first record in between that tells of it; no row where there was none."""

    queue: str
    row: Row | None


class _Ends(Struct):
    """What is small enough to be copied whole: counts of the queues, and the rows of the rest."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, dict[str, tuple[str | None, Row]]] = field(default_factory=dict)


def difference(
    reader: Reader,
    start: Point,
    end: Point,
    *,
    queue: str | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Difference:
    """Compare two points of the log, of one queue or of all; list up to `limit` jobs.

    Raises:
        Backwards: the end lies before the start.
        LogDamaged, Undecodable: a record is not what was written; not one this version knows.
        LogExpired: the records that lead there have expired.

    """
    if _behind(start, end):  # also where both lie behind all records
        raise Backwards
    state = fold_at(reader, start, progress).state
    if state.position and not end.includes(state.position, state.tables.at):
        raise Backwards
    records = onward(reader, state.position, end)
    return compare(state, records, queue=queue, limit=limit, progress=progress)


def _behind(start: Point, end: Point) -> bool:
    """Whether the start is named as a later position, or a later moment, than the end."""
    if start.position is not None and end.position is not None:
        return start.position > end.position
    return start.at_us is not None and end.at_us is not None and start.at_us > end.at_us


def compare(
    state: State,
    records: Iterable[Record],
    *,
    queue: str | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Difference:
    """Fold records, and tell what is different behind them.

    Raises:
        Undecodable: a record does not follow from those before it.

    """
    before = Moment(state.position, state.tables.at)
    ends = _ends(state, queue)
    touched: dict[str, _Was] = {}
    events = 0
    with without_gc():
        for record in records:
            events += len(record.events)
            _touch(state, record, touched)
            refold(state, record)
            if progress is not None and record.position % _RECORDS_PER_PROGRESS == 0:
                progress(record.position)
    return _compared(state, touched, ends, before=before, events=events, queue=queue, limit=limit)


def _touch(state: State, record: Record, touched: dict[str, _Was]) -> None:
    """Remember how the jobs that a record tells of are, where it is the first to do so."""
    jobs = state.tables.jobs
    for event in record.events:
        if isinstance(event, JobEvent) and event.org == DEFAULT_ORG and event.job not in touched:
            job = jobs.get(event.job)
            if job is None:
                queue = getattr(event, "queue", None)
                assert isinstance(queue, str), "what was not there came into a queue"
                touched[event.job] = _Was(queue, None)
            else:
                touched[event.job] = _Was(job.queue, changes.JOB.row(job))


def _compared(
    state: State,
    touched: dict[str, _Was],
    ends: _Ends,
    *,
    before: Moment,
    events: int,
    queue: str | None,
    limit: int | None,
) -> Difference:
    counts: Counter[str] = Counter()
    moves: Counter[tuple[str, str]] = Counter()
    passing = 0
    listed: list[Changed] = []
    for job_id, was in touched.items():
        if queue is not None and was.queue != queue:
            continue
        job = state.job(DEFAULT_ORG, job_id)
        passing += job is None and was.row is None
        found = _of_job(job_id, was, job)
        if found is None:
            continue
        counts[found.what] += 1
        if found.what == STATUS:
            was_status, status = found.fields["status"]
            moves[was_status, status] += 1
        if limit is None or len(listed) < limit:
            listed.append(found)
    after = _ends(state, queue)
    return Difference(
        before=before,
        after=Moment(state.position, state.tables.at),
        events=events,
        counts={what: counts[what] for what in (CREATED, STATUS, CHANGED, REMOVED)},
        passing=passing,
        moves=moves,
        queues=list(_queues(ends, after)),
        things={
            kind: list(_things(kind, ends.rows[kind], rows)) for kind, rows in after.rows.items()
        },
        jobs=listed,
    )


def _of_job(job_id: str, was: _Was, job: Job | None) -> Changed | None:
    """Tell how a job differs; nothing when it is as it was, or came and went."""
    if was.row is None:
        if job is None:
            return None
        fields = {"status": [None, job.status.value]}
        return Changed(job_id, CREATED, was.queue, fields)
    names = changes.JOB.names
    if job is None:
        left = changes.told("status", was.row[names.index("status")])
        return Changed(job_id, REMOVED, was.queue, {"status": [left, None]})
    fields = changes.JOB.between(was.row, changes.JOB.row(job))
    if not fields:
        return None
    return Changed(job_id, STATUS if "status" in fields else CHANGED, was.queue, fields)


def _ends(state: State, queue: str | None) -> _Ends:
    counts = {
        name: {status.value: shelf.count(status) for status in Status}
        for name, shelf in state.shelves.get(DEFAULT_ORG, {}).items()
        if queue is None or name == queue
    }
    queues = [one for one in state.queues(DEFAULT_ORG) if queue is None or one.name == queue]
    workers = [
        one
        for one in state.tables.workers.values()
        if one.org == DEFAULT_ORG and (queue is None or one.queue == queue)
    ]
    keys = [one for one in state.tables.keys.values() if one.org == DEFAULT_ORG]
    rows: dict[str, dict[str, tuple[str | None, Row]]] = {
        "queues": {one.name: (one.name, changes.QUEUE.row(one)) for one in queues},
        "workers": {one.id: (one.queue, changes.WORKER.row(one)) for one in workers},
    }
    if queue is None:
        rows["keys"] = {one.id: (None, changes.KEY.row(one)) for one in keys}
    return _Ends(counts, rows)


def _queues(before: _Ends, after: _Ends) -> Iterator[InQueue]:
    """Give each queue with jobs at either end."""
    none = {status.value: 0 for status in Status}
    for name in sorted({*before.counts, *after.counts}):
        yield InQueue(name, before.counts.get(name, none), after.counts.get(name, none))


def _things(
    kind: str,
    before: dict[str, tuple[str | None, Row]],
    after: dict[str, tuple[str | None, Row]],
) -> Iterator[Changed]:
    for name in sorted({*before, *after}):
        (was_in, was), (is_in, row) = before.get(name, (None, ())), after.get(name, (None, ()))
        if not was:
            yield Changed(name, CREATED, is_in, {})
        elif not row:
            yield Changed(name, REMOVED, was_in, {})
        elif fields := _THINGS[kind].between(was, row):
            yield Changed(name, CHANGED, is_in, fields)
