"""One seed is one schedule: commands, time, slow syncs, broken disks, crashes and restarts.

`python -m tests.faults.simulate --seed N` prints it step by step; `--seeds A-B` runs many and prints
the first that fails.
"""

import argparse
import sys
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

from msgspec import Struct

from eventlog import FileLog, LogDamaged, LogError, LogFailed, Reader, verify
from projections.decide import Policy
from projections.entities import Job
from server.engine import Broken, Engine
from tests.faults.clients import QUEUES, Clients
from tests.faults.ledger import ENDED, Ledger, Op, Violation
from tests.faults.machine import DATA, DISK_ERRORS, SECOND_US, Machine
from tests.faults.replays import compare
from tests.faults.simdisk import PowerCut
from tests.faults.tidying import Killed, Tidying, at_a_change, kill

STEPS = 160
_HEAL_ROUNDS_MAX = 400
_HEAL_US_MAX = 6 * 3_600 * SECOND_US
_DAY_US = 24 * 3_600 * SECOND_US


class Run(Struct, frozen=True):
    """What a seed came to."""

    seed: int
    chain: str
    """the last record's: two runs of a seed are the same exactly when it is"""
    operations: int
    acknowledged: int
    unknown: int
    unknown_happened: int
    crashes: int
    starts: int
    records: int
    snapshots: int
    compressed: int
    expired: int
    retired: int
    starts_from_snapshot: int
    healed_us: int


