"""kill -9 of a real server under mixed load, again and again, on one data directory.

Two programs judge each round, and know only the HTTP API and the format of the log: what clients
were told is held against the log (`judge`), and the log's own story against the rules (`lives`).
`SPOOLOG_FAULTS=long` makes more rounds; `SPOOLOG_FAULTS_SEED` repeats a run.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.faults.figures import report
from tests.faults.real import compare, independent
from tests.faults.real.client import Client, connected
from tests.faults.real.judge import Judge
from tests.faults.real.ledger import Ledger
from tests.faults.real.lives import ENDED, Lives, Violation
from tests.faults.real.load import QUEUES, Load, Memory
from tests.faults.real.size import LONG, seed
from tests.faults.real.stage import Stage, stage

ROUNDS: Final = 120 if LONG else 8
_KILLS_AT_START: Final = 3 if LONG else 1
_LOAD_SECS: Final = (0.05, 2.0 if LONG else 1.2)
_OPTIONS: Final = (
    *("--retry-base-secs", "0.2", "--retry-cap-secs", "0.5"),
    *("--snapshot-records", "300"),  # so that kills meet snapshots, and starts begin with them
)
_SEGMENT_BYTES: Final = (4_096, 20_000, 1_000_000)
_STOPPED_SECS: Final = 5.5  # longer than a lease
_DRAIN_SECS: Final = 60
_HISTORIES_PER_ROUND: Final = 40
_HISTORIES_AT_LAST: Final = 400


class Rounds:
    """One data directory, and all that is remembered from round to round."""

    def __init__(self, server: Stage, ledger: Ledger, random: Random) -> None:
        self.server = server
        self.ledger = ledger
        self.random = random
        self.memory = Memory()
        self.lives = Lives()
        self.judge = Judge(self.lives)
        self.api: list[Violation] = []
        self.starts: list[float] = []
        self.starts_with_snapshot = 0
        self._judged = 0

    async def play(self, number: int) -> None:
        """Start, check what the round before left, put load on it, and kill it."""
        if number % 8 == 3:
            self._kill_at_start()
        self._start()
        async with connected(self.server.url, self.ledger) as client:
            await self.check(client, _HISTORIES_PER_ROUND)
            load = Load(client, self.random, self.memory)
            running = asyncio.create_task(load.run())
            await asyncio.sleep(self.random.uniform(*_LOAD_SECS))
            if number % 8 == 5:
                await self._pause()
            await self._end(load, at_shutdown=number % 4 == 2)
            await running

    async def check(self, client: Client, count: int) -> None:
        """Hold everything that was told so far against the log, and the log against the API.

        All jobs that something happened to, and those chosen, are asked for at the API.
        """
        compare.catch_up(self.lives, self.server.data_dir)
        self.judge.judge(self.ledger.ops[self._judged :])
        self._judged = len(self.ledger.ops)
        lives, data_dir = self.lives, self.server.data_dir
        chosen = self.random.sample(sorted(lives.jobs), min(count, len(lives.jobs)))
        self.api += await compare.statuses(client, lives, data_dir, lives.touched | set(chosen))
        self.api += await compare.histories(client, lives, data_dir, chosen)
        lives.touched.clear()
        # The mark first: leases run out meanwhile, so the log goes on, but what it tells of is there.
        position, chain = independent.mark(data_dir)
        compare.catch_up(lives, data_dir)
        assert lives.chains[position] == chain

    def _start(self) -> None:
        self.starts_with_snapshot += any((self.server.data_dir / "snapshots").glob("*.snap"))
        began = time.monotonic()
        self.server.start("--segment-bytes", str(self.random.choice(_SEGMENT_BYTES)))
        self.starts.append(time.monotonic() - began)

    def _kill_at_start(self) -> None:
        for _ in range(_KILLS_AT_START):
            self.server.launch()
            time.sleep(self.random.uniform(0.1, 0.8))
            self.server.kill()

    async def _pause(self) -> None:
        """Stand still for longer than any lease, then go on as if nothing had happened."""
        self.server.signal(signal.SIGSTOP)
        await asyncio.sleep(_STOPPED_SECS)
        self.server.signal(signal.SIGCONT)
        await asyncio.sleep(0.5)

    async def _end(self, load: Load, *, at_shutdown: bool) -> None:
        if at_shutdown:
            self.server.signal(signal.SIGTERM)
            await asyncio.sleep(self.random.uniform(0, 0.1))
        load.over.set()
        self.server.kill()


async def test_killed_again_and_again(tmp_path: Path, ledger: Ledger) -> None:
    random = Random(seed("kill"))
    with stage(tmp_path / "data", *_OPTIONS) as server:
        rounds = Rounds(server, ledger, random)
        for number in range(ROUNDS):
            await rounds.play(number)
        rounds._start()
        async with connected(server.url, ledger) as client:
            await _drain(client)
            rounds.lives.touched.update(rounds.lives.jobs)
            await rounds.check(client, _HISTORIES_AT_LAST)
        assert server.stop() == 0
    found = rounds.judge.finish() + rounds.api
    _tell(rounds, found)
    assert found == []
    assert {life.status for life in rounds.lives.jobs.values()} <= ENDED
    _whole_log_is_what_was_read(rounds)
    assert rounds.judge.tally.acknowledged > 20 * ROUNDS, "too little happened to prove anything"
    assert rounds.starts_with_snapshot > ROUNDS // 4, "too few starts began with a snapshot"


async def _drain(client: Client) -> None:
    """Work without faults until nothing is left; the leases of the dead run out on the way."""
    until = time.monotonic() + _DRAIN_SECS
    while (await _unfinished(client)) > 0:
        assert time.monotonic() < until, "jobs are left that nobody can finish"
        for queue in QUEUES:
            body: dict[str, Any] = {"queue_name": queue, "worker_id": "last", "limit": 100}
            body |= {"wait_secs": 0.3, "lease_duration_secs": 30}
            op = await client.call("claim", "POST", "/jobs/claim", body)
            jobs = [{"job_id": one["id"], "lease_id": one["lease_id"]} for one in op.answer["jobs"]]
            if jobs:
                body = {"worker_id": "last", "jobs": jobs}
                done = await client.call("complete_bulk", "POST", "/jobs/bulk/complete", body)
                assert done.answer["failure_count"] == 0


async def _unfinished(client: Client) -> int:
    _, counts = await client.ask("/jobs/stats")
    return sum(counts[status] for status in ("pending", "scheduled", "processing"))


def _whole_log_is_what_was_read(rounds: Rounds) -> None:
    """Read it once more from its beginning: no byte that was ever seen has changed."""
    again = {one.position: one.chain for one in independent.records(rounds.server.data_dir)}
    assert {position: again[position] for position in rounds.lives.chains} == rounds.lives.chains


def _tell(rounds: Rounds, found: list[Violation]) -> None:
    kinds, tally, starts = Counter(one.kind for one in found), rounds.judge.tally, rounds.starts
    quarantine = rounds.server.data_dir / "quarantine"
    report(
        "real_kill",
        rounds=ROUNDS,
        acknowledged=tally.acknowledged,
        refused=tally.refused,
        unknown=tally.unknown,
        unknown_applied=tally.unknown_applied,
        jobs=len(rounds.lives.jobs),
        records=rounds.lives.position,
        leases_run_out=rounds.lives.events["lease_expired"],
        lost=kinds["lost"],
        done_twice=kinds["twice"],
        lease_violations=kinds["lease"],
        other_violations=sum(kinds.values()) - kinds["lost"] - kinds["twice"] - kinds["lease"],
        starts_with_snapshot=rounds.starts_with_snapshot,
        restart_secs_p50=round(sorted(starts)[len(starts) // 2], 3),
        restart_secs_max=round(max(starts), 3),
        torn_tails=len(os.listdir(quarantine)) if quarantine.is_dir() else 0,  # noqa: PTH208
    )
