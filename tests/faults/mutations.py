"""Bugs that somebody might make, each as a small change of the running code, and who must notice.

They show that the fault tests can fail. Each function patches; the table says which test is to
catch it.
"""

from collections.abc import Callable
from itertools import count, islice
from typing import Any

import pytest
from msgspec import structs

import eventlog.compressed
import eventlog.retention
import eventlog.tail
from eventlog import SnapshotStore
from eventlog.commit import GroupCommit
from eventlog.frame import chain_hex
from eventlog.home import all_bases
from eventlog.mark import Mark
from eventlog.segment import ActiveSegment
from eventlog.writer import Chunk, Writing
from projections import eligibility, lifecycle, shelf
from projections.decide import claims, fence, retention, settlements
from projections.digest import digest
from projections.errors import LeaseExpired
from projections.events import (
    JobClaimed,
    JobCompleted,
    JobCreated,
    JobPriorityChanged,
    JobRetired,
    decode,
)
from projections.fold import FOLDS, refold
from projections.lifecycle import Status
from server import snapshotting
from server.engine import Engine
from tests.faults.simdisk import SimDisk

Patch = pytest.MonkeyPatch


def nothing(*_: Any) -> None:
    """Do nothing where something is needed."""


def answer_before_sync(patch: Patch) -> None:
    async def durable(self: GroupCommit, position: int) -> None:
        """Believe that it will be."""

    patch.setattr(GroupCommit, "durable", durable)


def no_sync_of_a_batch(patch: Patch) -> None:
    patch.setattr(ActiveSegment, "sync", nothing)


def no_sync_of_directories(patch: Patch) -> None:
    patch.setattr(SimDisk, "sync_directory", nothing)


def no_sync_before_a_rename(patch: Patch) -> None:
    patch.setattr(SimDisk, "sync_file", nothing)


def no_sync_of_what_was_found(patch: Patch) -> None:
    patch.setattr(SimDisk, "sync_path", nothing)


def no_question_to_the_device(patch: Patch) -> None:
    patch.setattr(SimDisk, "forget_cached", nothing)


def no_cut_of_a_torn_tail(patch: Patch) -> None:
    patch.setattr(ActiveSegment, "cut", nothing)


def mark_before_sync(patch: Patch) -> None:
    commit = Writing._commit

    def marked(self: Writing, chunk: Chunk) -> None:
        if chunk.lines:
            self._mark.advance(Mark(chunk.last, chain_hex(chunk.state_after)))
        commit(self, chunk)

    patch.setattr(Writing, "_commit", marked)


def no_sync_of_a_footer(patch: Patch) -> None:
    seal = ActiveSegment.seal

    def unsynced(self: ActiveSegment, last: int, state: bytes) -> str:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(type(self._disk), "sync_data", nothing)
            return seal(self, last, state)

    patch.setattr(ActiveSegment, "seal", unsynced)


def footer_before_its_records(patch: Patch) -> None:
    def seal(self: Writing) -> str:
        return self._segment.seal(self._last, self._state)

    patch.setattr(Writing, "_seal", seal)


def footer_without_newline_is_damage(patch: Patch) -> None:
    judge = eventlog.tail.damage_in_tail

    def strict(tail: bytes, offset: int, position: int, mark: int) -> str | None:
        bare = eventlog.tail.parse_footer(tail) is not None
        return "it was sealed" if bare else judge(tail, offset, position, mark)

    patch.setattr("eventlog.walker.damage_in_tail", strict)


def batch_number_of_what_is_not_synced(patch: Patch) -> None:
    open_batch = GroupCommit._open_batch

    def numbered(self: GroupCommit, position: int) -> Any:
        batch = open_batch(self, position)
        batch.number = position
        return batch

    patch.setattr(GroupCommit, "_open_batch", numbered)


def second_try_after_a_failed_sync(patch: Patch) -> None:
    sync = ActiveSegment.sync

    def stubborn(self: ActiveSegment) -> None:
        try:
            sync(self)
        except OSError:
            sync(self)

    patch.setattr(ActiveSegment, "sync", stubborn)


