"""Who wants which frames: those that want the same stand in one line, and a job's own lines are found by it.

So what is told of one job costs nothing for the ten thousand that watch others.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from projections.frames import Frame, Wanted

T = TypeVar("T")

_ByWish = dict[Wanted, set[T]]


class Lines(Generic[T]):
    """Lines of those who wait, by what they want."""

    def __init__(self) -> None:
        self._by_job: dict[str | None, _ByWish[T]] = {}
        """under nothing: of any job"""
        self._orgs: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._by_job)

    def are_of(self, org: str) -> bool:
        """Whether anyone waits for frames of this organization."""
        return org in self._orgs

    def enter(self, wanted: Wanted, one: T) -> None:
        """Let someone wait."""
        self._by_job.setdefault(wanted.job, {}).setdefault(wanted, set()).add(one)
        self._orgs[wanted.org] += 1

    def leave(self, wanted: Wanted, one: T) -> None:
        """Let someone who waits wait no more."""
        by_wish = self._by_job[wanted.job]
        by_wish[wanted].discard(one)
        if not by_wish[wanted]:
            del by_wish[wanted]
        if not by_wish:
            del self._by_job[wanted.job]
        self._orgs[wanted.org] -= 1
        if not self._orgs[wanted.org]:
            del self._orgs[wanted.org]

    def of(self, frames: list[Frame]) -> Iterator[tuple[list[Frame], list[T]]]:
        """Give each line as it is now, with those of the frames that are for it, if any.

        Lines of other jobs are passed over; what is given need not be taken in one go.
        """
        by_job: defaultdict[str | None, list[Frame]] = defaultdict(list)
        for frame in frames:
            if frame.job in self._by_job:
                by_job[frame.job].append(frame)
        by_job[None] = frames
        found = [
            (wanted, near, list(line))
            for job, near in by_job.items()
            for wanted, line in self._by_job.get(job, {}).items()
        ]
        for wanted, near, line in found:
            yield [frame for frame in near if wanted.takes(frame)], line
