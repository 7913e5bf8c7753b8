"""Three lives of one log in a row, which between them come through every part of its code."""

from collections.abc import Iterator

from msgspec.structs import replace

from eventlog import SyncMode
from tests.faults.powerloss import Life, Moment, Story, record, torn_disk
from tests.faults.simdisk import SimDisk

_LAST_LIFE = Life((1, 1, 1), closed=True)


def chronicle(lives: tuple[Life, Life], mode: SyncMode) -> Iterator[Moment]:
    """New, rotated, cut off in a write; restarted, and killed in a write; restarted and closed."""
    first, second, third = (replace(life, mode=mode) for life in (*lives, _LAST_LIFE))
    story = Story()
    moments = record(SimDisk(), first, story)
    yield from moments
    torn, story.told = torn_disk(moments)
    rehearsal = SimDisk.holding(torn.tree())
    record(rehearsal, second, Story(list(story.bodies), lives=1))
    calls = enumerate(rehearsal.names_of_calls, start=1)
    torn.cut_at = max(number for number, name in calls if name == "write") + 1
    yield from record(torn, second, story)
    yield from record(torn.killed(), third, story)
