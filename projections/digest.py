"""One number for a whole state: the same on every machine that folded the same records.

Each entity is hashed on its own (SHA-256 over its table's name and its canonical JSON) and the
hashes are added modulo 2^256, so order and grouping do not matter and the work can be done in
slices while the state goes on changing: a job that changes before its turn is hashed in its old
form first. It finds differences between copies; against forgery the log has its hash chain.
"""

from hashlib import sha256
from typing import Final

from msgspec.json import Encoder

from projections.entities import Job
from projections.state import State

_MODULUS: Final = 1 << 256
_encode = Encoder().encode


def digest(state: State) -> str:
    """Give the digest of the state as it is, 64 hexadecimal digits."""
    digesting = Digesting(state)
    while not digesting.step(100_000):
        pass
    return digesting.hexdigest()


class Digesting:
    """A digest of the state at the moment this was made, computed in slices.

    Until ``hexdigest`` was called, ``state.before_change`` belongs to it.
    """

    def __init__(self, state: State) -> None:
        assert state.before_change is None, "one digest at a time"
        tables = state.tables
        self.position = tables.position
        self._state = state
        self._jobs = list(tables.jobs.values())
        self._next = 0
        self._seq_last = tables.seq
        self._seq_done = 0
        self._early: set[int] = set()
        self._sum = 0
        self._add("tables", [tables.position, tables.at, tables.seq])
        for queues in tables.queues.values():
            for queue in queues.values():
                self._add("queue", queue)
        for worker in tables.workers.values():
            self._add("worker", worker)
        for key in tables.keys.values():
            self._add("key", key)
        state.before_change = self._before_change

    def step(self, jobs: int) -> bool:
        """Hash up to `jobs` more; True when all are done."""
        for job in self._jobs[self._next : self._next + jobs]:
            if job.seq not in self._early:
                self._add("job", job)
            self._seq_done = job.seq
        self._next += jobs
        return self._next >= len(self._jobs)

    def hexdigest(self) -> str:
        """Give the digest and stop listening to the state."""
        self.close()
        return f"{self._sum:064x}"

    def close(self) -> None:
        """Stop listening to the state, finished or not."""
        self._state.before_change = None

    def _before_change(self, job: Job) -> None:
        if self._seq_done < job.seq <= self._seq_last and job.seq not in self._early:
            self._early.add(job.seq)
            self._add("job", job)

    def _add(self, table: str, entity: object) -> None:
        hashed = sha256(table.encode() + b" " + _encode(entity)).digest()
        self._sum = (self._sum + int.from_bytes(hashed, "big")) % _MODULUS