def every_event_a_record(patch: Patch) -> None:
    record = Engine._record

    def parts(self: Engine, now_us: int, caller: Any, events: tuple[Any, ...]) -> None:
        for event in events:
            record(self, now_us, caller, (event,))

    patch.setattr(Engine, "_record", parts)


def time_may_run_back(patch: Patch) -> None:
    patch.setattr(Engine, "now_us", lambda self: self._clock())


def any_lease_will_do(patch: Patch) -> None:
    patch.setattr(fence, "_objection", nothing)


def an_old_lease_will_do(patch: Patch) -> None:
    def objection(job: Any, claimed: Any, now_us: int) -> LeaseExpired | None:
        held = job.lease_until is not None and job.worker == claimed.worker
        return None if held and job.lease_until > now_us else LeaseExpired()

    patch.setattr(fence, "_objection", objection)


def a_worker_keeps_its_job_for_ever(patch: Patch) -> None:
    def objection(job: Any, claimed: Any, now_us: int) -> LeaseExpired | None:
        return None if job.lease is not None else LeaseExpired()

    patch.setattr(fence, "_objection", objection)


def claims_ignore_a_pause(patch: Patch) -> None:
    patch.setattr(eligibility, "allowance", lambda *asked: eligibility.Allowance(asked[-1]))


def claims_ignore_priority(patch: Patch) -> None:
    patch.setattr(shelf, "ready_rank", lambda job: job.seq)


def claimed_jobs_stay_ready(patch: Patch) -> None:
    fold = FOLDS[JobClaimed]

    def forgetful(state: Any, event: Any, record: Any) -> None:
        fold(state, event, record)
        job = state.tables.jobs[event.job]
        state.shelf(job.org, job.queue).ready.add(shelf.ready_rank(job), job.id)

    patch.setitem(FOLDS, JobClaimed, forgetful)


def fold_differs_at_replay(patch: Patch) -> None:
    fold, calls = FOLDS[JobPriorityChanged], count()

    def wavering(state: Any, event: Any, record: Any) -> None:
        fold(state, structs.replace(event, priority=event.priority + next(calls) % 2), record)

    patch.setitem(FOLDS, JobPriorityChanged, wavering)


def fold_keeps_what_it_should_not(patch: Patch) -> None:
    fold = FOLDS[JobCompleted]

    def sticky(state: Any, event: Any, record: Any) -> None:
        job = state.tables.jobs[event.job]
        lease, until = job.lease, job.lease_until
        fold(state, event, record)
        job.lease, job.lease_until = (lease, until) if record.position % 2 else (None, None)
        state.shelf(job.org, job.queue).ready.add(0, job.id)

    patch.setitem(FOLDS, JobCompleted, sticky)


def idempotency_keys_are_forgotten(patch: Patch) -> None:
    fold = FOLDS[JobCreated]

    def forgetful(state: Any, event: Any, record: Any) -> None:
        fold(state, structs.replace(event, idempotency_key=None), record)

    patch.setitem(FOLDS, JobCreated, forgetful)


def retries_never_come(patch: Patch) -> None:
    patch.setattr(settlements, "retry_delay_us", lambda *_: 10 * 365 * 86_400 * 1_000_000)


def leases_end_at_random(patch: Patch) -> None:
    patch.setattr(claims, "_or", lambda asked, default: default)