class World:
    """A seed's machine, clients and ledger, and the schedule that puts them to work."""

    def __init__(self, seed: int, say: Callable[[str], None] | None = None) -> None:
        self._rng = Random(seed)
        rng = self._rng
        self._seed = seed
        self._say = say
        self._policy = Policy(
            retry_base_secs=5,
            retry_cap_secs=20,
            retry_jitter=0.5,
            keep_finished_us=rng.choice((4, 15, 3_600)) * SECOND_US,
            keep_finished_jobs=rng.choice((3, 12, 100)),
        )
        segment_bytes = rng.choice((2_000, 6_000, 30_000))
        self.machine = Machine(Random(rng.random()), segment_bytes, self._policy)
        self.tidying = Tidying(Random(rng.random()), DATA)
        self.ledger = Ledger(self._policy)
        self.clients = Clients(Random(rng.random()), self.ledger)
        self._waiting: list[Op] = []
        """whose answers are not told yet, in order"""
        self._told = 0
        """the furthest position that was told to be durable"""
        self._crashes = self._unknown = self._happened = self._operations = 0
        self._danger = rng.choice((0.0, 0.02, 0.05, 0.12))

    # -- the schedule

    def run(self) -> Run:
        """Run it to its end.

        Raises:
            Violation: something that was promised does not hold.

        """
        self._up()
        for _ in range(STEPS):
            self._step()
        healed_us = self._heal()
        chain = self._finish()
        return Run(
            seed=self._seed,
            chain=chain,
            operations=self._operations,
            acknowledged=self.ledger.acknowledged,
            unknown=self._unknown,
            unknown_happened=self._happened,
            crashes=self._crashes,
            starts=self.machine.starts,
            records=len(self.machine.bodies),
            snapshots=self.tidying.snapshots,
            compressed=self.tidying.compressed,
            expired=self.tidying.expired,
            retired=self.ledger.retired,
            starts_from_snapshot=self.machine.snapshot_starts,
            healed_us=healed_us,
        )

    def _step(self) -> None:
        roll = self._rng.random()
        try:
            if roll < self._danger:
                self._mishap()
            elif roll < 0.35:
                self._pass_time()
            elif roll < 0.38:
                self._step_clock()
            elif roll < 0.43:
                self._tidy()
            else:
                self._command()
            self._hear()
        except PowerCut as cut:
            self._hear()
            self._down(power=not isinstance(cut, Killed))
        if self.machine.failed:
            self._down(power=False)

    def _command(self) -> None:
        try:
            op = self.clients.act()
        except (LogError, Broken) as error:
            if isinstance(error, Broken):
                raise Violation("a record could not be folded") from error
            return  # the log has failed, and nobody was answered
        self._note(op)

    def _note(self, op: Op) -> None:
        self._operations += 1
        self.say(
            f"op {op.number} {op.kind} {op.queue}{op.worker} -> {op.refusal or op.answer} @{op.position}"
        )
        self._waiting.append(op)
        self.machine.spawn(self._tell(op, self._engine()))

    async def _tell(self, op: Op, engine: Engine) -> None:
        with suppress(LogFailed, CancelledError):
            await engine.durable(op.position)
            self._told = max(self._told, op.position)

    def _hear(self) -> None:
        """Enter the answers that were told, in the order in which they took effect."""
        self.machine.check()
        while self._waiting and self._waiting[0].position <= self._told:
            self.ledger.enter(self._waiting.pop(0))

    def _pass_time(self) -> None:
        secs = self._rng.choice((0.0001, 0.001, 0.03, 0.3, 2.0, 6.0))
        self.say(f"time passes: {secs} s")
        self.machine.loop.advance(secs)

    def _step_clock(self) -> None:
        by_us = self._rng.choice((-_DAY_US, -3 * SECOND_US, 7 * SECOND_US, 40 * SECOND_US, _DAY_US))
        self.say(f"the clock is set by {by_us / SECOND_US:+} s")
        self.machine.step_clock(by_us)

    # -- beside the server

    def _tidy(self) -> None:
        """Have it done now, behind a seal perhaps, or within what the server does to the disk next."""
        rng, kind = self._rng, self.tidying.choose()
        how = rng.choice(("sealed", "now", "within", "within"))
        self.say(f"{kind}: {how}")
        if how == "within":
            self.machine.spawn(self._log().seal())
            at_a_change(self.machine.disk, rng.randint(1, 8), partial(self._tidy_within, kind))
            return
        if how == "sealed":
            with suppress(LogError):
                self.machine.loop.run(self._log().seal())
        self._tidy_now(kind)

    def _tidy_now(self, kind: str) -> None:
        machine = self.machine
        in_danger = self._rng.random() < self._danger * 3
        self.tidying.run(kind, machine.disk, machine.clock(), in_danger=in_danger)

    def _tidy_within(self, kind: str) -> None:
        self._tidy_now(kind)
        if self._rng.random() < self._danger * 3:
            raise PowerCut  # with the server's change not made, and the other's durable

    # -- mishaps

    def _mishap(self) -> None:
        rng, machine = self._rng, self.machine
        kind = rng.choice(
            ("power", "power soon", "power soon", "kill", "kill soon", "disk error", "broken disk")
        )
        self.say(f"mishap: {kind}")
        if kind in {"power", "kill"}:
            self._down(power=kind == "power")
        elif kind == "power soon":
            machine.cut_power(rng.randint(1, 40))
        elif kind == "kill soon":
            at_a_change(machine.disk, rng.randint(1, 20), kill)
        else:
            errno = rng.choice(DISK_ERRORS)
            machine.break_disk(rng.randint(1, 20), errno, sticky=kind == "broken disk")

    def _down(self, *, power: bool) -> None:
        self._crashes += 1
        if not power and self._rng.random() < self._danger * 3:
            self.machine.disk.cut_at = None
            self._tidy_now(self.tidying.choose())  # who tidies may outlive the server
        self._compare_with_replay()
        self.say(
            f"crash ({'power' if power else 'process'}), {len(self._waiting)} answers not told"
        )
        self.machine.crash(power=power)
        self._up()

    def _up(self) -> None:
        """Start a server; a start may be cut short as well."""
        machine = self.machine
        while True:
            bodies = list(machine.bodies)
            if self._rng.random() < self._danger * 3:
                machine.cut_power(self._rng.randint(1, 60))
            if self._rng.random() < self._danger * 2:
                kind = self.tidying.choose()
                at_a_change(machine.disk, self._rng.randint(1, 20), partial(self._tidy_now, kind))
            try:
                engine = machine.start()
                break
            except PowerCut:
                self.say("the power went during the start")
                machine.crash(power=True)
            except (LogFailed, OSError):
                self.say("the disk failed during the start")
                machine.crash(power=False)
            except LogDamaged as error:
                raise Violation(f"the server refuses to start: {error}") from error
            machine.bodies = bodies
        self._judge_start(engine, bodies)
        machine.keep_time()

    def _judge_start(self, engine: Engine, before: list[bytes]) -> None:
        found = _common(before, self.machine.bodies)
        self.say(f"started with {found} of {len(before)} records, {self._told} told")
        if found < self._told:
            raise Violation(f"{self._told} records were told to be durable, {found} are there")
        happened = [op for op in self._waiting if op.position <= found]
        self._unknown += len(self._waiting)
        self._happened += len(happened)
        for op in happened:
            self.ledger.enter(op)
        tables = engine.state.tables
        queues = tables.queues.get("default", {}).values()
        paused = {queue.name for queue in queues if queue.paused_at is not None}
        self.ledger.compare(tables.jobs, paused, self.machine.latest_us)
        self._waiting.clear()
        self._told = engine.state.position
        self.ledger.position = engine.state.position
        self.ledger.jobs = {job_id: _copy(job) for job_id, job in tables.jobs.items()}
        self.clients.engine = engine
        self.clients.seen_position = engine.state.position
        self.clients.seen_jobs = set(tables.jobs)

    def _compare_with_replay(self) -> None:
        machine = self.machine
        machine.disk.heal()
        if machine.engine is not None:
            compare(machine.engine.state, machine.bodies, machine.disk, DATA)

    # -- the end

    def _heal(self) -> int:
        """Nothing breaks any more and workers work: every job must come to an end in bounded time."""
        machine = self.machine
        machine.disk.heal()
        self._danger = 0.0
        start_us = self._engine().now_us()
        for queue in QUEUES:
            self._settle_down("resume", queue)
        for _ in range(_HEAL_ROUNDS_MAX):
            live = [
                job for job in self._engine().state.tables.jobs.values() if job.status not in ENDED
            ]
            now_us = self._engine().now_us()
            if not live:
                return now_us - start_us
            if now_us - start_us > _HEAL_US_MAX:
                break
            for queue in QUEUES:
                claim = self._settle_down("claim", queue, 50)
                if claim.answer:
                    self._settle_down("finish", claim)
            self._await_next_due()
        left = [f"{job.id} {job.status}" for job in live]
        raise Violation(f"healed, and yet not every job ends: {left}")

    def _await_next_due(self) -> None:
        engine, machine = self._engine(), self.machine
        next_due = engine.state.agenda.next_due()
        until_us = max(next_due or 0, engine.now_us() + SECOND_US)
        machine.step_clock(until_us - machine.clock())
        machine.loop.advance(1.1)

    def _settle_down(self, name: str, *args: object) -> Op:
        op = self.clients.perform(name, *args)
        self._note(op)
        while self._waiting:
            self.machine.loop.advance(0.25)
            self._hear()
        return op

    def _finish(self) -> str:
        self._judge_retention()
        self._compare_with_replay()
        self.machine.close()
        bodies = self.machine.bodies
        verified = verify(DATA, disk=self.machine.disk)
        batches = Reader(DATA, self.machine.disk).entries(verified.first - 1)
        if bodies[verified.first - 1 :] != [body for batch in batches for _, body in batch]:
            raise Violation(f"{len(bodies)} records were written, not these: {verified}")
        if self._waiting:
            raise Violation(f"{len(self._waiting)} answers were never told")
        self.say(f"ended: {verified.records} records, chain {verified.chain_hex}")
        return verified.chain_hex

    def _judge_retention(self) -> None:
        """What is to go goes, within seconds."""
        machine, engine = self.machine, self._engine()
        machine.step_clock(machine.latest_us - machine.clock())
        machine.loop.advance(3)
        machine.check()
        keep_us = self._policy.keep_finished_us
        assert keep_us is not None
        finished = [at for at, _ in engine.state.finished.in_order()]
        late_us = engine.now_us() - keep_us - 3 * SECOND_US
        if (
            len(finished) > self._policy.keep_finished_jobs
            or min(finished, default=late_us) < late_us
        ):
            raise Violation(f"{len(finished)} finished jobs are kept too long: {finished}")

    def _log(self) -> FileLog:
        assert self.machine.log is not None
        return self.machine.log

    def _engine(self) -> Engine:
        assert self.machine.engine is not None
        return self.machine.engine

    def say(self, text: str) -> None:
        """Tell a step to whoever wants to read along."""
        if self._say is not None:
            self._say(f"{self.machine.loop.time():9.4f}  {text}")


def _copy(job: Job) -> Job:
    return Job(*(getattr(job, name) for name in job.__struct_fields__))


def _common(before: list[bytes], after: list[bytes]) -> int:
    """Count the records at the beginning that both have."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return count


def simulate(seed: int, say: Callable[[str], None] | None = None) -> Run:
    """Run a seed; a failure names the command that repeats it."""
    world = World(seed, say)
    try:
        return world.run()
    except Exception as error:
        world.machine.abandon()
        error.add_note(f"seed {seed}: python -m tests.faults.simulate --seed {seed}")
        raise


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", help="A-B")
    chosen = parser.parse_args()
    if chosen.seeds:
        first, _, last = chosen.seeds.partition("-")
        for seed in range(int(first), int(last) + 1):
            simulate(seed)
        print(f"seeds {chosen.seeds}: no violation")  # noqa: T201
    else:
        print(simulate(chosen.seed, print))  # noqa: T201


if __name__ == "__main__":
    sys.exit(_main())
