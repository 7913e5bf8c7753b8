"""Records a life of the log on a simulated disk, and judges what a power loss at any moment leaves.

A `Story` knows what was appended and what was told to be durable, nothing else. After a crash the
log must open by itself and hold a prefix of the one that contains the other, and be as good as ever:
each judgement goes on with it, closes it, verifies it and reads it again.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from random import Random

from msgspec import Struct, field

from eventlog import FileLog, LogError, LogFailed, SyncMode, verify
from eventlog.frame import chain_hex, first_state, next_state
from tests.eventlog.logs import HOME, all_of, open_log
from tests.faults.crashes import FULL, THIN, Reach, Tree, crash_states, fingerprint, frozen
from tests.faults.loop import AtOnce, SimLoop
from tests.faults.simdisk import Directory, PowerCut, SimDisk


class Life(Struct, frozen=True):
    """One process: so many records in each batch; at the end closed, or left as it is."""

    batches: tuple[int, ...]
    closed: bool
    mode: SyncMode = SyncMode.ALWAYS
    body_bytes: int = 60
    segment_bytes: int = 1_000


class Story(Struct):
    """What was appended, and up to where it was told that it is durable."""

    bodies: list[bytes] = field(default_factory=list)
    told: int = 0
    lives: int = 0
    log: FileLog | None = None
    """the newest"""
    failures: list[LogFailed] = field(default_factory=list)
    """that the newest log has told of"""


class Moment(Struct, frozen=True):
    """Right before a call: all that is known, and the state of the disk."""

    call: str
    root: Directory
    bodies: tuple[bytes, ...]
    told: int


def open_simulated(disk: SimDisk, life: Life, on_failure: Callable[[LogFailed], None]) -> FileLog:
    return open_log(
        disk=disk,
        on_failure=on_failure,
        sync=life.mode,
        segment_bytes_max=life.segment_bytes,
        start_writer=AtOnce,
    )


async def live(disk: SimDisk, life: Life, story: Story) -> list[bytes]:
    """Live it; give what was found at the start."""
    story.lives += 1
    story.log, story.failures = None, []
    log = story.log = open_simulated(disk, life, story.failures.append)
    found = [content for _, content in await all_of(log)]
    assert len(found) == log.last
    assert story.bodies[: len(found)] == found
    assert len(found) >= story.told
    story.bodies = list(found)
    await log.begin()
    story.told = len(found)
    for number, records in enumerate(life.batches):
        for _ in range(records):
            position = log.last + 1
            content = b'{"n":%d,"life":%d,"x":"%b"}' % (
                position,
                story.lives,
                b"x" * (life.body_bytes * (1 + number % 3)),
            )
            story.bodies.append(content)
            log.append(position, content)
        await log.durable(log.last)
        story.told = log.last if life.mode is SyncMode.ALWAYS else log.stat().synced
    if life.closed:
        await log.close()
        story.told = log.last
    return found


def record(
    disk: SimDisk, life: Life, story: Story, among: list[Moment] | None = None
) -> list[Moment]:
    """Live it and give every moment of it."""
    moments = [] if among is None else among

    def note(call: str) -> None:
        moments.append(Moment(call, frozen(disk.root), tuple(story.bodies), story.told))

    disk.on_change = note
    with suppress(PowerCut):
        SimLoop().run(live(disk, life, story))
        note("end")
    disk.on_change = None
    return moments


def torn_disk(moments: list[Moment]) -> tuple[SimDisk, int]:
    """Give a disk on which the last write arrived in part, and how many records are whole on it."""
    for moment in reversed(moments):
        for tree in crash_states(moment.root, Random(1), THIN):
            verified = verify(HOME.directory, disk=SimDisk.holding(tree))
            if verified.torn is not None:
                return SimDisk.holding(tree), verified.records
    raise AssertionError("no crash state has a torn tail")


AFTERWARDS = Life(batches=(1,), closed=True)


class Judge:
    """Recovers from crash states, each once, and counts them."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = Random(seed)
        self.states = 0
        """crash states looked at"""
        self._known: dict[bytes, tuple[int, bytes]] = {}
        """what was found in each different tree: how much, and its fingerprint"""
        self._outcomes: dict[tuple[int, bytes], tuple[int, bytes]] = {}

    @property
    def distinct(self) -> int:
        """How many different trees were recovered from."""
        return len(self._known)

    def judge(self, moment: Moment, reach: Reach = FULL) -> Iterator[Tree]:
        """Judge every crash state of a moment; give those that had not been seen before."""
        prints = _prefix_prints(moment.bodies)
        for tree in crash_states(moment.root, self.rng, reach):
            self.states += 1
            key = fingerprint(tree)
            new = key not in self._known
            if new:
                found = self._recovered(tree, moment)
                outcome = (len(found), _print(found))
                self._known[key] = self._outcomes.setdefault(outcome, outcome)
            count, print_ = self._known[key]
            assert moment.told <= count, (
                f"{moment.told} had been told and {count} were found, crashed before {moment.call}"
            )
            assert count <= len(moment.bodies)
            assert prints[count] == print_
            if new:
                yield tree

    def all(self, moment: Moment, reach: Reach = FULL) -> None:
        """Judge every crash state of a moment."""
        for _ in self.judge(moment, reach):
            pass

    def _recovered(self, tree: Tree, moment: Moment) -> list[bytes]:
        try:
            return self._gone_on_with(tree, moment)
        except (LogError, AssertionError) as reason:
            held = {path: content for path, content in tree.items() if content is not None}
            raise AssertionError(
                f"crashed before {moment.call}, {moment.told} told: {reason}\nleft: {held}"
            ) from reason

    def _gone_on_with(self, tree: Tree, moment: Moment) -> list[bytes]:
        disk = SimDisk.holding(tree)
        story = Story(list(moment.bodies), moment.told, lives=90)
        found = SimLoop().run(live(disk, AFTERWARDS, story))
        assert disk.open_files == 0
        verified = verify(HOME.directory, disk=disk)
        assert (verified.records, verified.torn) == (len(story.bodies), None)
        assert verified.chain_hex == _chain(story.bodies)
        return found

    def again(self, tree: Tree, moment: Moment) -> None:
        """Crash once more, at every call of the recovery from a tree."""
        story = Story(list(moment.bodies), moment.told, lives=50)
        for second in record(SimDisk.holding(tree), AFTERWARDS, story):
            self.all(second, THIN_AGAIN)


THIN_AGAIN = Reach(every_byte=False, sectors=2)


def _chain(bodies: list[bytes]) -> str:
    state = first_state("c1")
    for position, content in enumerate(bodies, start=1):
        state = next_state(state, position, content)
    return chain_hex(state).decode()


def _print(bodies: list[bytes]) -> bytes:
    return blake2b(b"\n".join([*bodies, b""]), digest_size=16).digest()


def _prefix_prints(bodies: tuple[bytes, ...]) -> list[bytes]:
    made = blake2b(digest_size=16)
    prints = [made.digest()]
    for content in bodies:
        made.update(content + b"\n")
        prints.append(made.copy().digest())
    return prints
