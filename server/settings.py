"""Every option of the server, once: default, environment name and help come from here.

``tools.options`` turns the fields into command-line options and ``SPOOLOG_<NAME>`` variables; the
documentation is tested against the same list.
"""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from eventlog import SyncMode
from projections import bounds
from projections.decide import Policy
from server.console import Console
from server.duration import Duration

VERSION: Final = "0.1.0"


class Settings(Struct, frozen=True, kw_only=True):
    """How one server runs. The order is that of ``spoolog serve --help``."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen on; 0 picks one.")] = (
        8080
    )
    data_dir: Annotated[Path, Meta(description="Where the log is kept.")] = Path("spoolog-data")
    api_key: Annotated[
        str | None,
        Meta(description="Make this the server's API key. Without it the first start makes one."),
    ] = None
    key_prefix: Annotated[str, Meta(description="How generated API keys begin.")] = "sp_live_"
    sync: Annotated[SyncMode, Meta(description="When the log is synced to disk.")] = SyncMode.ALWAYS
    sync_interval_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="Time between syncs with --sync interval.")
    ] = 50
    segment_bytes: Annotated[
        int, Meta(ge=4_096, description="Size at which a log segment is sealed.")
    ] = 64 * 1024 * 1024
    max_retries: Annotated[
        int, Meta(ge=0, le=100, description="Retries of a job when neither it nor its queue says.")
    ] = 3
    timeout_secs: Annotated[
        int, Meta(ge=1, le=86_400, description="Time-out told to workers, likewise.")
    ] = 300
    retry_base_secs: Annotated[
        float, Meta(ge=0, description="Wait before the first retry; it doubles each time.")
    ] = 60.0
    retry_cap_secs: Annotated[float, Meta(ge=0, description="Longest wait before a retry.")] = (
        3_600.0
    )
    retry_jitter: Annotated[
        float, Meta(ge=0, le=1, description="Share of a wait that is taken off at random.")
    ] = 0.0
    keep_finished: Annotated[
        Duration,
        Meta(
            description="How long completed and cancelled jobs are kept: 30s, 15m, 12h, 7d, forever."
        ),
    ] = Duration("7d")
    keep_finished_jobs: Annotated[
        int, Meta(ge=0, description="How many of them are kept; the rest goes, oldest first.")
    ] = bounds.KEPT_FINISHED_JOBS_DEFAULT
    snapshot_records: Annotated[
        int, Meta(ge=0, description="Make a snapshot after so many records; 0 for never.")
    ] = 1_000_000
    snapshot_age: Annotated[
        Duration, Meta(description="Make one after so long, if anything happened.")
    ] = Duration("1h")
    compress_log: Annotated[
        bool, Meta(description="Compress sealed segments after each snapshot.")
    ] = False
    keep_log: Annotated[
        Duration,
        Meta(description="Remove older segments that two snapshots cover; by default none, ever."),
    ] = Duration("forever")
    past_secs: Annotated[
        float, Meta(ge=1, description="Longest wait for an answer about the past.")
    ] = 60.0
    past_memory_bytes: Annotated[
        int,
        Meta(ge=0, description="Memory of the process that shows the past; 0 for any."),
    ] = 2048 * bounds.MIB
    strict_queue_names: Annotated[
        bool, Meta(description="Allow only lowercase letters, digits and hyphens, at most 64.")
    ] = False
    require_lease_id: Annotated[
        bool, Meta(description="Refuse to settle a job without its lease_id.")
    ] = False
    rate_limit: Annotated[
        int,
        Meta(ge=1, description="Requests a second that an organization may send in the long run."),
    ] = 100_000
    rate_burst: Annotated[int, Meta(ge=1, description="Requests that it may send at once.")] = (
        200_000
    )
    console: Annotated[
        Console, Meta(description="How messages on standard error read: for people or programs.")
    ] = Console.TEXT
    access_log: Annotated[
        bool, Meta(description="Also tell of every request there, once it is answered.")
    ] = False
    metrics_token: Annotated[
        str | None,
        Meta(description="Who reads /metrics must bear this. Without it, everyone may."),
    ] = None
    auth_failures_per_min: Annotated[
        int,
        Meta(ge=0, description="Wrong API keys a minute that an address may send; 0 for any."),
    ] = 60
    token_secs: Annotated[int, Meta(ge=60, description="How long an access token is good for.")] = (
        3_600
    )
    refresh_token_secs: Annotated[
        int, Meta(ge=60, description="How long a refresh token is good for.")
    ] = 86_400
    pending_bytes_max: Annotated[
        int,
        Meta(ge=1, description="Commands are refused while more than this waits for the disk."),
    ] = 64 * bounds.MIB
    body_bytes_max: Annotated[
        int,
        Meta(
            ge=bounds.BULK_BODY_BYTES_MAX,
            description="Request bodies that may be on their way in at one time, in bytes.",
        ),
    ] = 256 * bounds.MIB
    connections_max: Annotated[
        int, Meta(ge=1, description="Connections that may be open at one time.")
    ] = 12_000
    head_secs: Annotated[
        float, Meta(ge=1, description="Longest time that a request's head may take.")
    ] = 15.0
    idle_secs: Annotated[
        float,
        Meta(ge=1, description="A connection on which nothing happens for this long is closed."),
    ] = 75.0
    body_secs: Annotated[
        float, Meta(ge=1, description="Longest time that a request's body may take.")
    ] = 60.0
    disk_reserve_bytes: Annotated[
        int,
        Meta(ge=0, description="Free space below which new work is refused; 0 for no reserve."),
    ] = 256 * bounds.MIB
    stuck_disk_secs: Annotated[
        float,
        Meta(ge=0, description="Ends when the disk takes nothing for this long; 0 for never."),
    ] = 60.0
    drain_secs: Annotated[
        float, Meta(ge=0, description="Longest wait for running requests at shutdown.")
    ] = 10.0

    def policy(self) -> Policy:
        """Give the part that decisions need."""
        return Policy(
            max_retries=self.max_retries,
            timeout_secs=self.timeout_secs,
            retry_base_secs=self.retry_base_secs,
            retry_cap_secs=self.retry_cap_secs,
            retry_jitter=self.retry_jitter,
            strict_queue_names=self.strict_queue_names,
            require_lease_id=self.require_lease_id,
            keep_finished_us=self.keep_finished.us,
            keep_finished_jobs=self.keep_finished_jobs,
        )