def no_sync_of_a_snapshot(patch: Patch) -> None:
    write = SnapshotStore.write

    def unsynced(self: SnapshotStore, head: Any, lines: Any, verify: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(type(self._disk), "sync_file", nothing)
            return write(self, head, lines, verify)

    patch.setattr(SnapshotStore, "write", unsynced)


def snapshot_of_an_unsynced_footer(patch: Patch) -> None:
    patch.setattr(snapshotting, "_durable_segments", lambda reader, _: reader.segments())


def snapshot_one_record_ahead(patch: Patch) -> None:
    head = snapshotting._head

    def ahead(reader: Any, segments: Any, state: Any, *told: Any) -> Any:
        made = head(reader, segments, state, *told)
        for batch in islice(reader.entries(state.position), 1):
            refold(state, decode(*batch[0]))
            state.tables.position -= 1
        return structs.replace(made, digest=digest(state))

    patch.setattr(snapshotting, "_head", ahead)


def beginning_told_after_the_removal(patch: Patch) -> None:
    write_start = eventlog.retention._write_start

    def late(disk: Any, home: Any, expired: Any) -> None:
        for base in all_bases(disk, home):
            for path in (home.segment(base), home.archive(base)):
                if base <= expired.base and path.name in disk.names(home.log):
                    disk.unlink(path)
        write_start(disk, home, expired)

    patch.setattr(eventlog.retention, "_write_start", late)


def plain_segment_goes_before_the_compressed_one_is_durable(patch: Patch) -> None:
    compress = eventlog.compressed.compress

    def unsynced(*told: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(SimDisk, "sync_directory", nothing)
            return compress(*told)

    patch.setattr(eventlog.compressed, "compress", unsynced)


def dead_letters_retire(patch: Patch) -> None:
    retire, dead = retention.retire, Status.DEADLETTER

    def greedy(state: Any, ctx: Any, limit: int) -> Any:
        decision = retire(state, ctx, limit)
        jobs = [job for job in state.tables.jobs.values() if job.status is dead]
        events = [JobRetired(org=job.org, job=job.id, prev=job.trail) for job in jobs]
        return structs.replace(decision, events=(*decision.events, *events))

    patch.setattr(retention, "retire", greedy)
    patch.setitem(lifecycle.MOVES, (dead, "job.retired"), frozenset({dead}))  # type: ignore[arg-type]


def retired_too_early(patch: Patch) -> None:
    over_age = retention._over_age

    def early(completed_at: int, ctx: Any) -> bool:
        return over_age(completed_at - 2_000_000, ctx)

    patch.setattr(retention, "_over_age", early)


Simulation = "simulation"
PowerLoss = "power loss"
PowerLossUnsynced = "power loss, sync none"

MUTATIONS: dict[Callable[[Patch], None], str] = {
    answer_before_sync: Simulation,
    no_sync_of_a_batch: Simulation,
    no_sync_of_directories: Simulation,
    no_sync_before_a_rename: Simulation,
    no_question_to_the_device: Simulation,
    second_try_after_a_failed_sync: Simulation,
    mark_before_sync: Simulation,
    every_event_a_record: Simulation,
    time_may_run_back: Simulation,
    any_lease_will_do: Simulation,
    an_old_lease_will_do: Simulation,
    a_worker_keeps_its_job_for_ever: Simulation,
    claims_ignore_a_pause: Simulation,
    claims_ignore_priority: Simulation,
    claimed_jobs_stay_ready: Simulation,
    fold_differs_at_replay: Simulation,
    fold_keeps_what_it_should_not: Simulation,
    idempotency_keys_are_forgotten: Simulation,
    retries_never_come: Simulation,
    leases_end_at_random: Simulation,
    no_sync_of_a_snapshot: Simulation,
    snapshot_of_an_unsynced_footer: Simulation,
    snapshot_one_record_ahead: Simulation,
    beginning_told_after_the_removal: Simulation,
    plain_segment_goes_before_the_compressed_one_is_durable: Simulation,
    dead_letters_retire: Simulation,
    retired_too_early: Simulation,
    no_sync_of_what_was_found: PowerLoss,
    no_cut_of_a_torn_tail: PowerLoss,
    no_sync_of_a_footer: PowerLoss,
    footer_without_newline_is_damage: PowerLoss,
    footer_before_its_records: PowerLossUnsynced,
    batch_number_of_what_is_not_synced: PowerLossUnsynced,
}
