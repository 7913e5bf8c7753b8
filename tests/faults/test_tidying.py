"""What crashes between the server and the processes beside it must not do, step by step."""

from collections.abc import Callable
from errno import EIO
from random import Random

import pytest

from eventlog import LogFailed, SnapshotStore
from projections.decide import Policy, queues
from projections.specs import Pause
from server import housekeeping, snapshotting
from tests.faults.clients import ME
from tests.faults.machine import DATA, Machine
from tests.faults.simdisk import Fault, PowerCut, SimDisk
from tests.faults.tidying import Killed, at_a_change, kill

CRASHES = 40


def a_machine(seed: int) -> Machine:
    machine = Machine(Random(seed), 30_000, Policy())
    machine.start()
    work(machine)
    return machine


def work(machine: Machine) -> None:
    """Have something in the log that is durable and not sealed."""
    engine = machine.engine
    assert engine is not None
    receipt = engine.execute(queues.pause, ME, "q", Pause(reason=str(engine.state.position)))
    machine.loop.run(engine.durable(receipt.position))


def seal(machine: Machine) -> None:
    assert machine.log is not None
    machine.loop.run(machine.log.seal())


def snapshot(disk: SimDisk) -> None:
    snapshotting.make(DATA, now_us=0, writer="test", disk=disk)


def at_the_sync_of_a_footer(disk: SimDisk, act: Callable[[], None]) -> None:
    """Do something when a footer is written and not synced yet."""

    def on_change(name: str) -> None:
        contents = [content for content in disk.tree().values() if content is not None]
        if name == "sync_data" and any(b" #end " in content for content in contents):
            disk.on_change = None
            act()

    disk.on_change = on_change


def snapshot_killed_behind_its_rename(disk: SimDisk) -> None:
    calls = list[str]()

    def on_change(name: str) -> None:
        calls.append(name)
        if calls[:-1].count("rename") == 2:  # the first one is that of its figures
            raise Killed

    disk.on_change = on_change
    with pytest.raises(Killed):
        snapshot(disk)
    disk.on_change = None


def test_a_snapshot_rests_on_no_footer_that_a_power_loss_takes_away() -> None:
    for seed in range(CRASHES):
        machine = a_machine(seed)

        def act(machine: Machine = machine) -> None:
            snapshot(machine.disk)
            raise PowerCut

        at_the_sync_of_a_footer(machine.disk, act)
        with pytest.raises(PowerCut):
            seal(machine)
        machine.crash(power=True)
        machine.start()


def test_a_snapshot_rests_on_no_footer_whose_sync_failed() -> None:
    machine = a_machine(1)

    def act() -> None:
        machine.disk.fault = Fault(machine.disk.calls, EIO)

    at_the_sync_of_a_footer(machine.disk, act)
    with pytest.raises(LogFailed):
        seal(machine)
    machine.disk.heal()
    snapshot(machine.disk)
    machine.crash(power=False)
    machine.start()


@pytest.mark.parametrize("let_go", ["prune", "expire"])
def test_nothing_goes_for_a_snapshot_whose_name_is_not_durable(let_go: str) -> None:
    for seed in range(CRASHES):
        machine = a_machine(seed)
        seal(machine)
        snapshot(machine.disk)
        for _ in range(2):  # each is there and sound, but its name is only in the cache
            work(machine)
            seal(machine)
            snapshot_killed_behind_its_rename(machine.disk)
        if let_go == "prune":
            snapshot(machine.disk)
        else:
            disk = machine.disk
            store = SnapshotStore(DATA, "c1", disk)
            covered = housekeeping.covered_position(store)
            assert housekeeping.expire(DATA, before=covered + 1, disk=disk).segments
        machine.crash(power=True)
        found = SnapshotStore(DATA, "c1", machine.disk).positions()
        assert len(found) >= 2
        machine.start()


def test_a_directory_that_a_killed_process_made_is_not_lost() -> None:
    for seed in range(CRASHES):
        machine = a_machine(seed)
        seal(machine)
        at_a_change(machine.disk, 2, kill)  # behind the making of the directory
        with pytest.raises(Killed):
            snapshot(machine.disk)
        assert machine.disk.tree()["/data/snapshots"] is None
        snapshot(machine.disk)
        machine.crash(power=True)
        assert SnapshotStore(DATA, "c1", machine.disk).positions()
