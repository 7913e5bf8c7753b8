"""A live state against the ones that a start would make: of all records, and of the newest snapshot."""

from pathlib import Path

from eventlog import Reader, Snapshot, SnapshotDamaged, SnapshotStore, newest_sound
from projections.digest import digest
from projections.events import decode
from projections.fold import refold
from projections.snapshot import load
from projections.state import State
from tests.faults.ledger import Violation
from tests.faults.simdisk import SimDisk
from tools.indexes import differences


def compare(live: State, bodies: list[bytes], disk: SimDisk, data_dir: Path) -> None:
    """Hold a state to its records, indexes and all.

    Raises:
        Violation: a replay gives another state, or a snapshot is not what it says.

    """
    store = SnapshotStore(data_dir, Reader(data_dir, disk).identity.cluster, disk)
    snapshot = next(newest_sound(store, _refuse), None)
    expected = digest(live)
    if digest(_replayed(bodies, snapshot)) != expected:
        raise Violation("a replay of the log gives another state than the live one")
    if snapshot is not None:
        state = State(load(store.lines(snapshot)))
        _fold(state, bodies[snapshot.position :])
        if digest(state) != expected:
            raise Violation("the newest snapshot and a replay behind it give another state")
    wrong = differences(live)
    if wrong:
        raise Violation(f"indexes differ from rebuilt ones: {wrong}")


def _replayed(bodies: list[bytes], snapshot: Snapshot | None) -> State:
    """Fold everything, and look at what the snapshot's position comes to on the way."""
    state = State()
    if snapshot is not None:
        _fold(state, bodies[: snapshot.position])
        if (state.position, digest(state)) != (snapshot.position, snapshot.head.digest):
            raise Violation(f"the snapshot at {snapshot.position} is of another state")
    _fold(state, bodies[state.position :])
    return state


def _fold(state: State, bodies: list[bytes]) -> None:
    for position, body in enumerate(bodies, start=state.position + 1):
        refold(state, decode(position, body))


def _refuse(damaged: SnapshotDamaged) -> None:
    raise Violation(f"a snapshot is damaged: {damaged}")
