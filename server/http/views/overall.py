"""The server as a whole, as the API shows it: health, counts, digest."""

from msgspec import Struct

from eventlog import SyncMode
from eventlog.inventory import SegmentFile, SnapshotFile
from projections.moments import to_text_or_none
from server.http.views.times import Time


class Health(Struct, frozen=True):
    """Answer to GET /health. `database` is the log, `cache` the projections."""

    status: str
    database: bool
    cache: bool
    version: str
    uptime_seconds: int
    sync: SyncMode
    position: int


class Ready(Struct, frozen=True):
    """Answer to GET /health/ready when requests are welcome."""

    status: str
    position: int


class NotReady(Struct, frozen=True):
    """Answer to GET /health/ready when requests had better go elsewhere, and why."""

    status: str


class JobCounts(Struct, frozen=True):
    """Answer to GET /jobs/stats; `total` is the sum of the others."""

    pending: int
    scheduled: int
    processing: int
    completed: int
    failed: int
    deadletter: int
    cancelled: int
    total: int


class StateDigest(Struct, frozen=True):
    """The digest of the state, and the position it holds for."""

    position: int
    digest: str


class LogMark(Struct, frozen=True):
    """A record's position, and when it was written."""

    position: int
    at: Time


class LogSpan(Struct, frozen=True):
    """Answer to GET /log/span: from where to where the log goes, and marks in between.

    `marks` begin with the first record; a log in memory has none. `last` is the last position.
    """

    first: int
    last: int
    first_at: Time | None
    last_at: Time | None
    marks: list[LogMark]


class LogSegment(Struct, frozen=True):
    """A segment file. `last` and `sealed` come when it is complete; `damage` says what is wrong.

    `bytes` is its text, `file_bytes` what it takes on disk.
    """

    file: str
    first: int
    last: int | None
    bytes: int
    file_bytes: int
    sealed: bool
    compressed: bool
    created_at: Time | None
    damage: str | None


class LogSnapshot(Struct, frozen=True):
    """A snapshot file, of the state after the record at `position`."""

    file: str
    position: int
    bytes: int
    created_at: Time | None
    damage: str | None


class LogFiles(Struct, frozen=True):
    """Answer to GET /log/segments: up to 100 of each, the newest first, as they were `measured_at`.

    A log in memory has none.
    """

    measured_at: Time | None
    segments_total: int
    segments: list[LogSegment]
    snapshots: list[LogSnapshot]


class ErrorDetail(Struct, frozen=True):
    """Which field breaks which rule."""

    field: str
    message: str


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """Every error; `error` and `details` come with validation errors."""

    code: str
    message: str
    error: str | None = None
    details: list[ErrorDetail] | None = None


def log_segment(found: SegmentFile) -> LogSegment:
    """Give a segment as the API shows it."""
    return LogSegment(
        file=found.file,
        first=found.first,
        last=found.last,
        bytes=found.bytes,
        file_bytes=found.file_bytes,
        sealed=found.sealed,
        compressed=found.compressed,
        created_at=to_text_or_none(found.created_at_us),
        damage=found.damage,
    )


def log_snapshot(found: SnapshotFile) -> LogSnapshot:
    """Give a snapshot as the API shows it."""
    return LogSnapshot(
        file=found.file,
        position=found.position,
        bytes=found.bytes,
        created_at=to_text_or_none(found.created_at_us),
        damage=found.damage,
    )
