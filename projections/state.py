"""The state: tables of what exists, and the indexes that are derived from them.

``Tables`` is everything that a record has told; it is what a snapshot holds and a digest covers.
``State`` adds what can be computed from it. Dropping the indexes and building them anew from the
tables gives the same state; a test does that.

Only ``fold`` calls the methods that change anything.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct, field

from projections.agenda import Agenda, Duty
from projections.columns import Columns, Tagged
from projections.entities import ApiKey, Job, Queue, Worker
from projections.lifecycle import WAITING, Status
from projections.rawjson import words
from projections.shelf import Shelf

_NO_SHELF: Final = Shelf()


class Tables(Struct):
    """All facts. `position` and `at` are those of the last record; `seq` of the last job.

    Jobs stand in order of creation. Queues are keyed by organization, then name.
    """

    position: int = 0
    at: int = 0
    seq: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    queues: dict[str, dict[str, Queue]] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)


class State:
    """Tables plus everything derivable from them.

    ``before_change`` is called with every job about to change; a digest in progress listens there.
    """

    __slots__ = (
        "agenda",
        "before_change",
        "columns",
        "dependants",
        "idempotency",
        "keys_by_hash",
        "shelves",
        "tables",
        "tags",
    )

    def __init__(self, tables: Tables | None = None) -> None:
        self.tables = tables or Tables()
        self.agenda = Agenda()
        self.shelves: dict[str, dict[str, Shelf]] = {}
        self.dependants: dict[str, dict[str, Job]] = {}
        self.idempotency: dict[tuple[str, str], Job] = {}
        self.columns = Columns()
        self.tags: dict[tuple[str, str], Tagged] = {}
        self.keys_by_hash: dict[str, ApiKey] = {}
        self.before_change: Callable[[Job], None] | None = None
        for job in self.tables.jobs.values():
            self._index(job)
            self._place(job)
        for worker in self.tables.workers.values():
            self.expect(worker)
        for key in self.tables.keys.values():
            self.keys_by_hash[key.hash] = key

    @property
    def position(self) -> int:
        """Position of the last record folded; 0 before the first."""
        return self.tables.position

    # -- reading

    def job(self, org: str, job_id: str) -> Job | None:
        """Give a job of this organization."""
        job = self.tables.jobs.get(job_id)
        return job if job is not None and job.org == org else None

    def queue(self, org: str, name: str) -> Queue | None:
        """Give a queue of this organization."""
        return self.tables.queues.get(org, {}).get(name)

    def queues(self, org: str) -> Iterator[Queue]:
        """Give the organization's queues, in order of creation."""
        return iter(self.tables.queues.get(org, {}).values())

    def shelf(self, org: str, name: str) -> Shelf:
        """Give what is derived about a queue; an empty shelf for one that does not exist."""
        return self.shelves.get(org, {}).get(name, _NO_SHELF)

    # -- changing: for fold only

    def add_job(self, job: Job) -> None:
        """Take in a new job."""
        self.tables.jobs[job.id] = job
        self._index(job)
        self._place(job)

    def remove_job(self, job: Job) -> None:
        """Take a job out of everything."""
        self.lift(job)
        del self.tables.jobs[job.id]
        self.shelves[job.org][job.queue].leave(job)
        if job.idempotency_key is not None:
            del self.idempotency[job.org, job.idempotency_key]
        self.columns.remove(job)
        for word in words(job.tags):
            if not self.tags[job.org, word].remove(self.columns):
                del self.tags[job.org, word]

    def remove_queue(self, queue: Queue) -> None:
        """Take a queue out; what is derived about it stays while there are jobs in it."""
        queues = self.tables.queues[queue.org]
        del queues[queue.name]
        if not queues:
            del self.tables.queues[queue.org]
        shelves = self.shelves.get(queue.org, {})
        if queue.name in shelves and shelves[queue.name].is_empty():
            del shelves[queue.name]

    def lift(self, job: Job) -> None:
        """Take a job out of its places, because it is about to change."""
        if self.before_change is not None:
            self.before_change(job)
        self.shelves[job.org][job.queue].remove(job)
        if job.status is Status.PROCESSING:
            self.agenda.discard(Duty.EXPIRE_LEASE, job.id)
        elif job.status in WAITING:
            if job.due_at is not None:
                self.agenda.discard(Duty.PROMOTE, job.id)
            if job.expires_at is not None:
                self.agenda.discard(Duty.EXPIRE_JOB, job.id)
            if job.blocked:
                self._stop_waiting(job)

    def put_back(self, job: Job) -> None:
        """Put a job that was lifted and changed where it belongs now."""
        self.columns.put(job)
        self._place(job)

    def expect(self, worker: Worker) -> None:
        """Note when a worker counts as lost unless it is heard of."""
        if worker.offline_at is None:
            self.agenda.discard(Duty.LOSE_WORKER, worker.id)
        else:
            self.agenda.put(worker.offline_at, Duty.LOSE_WORKER, worker.id)

    def _index(self, job: Job) -> None:
        """Enter what never changes in a job's life."""
        if job.idempotency_key is not None:
            self.idempotency[job.org, job.idempotency_key] = job
        for word in words(job.tags):
            self.tags.setdefault((job.org, word), Tagged()).add(job.seq)
        shelf = self.shelves.setdefault(job.org, {}).get(job.queue)
        if shelf is None:
            shelf = self.shelves[job.org][job.queue] = Shelf()
        shelf.enter(job)
        self.columns.add(job)

    def _place(self, job: Job) -> None:
        self.shelves[job.org][job.queue].add(job)
        if job.status is Status.PROCESSING:
            assert job.lease_until is not None
            self.agenda.put(job.lease_until, Duty.EXPIRE_LEASE, job.id)
        elif job.status in WAITING:
            if job.due_at is not None:
                self.agenda.put(job.due_at, Duty.PROMOTE, job.id)
            if job.expires_at is not None:
                self.agenda.put(job.expires_at, Duty.EXPIRE_JOB, job.id)
            if job.blocked:
                assert job.parent is not None
                self.dependants.setdefault(job.parent, {})[job.id] = job

    def _stop_waiting(self, job: Job) -> None:
        assert job.parent is not None
        waiting = self.dependants[job.parent]
        del waiting[job.id]
        if not waiting:
            del self.dependants[job.parent]
