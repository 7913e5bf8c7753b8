"""What failed in the last 24 hours, by queue and by what the errors have in common. Bounded memory."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct, field

from projections import bounds
from projections.signature import signature

KINDS_MAX: Final = 2_000
_STRETCH_US: Final = 10 * bounds.MINUTE_US
_STRETCHES: Final = bounds.DAY_US // _STRETCH_US

_signature = lru_cache(maxsize=1_000)(signature)


class Kind(Struct):
    """The failures of one queue with one signature; `job` and `error` are those of the last."""

    last_at: int = 0
    job: str = ""
    error: str = ""
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, at_us: int, job: str, error: str) -> None:
        """Count one."""
        self.last_at, self.job, self.error = at_us, job, error
        counts, number = self.counts, at_us // _STRETCH_US
        if number in counts:
            counts[number] += 1
        else:
            counts[number] = 1
            if len(counts) > _STRETCHES + 1:
                del counts[min(counts)]

    def count(self, now_us: int) -> int:
        """How many there were in the last 24 hours, to ten minutes."""
        since = now_us // _STRETCH_US - _STRETCHES
        return sum(count for number, count in self.counts.items() if number >= since)


class Group(Struct):
    """The failures with one signature, over queues: `counts` by queue, `last` the newest of them."""

    signature: str
    last: Kind
    counts: dict[str, int]

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts.values())


class Failures(Struct):
    """Counts failures; of more than 2,000 kinds those that happened last are kept."""

    kinds: dict[tuple[str, str, str], Kind] = field(default_factory=dict)
    """by organization, queue and signature"""

    def add(self, at_us: int, org: str, queue: str, job: str, error: str) -> None:
        """Count one."""
        key = (org, queue, _signature(error))
        kind = self.kinds.get(key)
        if kind is None:
            if len(self.kinds) == KINDS_MAX:
                self._drop_oldest()
            kind = self.kinds[key] = Kind()
        kind.add(at_us, job, error)

    def groups(self, org: str, may_see: Callable[[str], bool], now_us: int) -> list[Group]:
        """Give what failed in the queues that may be seen, the most frequent first."""
        by_signature: dict[str, Group] = {}
        for queue, sign, kind in self._seen(org, may_see):
            count = kind.count(now_us)
            if not count:
                continue
            group = by_signature.get(sign)
            if group is None:
                group = by_signature[sign] = Group(sign, kind, {})
            group.counts[queue] = count
            if kind.last_at > group.last.last_at:
                group.last = kind
        return sorted(by_signature.values(), key=lambda one: (-one.count, one.signature))

    def _seen(self, org: str, may_see: Callable[[str], bool]) -> Iterator[tuple[str, str, Kind]]:
        for (of, queue, sign), kind in self.kinds.items():
            if of == org and may_see(queue):
                yield queue, sign, kind

    def _drop_oldest(self) -> None:
        """Keep the newer half: once in a while, so that a kind costs next to nothing."""
        newest = sorted(self.kinds.items(), key=lambda one: one[1].last_at)[KINDS_MAX // 2 :]
        self.kinds = dict(newest)
