"""Actions on many jobs, as the API tells of them."""

from msgspec import Struct

from projections.specs import Verb


class Performed(Struct, frozen=True, kw_only=True):
    """Answer to POST /jobs/actions: how many matched, and how many were, or would be, changed.

    `job_ids` names the first hundred of those. `action_id` stands in the log with every change.
    """

    action: Verb
    dry_run: bool
    action_id: str | None
    matched: int
    affected: int
    skipped: int
    job_ids: list[str]


class DeadRetried(Struct, frozen=True, kw_only=True):
    """Answer to POST /jobs/dlq/retry."""

    retried_count: int
    retried_jobs: list[str]
    skipped_jobs: list[str]


class DeadPurged(Struct, frozen=True, kw_only=True):
    """Answer to POST /jobs/dlq/purge."""

    purged_count: int
