"""Each seeded bug is noticed: the fault tests can fail."""

from collections.abc import Callable, Iterator

import pytest

from eventlog import SyncMode
from tests.faults.chronicle import chronicle
from tests.faults.crashes import THIN
from tests.faults.figures import report
from tests.faults.mutations import MUTATIONS, PowerLoss, PowerLossUnsynced, Simulation
from tests.faults.powerloss import Judge, Life
from tests.faults.simulate import simulate

SEEDS_MAX = 200
LIVES = (Life((2, 1, 2), closed=False), Life((1, 3), closed=False, body_bytes=230))


def run_simulation() -> None:
    for seed in range(SEEDS_MAX):
        simulate(seed)


def run_power_loss(mode: SyncMode) -> None:
    judge = Judge()
    for moment in chronicle(LIVES, mode):
        judge.all(moment, THIN)


TESTS: dict[str, Callable[[], None]] = {
    Simulation: run_simulation,
    PowerLoss: lambda: run_power_loss(SyncMode.ALWAYS),
    PowerLossUnsynced: lambda: run_power_loss(SyncMode.NONE),
}


@pytest.fixture(scope="module")
def noticed() -> Iterator[list[str]]:
    names = list[str]()
    yield names
    report("seeded bugs", seeded=len(MUTATIONS), noticed=len(names))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_it_is_noticed(
    mutation: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    noticed: list[str],
) -> None:
    mutation(monkeypatch)
    with pytest.raises(Exception, match=r".") as caught:
        TESTS[MUTATIONS[mutation]]()
    noticed.append(mutation.__name__)
    print(mutation.__name__, "->", str(caught.value).splitlines()[0][:150])  # noqa: T201
