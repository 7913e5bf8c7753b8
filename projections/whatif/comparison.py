"""A log gone through once: each job's recorded fate beside the one it would have had.

Jobs that hang together by their parents are judged together, as soon as all of them have ended. Those
that would have fared otherwise are remembered until they are gone, for jobs that name them later.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator

from msgspec import Struct, field

from projections.entities import Queue
from projections.events import (
    JobCreated,
    JobEvent,
    JobRestored,
    JobReverted,
    QueueConfigured,
    QueueDeleted,
    QueueFacts,
    QueueRestored,
    Record,
)
from projections.lifecycle import TERMINAL
from projections.state import State
from projections.whatif import UNCHANGED, Change, Fate
from projections.whatif.life import Life, rank_of
from projections.whatif.lives import begun, told
from projections.whatif.rerun import Rerun


class Judged(Struct, frozen=True):
    """One job: what it came to, and would have. `refused` things done to it would have been none.

    An `odd` life, or one it hangs together with, was changed by an undo; it is left as recorded.
    """

    job: str
    queue: str
    created_at: int
    recorded: Fate
    what_if: Fate
    refused: int = 0
    odd: bool = False


class _Family(Struct):
    """Jobs that hang together; `living` of them have not ended; the `judged` were told of.

    Of one that comes when its parent has been judged, only the elders are with it, and they stay in
    their own family as well: brothers and sisters do not touch each other.
    """

    lives: dict[str, Life] = field(default_factory=dict)
    living: int = 0
    judged: set[str] = field(default_factory=set)


class Comparison:
    """Takes in records and gives judged jobs; of one queue, or of all.

    `start` is the state before the first record: jobs in it are not considered, since their
    attempts are not known.
    """

    came_back: set[str]
    """jobs that an undo brought back when they had been judged: told as they had ended before"""

    def __init__(
        self, change: Change, queue: str | None = None, start: State | None = None
    ) -> None:
        self._change = change
        self._queue = queue
        self._families: dict[str, _Family] = {}
        self._at = 0
        self._start = State() if start is None else start
        self.came_back = set()
        self._own: dict[tuple[str, str], list[tuple[int, Change]]] = {}
        for queues in self._start.tables.queues.values():
            for one in queues.values():
                self._own[one.org, one.name] = [(0, _backoff_of(one))]

    def take(self, record: Record) -> Iterator[Judged]:
        """Take in a record, and give the jobs that can be judged since."""
        self._at = record.at
        ended: list[_Family] = []
        for index, event in enumerate(record.events):
            if isinstance(event, JobCreated):
                self._begin(event, record.at, rank_of(record, index))
            elif isinstance(event, JobEvent):
                family = self._families.get(event.job)
                self._note_return(event, family)
                if family is not None:
                    life = family.lives[event.job]
                    was_over = life.over
                    told(life, event, record, index)
                    family.living += was_over - life.over
                    ended.append(family)
            elif isinstance(event, QueueConfigured | QueueRestored | QueueDeleted):
                self._configure(event, record.at)
        for family in ended:
            if not family.living:
                yield from self._judge(family)

    def rest(self) -> Iterator[Judged]:
        """Give the jobs that have not ended where the record ends."""
        for family in list({id(one): one for one in self._families.values()}.values()):
            yield from self._judge(family)

    def _begin(self, event: JobCreated, at: int, rank: int) -> None:
        family = _Family()
        life = begun(event, at, rank)
        known = None if event.parent is None else self._families.get(event.parent)
        if known is not None and event.parent is not None:
            # A living parent that holds nothing back belongs to somebody else.
            life.linked = event.blocked or known.lives[event.parent].status in TERMINAL
            if life.linked:
                family = _of_elders(known, event.parent) if event.parent in known.judged else known
        family.lives[event.job] = life
        family.living += 1
        self._families[event.job] = family

    def _note_return(self, event: JobEvent, family: _Family | None) -> None:
        """Remember a job that lives again after it was judged; what it does then is not told."""
        if family is not None:
            judged = event.job in family.judged and family.lives[event.job].over
            known = judged and isinstance(event, JobRestored | JobReverted)
        elif isinstance(event, JobRestored):
            known = event.created_at > self._start.tables.at
        else:
            known = isinstance(event, JobReverted) and event.job not in self._start.tables.jobs
        if known:
            self.came_back.add(event.job)

    def _configure(self, event: QueueConfigured | QueueRestored | QueueDeleted, at: int) -> None:
        match event:
            case QueueRestored():
                own = _backoff_of(event.facts)
            case QueueDeleted():
                own = UNCHANGED
            case _:
                own = _backoff_of(event)
        self._own.setdefault((event.org, event.queue), [(0, UNCHANGED)]).append((at, own))

    def _own_at(self, org: str, queue: str, at: int) -> Change:
        known = self._own.get((org, queue))
        if known is None:
            return UNCHANGED
        return known[bisect_right(known, at, key=lambda entry: entry[0]) - 1][1]

    def _change_of(self, queue: str) -> Change:
        return self._change if self._queue in {None, queue} else UNCHANGED

    def _judge(self, family: _Family) -> Iterator[Judged]:
        """Live the family again, tell of those not told of, and keep those that differ."""
        lives = family.lives
        differing: set[str] = set()
        if len(family.judged) < len(lives) and self._considered(lives):
            for one in self._fates(lives):
                if one.recorded != one.what_if:
                    differing.add(one.job)
                if one.job not in family.judged and self._asked(one):
                    yield one
        elif self._considered(lives):
            differing = {job_id for job_id, life in lives.items() if not life.deleted}
        self._keep(family, differing)

    def worth(self, lives: dict[str, Life]) -> bool:
        """Whether living them again can come to anything else than the record."""
        return any(life.ruled for life in lives.values())

    def _asked(self, one: Judged) -> bool:
        return self._queue in {None, one.queue} or one.recorded != one.what_if

    def _considered(self, lives: dict[str, Life]) -> bool:
        if self._queue is None:
            return True
        return any(life.created.queue == self._queue for life in lives.values())

    def _fates(self, lives: dict[str, Life]) -> Iterator[Judged]:
        odd = any(life.odd for life in lives.values())
        fates: dict[str, tuple[Fate, int]] = {}
        if not odd and self.worth(lives):
            fates = Rerun(lives.values(), self._change_of, self._own_at, self._at).fates()
        for job_id, life in lives.items():
            recorded = life.fate()
            what_if, refused = fates.get(job_id, (recorded, 0))
            made = life.created
            yield Judged(job_id, made.queue, life.created_at, recorded, what_if, refused, odd)

    def _keep(self, family: _Family, differing: set[str]) -> None:
        """Keep what jobs that come later may hang on: those that differ, and whom they wait for."""
        lives = family.lives
        kept: set[str] = set()
        for job_id in differing:
            if not lives[job_id].deleted:
                kept.update(_line(lives, job_id, kept))
        for job_id in lives.keys() - kept:
            if self._families.get(job_id) is family:
                del self._families[job_id]
            del lives[job_id]
        family.judged = set(lives)


def _line(lives: dict[str, Life], job_id: str, known: Collection[str] = ()) -> Iterator[str]:
    """Name a job and its elders, up to one that is known."""
    at: str | None = job_id
    while at is not None and at in lives and at not in known:
        yield at
        at = lives[at].created.parent if lives[at].linked else None


def _of_elders(family: _Family, parent: str) -> _Family:
    found = {job_id: family.lives[job_id] for job_id in _line(family.lives, parent)}
    return _Family(lives=found, judged=set(found))


def _backoff_of(queue: Queue | QueueConfigured | QueueFacts) -> Change:
    """Give the waits that a queue has of its own."""
    return Change(
        retry_base_secs=queue.retry_base_secs,
        retry_cap_secs=queue.retry_cap_secs,
        retry_jitter=queue.retry_jitter,
    )
