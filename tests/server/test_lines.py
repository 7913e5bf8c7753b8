"""Handing out to very many: each is handed all that is for it, once, and others are let in between."""

import asyncio
from itertools import product

from hypothesis import given
from hypothesis import strategies as some

from projections.decide import jobs, queues
from projections.frames import Frame, Wanted
from projections.specs import Pause
from server import live
from server.engine import SYSTEM, Engine
from server.lines import Lines
from server.live import Hub, Listener
from tests.build import a_job
from tests.server.harness import an_engine, until

ORGS, QUEUES, JOBS = ("a", "b"), ("q", "r", None), ("1", "2", None)
LISTENERS = 200

wishes = some.builds(
    Wanted,
    org=some.sampled_from(ORGS),
    queues=some.frozensets(some.sampled_from(("q", "r"))),
    queue=some.sampled_from(QUEUES),
    job=some.sampled_from(JOBS),
    either=some.frozensets(some.sampled_from(list(product(QUEUES, JOBS)))),
)
told = some.builds(
    Frame,
    position=some.just(1),
    index=some.integers(0, 9),
    org=some.sampled_from(ORGS),
    type=some.just("JobCreated"),
    data=some.just({}),
    queue=some.sampled_from(QUEUES),
    job=some.sampled_from(JOBS),
)


def fits(frame: Frame, queue: str | None, job: str | None) -> bool:
    return queue in (None, frame.queue) and job in (None, frame.job)


def is_for(wanted: Wanted, frame: Frame) -> bool:
    """The rule, in as few words as it has in the API's description."""
    return (
        frame.org == wanted.org
        and (not wanted.queues or frame.queue in wanted.queues)
        and fits(frame, wanted.queue, wanted.job)
        and (not wanted.either or any(fits(frame, *pair) for pair in wanted.either))
    )


@given(some.lists(wishes, max_size=8), some.lists(told, max_size=8))
def test_each_line_is_given_what_is_for_it(wanted: list[Wanted], frames: list[Frame]) -> None:
    lines: Lines[int] = Lines()
    for number, one in enumerate(wanted):
        lines.enter(one, number)
    given_to: dict[int, list[Frame]] = {number: [] for number in range(len(wanted))}
    for mine, line in lines.of(frames):
        for number in line:
            given_to[number] += mine
    assert given_to == {
        number: [frame for frame in frames if is_for(one, frame)]
        for number, one in enumerate(wanted)
    }
    for number, one in enumerate(wanted):
        assert lines.are_of(one.org)
        lines.leave(one, number)
    assert not lines
    assert not any(map(lines.are_of, ORGS))


def test_lines_of_other_jobs_are_passed_over() -> None:
    lines: Lines[int] = Lines()
    for number in range(1_000):
        lines.enter(Wanted("a", job=str(number)), number)
    frame = Frame(1, 0, "a", "JobCreated", {}, "q", "7")
    assert list(lines.of([frame])) == [([frame], [7])]


def listeners(hub: Hub, *wanted: Wanted) -> list[Listener]:
    return [hub.listen(one, lambda: None) for one in wanted]


async def in_the_middle(hub: Hub, found: list[Listener], position: int) -> None:
    """Go on until some were handed a record and others not."""
    await until(lambda: sum(one.handed == position for one in found) not in {0, len(found)})


async def taken(listener: Listener) -> list[int]:
    """Give the positions of all that a listener has been handed."""
    found: list[int] = []
    while not listener.is_caught_up:
        batch = await listener.take(0)
        assert batch is not None
        found += [frame.position for frame in batch.frames]
    return found


async def test_others_are_let_in_between_and_nobody_counts_as_told_before() -> None:
    engine = await an_engine()
    hub = Hub(engine)
    found = listeners(hub, *(Wanted("default", queue=f"q{n % 3}") for n in range(LISTENERS)))
    positions = [engine.execute(jobs.create, SYSTEM, a_job(f"q{n}")).position for n in range(3)]
    await in_the_middle(hub, found[1::3], positions[1])
    assert hub.reached < positions[0], "some would be told it again, or never"
    await until(lambda: hub.reached >= positions[2])
    assert [await taken(one) for one in found[:3]] == [[position] for position in positions]


async def test_who_changes_their_wish_in_the_middle_is_told_each_once() -> None:
    engine = await an_engine()
    hub = Hub(engine)
    all_of_it, one_queue = Wanted("default"), Wanted("default", queue="q")
    found = listeners(hub, *[all_of_it] * LISTENERS)
    first = pause(engine)
    await in_the_middle(hub, found, first)
    for one in found:
        hub.retune(one, one_queue)
    gone = found.pop()
    hub.leave(gone)
    late = hub.listen(all_of_it, lambda: None)
    second = pause(engine)
    await until(lambda: hub.reached >= second)
    assert all([await taken(one) == [first, second] for one in found])
    assert gone.is_caught_up, "who has left is handed nothing more"
    assert await taken(late) == [second]


async def test_much_that_waited_for_the_disk_goes_out_in_rounds() -> None:
    engine = await an_engine()
    hub = Hub(engine)
    (listener,) = listeners(hub, Wanted("default"))
    positions = [pause(engine) for _ in range(3_000)]
    await asyncio.sleep(0)
    await until(lambda: hub.reached == positions[-1])
    batches = [len(batch.frames) for batch in listener._batches]
    assert batches == [live.FRAMES_PER_ROUND] * 6
    assert await taken(listener) == positions


def pause(engine: Engine) -> int:
    """Record what makes one frame."""
    return engine.execute(queues.pause, SYSTEM, "q", Pause()).position
